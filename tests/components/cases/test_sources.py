import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set
from components.cases import sources
from components.cases.lock import lock_source
from components.cases.sources import Publication, download, open_medmnist, open_source
from components.records.errors import SourceError
from tests.components.cases.making import read_cases, write_class_folders, write_npz, write_picture
from tests.refusing import refused


@pytest.mark.parametrize(
    ("spec", "facts"),
    [
        ("phantm", ["did you mean 'phantom'"]),
        ("medmnst:pneumoniamnist", ["did you mean 'medmnist:pneumoniamnist'"]),
        ("medmnist:breast", ["'breast'"]),
        ("no/such/place", ["no/such/place", "no such file or folder"]),
        ("", []),
        ("zero\0byte", ["zero"]),
    ],
)
def test_unknown_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, facts: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with refused(SourceError, *facts):
        open_source(spec)


@pytest.mark.parametrize("name", ["phantom", "medmnist:mine", "spans:x@1"])
def test_a_folder_that_is_called_like_a_word_is_opened_and_locked_as_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_class_folders(tmp_path / name)
    source = open_source(f"./{name}")
    assert source.spec == f"./{name}" and not source.synthetic
    assert open_source(source.spec).fingerprint() == source.fingerprint()
    lock_source(source, tmp_path / "case_set.json", author="A", reason="r")
    assert load_case_set(tmp_path / "case_set.json").source == f"./{name}"


def test_a_word_that_is_a_folder_of_data_too_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phantom").mkdir()
    assert open_source("phantom").synthetic
    write_class_folders(tmp_path / "phantom")
    with refused(SourceError, "./phantom"):
        open_source("phantom")


def test_misspelt_path_suggests_what_stands_beside_it(tmp_path: Path) -> None:
    write_npz(tmp_path / "chest.npz")
    with refused(SourceError, f"did you mean '{tmp_path}/chest.npz'"):
        open_source(f"{tmp_path}/chets.npz")


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with refused(SourceError, tmp_path, "empty"):
        open_source(str(tmp_path))


def test_folder_of_loose_images_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 1)
    with refused(SourceError, "['a.png']", "manifest.csv"):
        open_source(str(tmp_path))


def test_file_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 1)
    with refused(SourceError, "a.png"):
        open_source(str(tmp_path / "a.png"))


def test_npz_folder_and_manifest_are_told_apart(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz")
    root = write_class_folders(tmp_path / "chest")
    assert type(open_source(str(tmp_path / "a.npz"))).__name__ == "NpzSource"
    assert len(open_source(str(root)).shards("test")) == 1
    (root / "manifest.csv").write_text("path,label\n")
    with refused(SourceError, "no positive"):
        open_source(str(root))


def test_relative_path_is_canonical_and_reads_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(tmp_path / "a.npz")
    monkeypatch.chdir(tmp_path)
    source = open_source("./x/../a.npz")
    assert (source.spec, source.name) == ("a.npz", "a")
    monkeypatch.chdir("/")
    assert len(source.fingerprint()) == 64


class Handler(BaseHTTPRequestHandler):
    content = b""
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/elsewhere.npz")
            self.end_headers()
            return
        self.send_response(200 if self.path != "/gone" else 404)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content if self.path != "/cut" else self.content[:100])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def publication(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publication]:
    """A small set published on this machine, known as pneumoniamnist, and an empty cache."""
    Handler.content = write_npz(tmp_path / "published.npz").read_bytes()
    Handler.asked = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    made = Publication(
        f"http://127.0.0.1:{server.server_port}/set.npz",
        hashlib.md5(Handler.content).hexdigest(),
        len(Handler.content),
    )
    monkeypatch.setattr(sources, "PUBLISHED", {"pneumoniamnist": made})
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path / "cache"))
    yield made
    server.shutdown()
    server.server_close()


def at(publication: Publication, path: str) -> Publication:
    root = publication.url.rpartition("/")[0]
    return Publication(f"{root}/{path}", publication.md5, publication.n_bytes)


def test_download_is_cached_and_read(publication: Publication, tmp_path: Path) -> None:
    source = open_medmnist("pneumoniamnist")
    assert (source.spec, source.name) == ("medmnist:pneumoniamnist", "pneumoniamnist")
    assert len(read_cases(source, "test")) == 20
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["pneumoniamnist.npz"]
    open_medmnist("pneumoniamnist")
    assert Handler.asked == 1


def test_damaged_cache_is_fetched_again(publication: Publication, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "pneumoniamnist.npz"
    path.parent.mkdir()
    path.write_bytes(b"half a file")
    open_medmnist("pneumoniamnist")
    assert path.read_bytes() == Handler.content


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("gone", None, "404"),
        ("cut", None, "MD5"),
        ("moved", None, "example.invalid.*wanted https"),
        ("set.npz", b"other content", "MD5"),
        ("set.npz", b"x" * 100_000, "more than"),
    ],
)
def test_failed_download_leaves_the_cache_as_it_was(
    publication: Publication,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    content: bytes | None,
    reason: str,
) -> None:
    if content is not None:
        monkeypatch.setattr(Handler, "content", content)
    target = tmp_path / "cache" / "a.npz"
    with pytest.raises((SourceError, OSError), match=reason):
        download(at(publication, path), target)
    assert list(target.parent.iterdir()) == []


def test_without_network_one_line_says_where_to_put_the_file(
    publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = Publication("http://127.0.0.1:1/set.npz", publication.md5, publication.n_bytes)
    monkeypatch.setattr(sources, "PUBLISHED", {"pneumoniamnist": nobody})
    with refused(SourceError, "cache/pneumoniamnist.npz"):
        open_medmnist("pneumoniamnist")


def test_file_put_there_by_hand_needs_no_network(publication: Publication, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "pneumoniamnist.npz").write_bytes(Handler.content)
    open_medmnist("pneumoniamnist")
    assert Handler.asked == 0


@pytest.mark.parametrize(
    "url", ["http://example.org/a", "file:///etc/hostname", "ftp://127.0.0.1/a"]
)
def test_insecure_address_is_refused(tmp_path: Path, url: str) -> None:
    with refused(SourceError, url, "https"):
        download(Publication(url, "", 1), tmp_path / "a.npz")


def test_published_addresses_are_secure_and_md5_is_the_published_one() -> None:
    published = sources.PUBLISHED["pneumoniamnist"]
    assert published.url.startswith("https://zenodo.org/records/6496656/")
    assert published.md5 == "28209eda62fecd6e6a2d98b1501bb15f"


def test_unknown_set_is_refused_with_a_suggestion() -> None:
    with refused(SourceError, "did you mean 'pneumoniamnist'"):
        open_medmnist("pnuemoniamnist")


def test_real_file_in_the_cache_is_taken(
    publication: Publication,
    monkeypatch: pytest.MonkeyPatch,
    real_data: Path | None,
    tmp_path: Path,
) -> None:
    if real_data:
        monkeypatch.undo()
        monkeypatch.setenv("CASEGATE_CACHE", str(real_data))
    source = open_medmnist("pneumoniamnist")
    assert source.shards("test")[-1].stop == (624 if real_data else 20)
