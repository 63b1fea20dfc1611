"""The reader's files: what they hold, what they are made of, what is refused."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.exports.javascript_running import built
from components.records.errors import ConfigError, IntegrityError
from pipeline.reader import build as building
from pipeline.reader.build import MODEL, PAGE, WORKER, build, load_artefact, reader_files
from tests.pipeline.reader.making import write_artefact


@pytest.fixture(autouse=True)
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's script, for what does not depend on it."""
    (tmp_path / "built.js").write_text("1;\n")
    monkeypatch.setattr(building, "built", lambda part: tmp_path / "built.js")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_artefact(tmp_path / "artefact")


def given(files: dict[str, bytes]) -> dict[str, Any]:
    """What the page's script is given."""
    head, _, rest = files[MODEL].decode().partition(" = ")
    assert head == "globalThis.casegateReader"
    return json.loads(rest.rstrip(";\n"))


def test_the_page_has_the_models_files_and_names_them(folder: Path) -> None:
    artefact = load_artefact(folder, "chest", 7, ("physicist",))
    found = given(reader_files(artefact))
    assert found["model"]["version"] == 7 and found["model"]["signers"] == ["physicist"]
    assert found["labels"] == ["normal", "pneumonia"]
    for name, text in found["files"].items():
        assert base64.b64decode(text) == (folder / name).read_bytes()
        assert hashlib.sha256(base64.b64decode(text)).hexdigest() == found["record"]["files"][name]


def test_the_policy_allows_no_connection_and_nothing_inline(folder: Path) -> None:
    page = reader_files(load_artefact(folder, "chest"))[PAGE].decode()
    found = re.search('Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    policy = dict(part.strip().split(" ", 1) for part in found[1].split(";"))
    assert policy["default-src"] == "'none'" and "connect-src" not in policy
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert {*policy.values()} - {policy["script-src"]} == {"'none'", "'self'"}
    assert not re.search(r"<script>|<style|\son\w+=|\sstyle=|https?:", page)


def test_the_worker_keeps_every_file_by_its_hash(folder: Path) -> None:
    files = reader_files(load_artefact(folder, "chest"))
    kept = json.loads(files[WORKER].decode().partition(" = ")[2].partition(";\n")[0])
    assert kept == {
        name: f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"
        for name, content in files.items()
        if name != WORKER
    }


def test_the_same_artefact_gives_the_same_files_and_another_another_worker(
    folder: Path, tmp_path: Path
) -> None:
    files = reader_files(load_artefact(folder, "chest", 7))
    assert reader_files(load_artefact(folder, "chest", 7)) == files
    other = write_artefact(tmp_path / "other", operating_point=0.7)
    assert reader_files(load_artefact(other, "chest", 7))[WORKER] != files[WORKER]


def test_an_altered_artefact_makes_no_page(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"\0" * 16)
    with pytest.raises(IntegrityError, match=r"weights\.bin"):
        load_artefact(folder, "chest")


def test_an_artefact_of_another_runtime_makes_no_page(folder: Path, tmp_path: Path) -> None:
    other = write_artefact(tmp_path / "other", kind="tflite_int8", runtime="tflite")
    with pytest.raises(ConfigError, match="got tflite_int8, wanted tfjs"):
        load_artefact(other, "chest")


def test_a_label_too_many_is_refused(folder: Path) -> None:
    (folder / "labels.txt").write_text("normal\nbacterial\nviral\n")
    with pytest.raises(ConfigError, match="wanted two lines"):
        load_artefact(folder, "chest")


def test_a_folder_with_something_in_it_is_left_alone(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "letter.txt").write_text("dear colleague")
    with pytest.raises(ConfigError, match="new or empty folder"):
        build(load_artefact(folder, "chest"), out)
    assert [path.name for path in out.iterdir()] == ["letter.txt"]


def test_without_the_script_it_says_what_makes_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "built", lambda part: built("no such part"))
    with pytest.raises(ConfigError, match="make tfjs"):
        build(load_artefact(folder, "chest"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
