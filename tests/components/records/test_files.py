import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from components.records.errors import IntegrityError
from components.records.files import canonical_json, sha256_tree, write_atomically, write_output
from tests.refusing import refused


def test_a_crash_while_writing_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "golden.json"
    write_atomically(target, b"old")

    def crash(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b.json", b"x")
    assert (tmp_path / "a" / "b.json").read_bytes() == b"x"


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_is_made_as_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a", b"x")
        write_output(tmp_path / "b", b"x")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [mode, mode]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_an_output_keeps_the_mode_of_the_file_that_was_there(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "report"
    target.write_bytes(b"old, and longer")
    target.chmod(mode)
    write_output(target, b"new")
    assert target.read_bytes() == b"new" and stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.parametrize("there", [True, False])
def test_an_output_goes_through_links(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "report"
    if there:
        target.write_bytes(b"old")
    (tmp_path / "second").symlink_to("far/report")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    write_output(tmp_path / "first", b"new")
    assert (tmp_path / "first").is_symlink() and (tmp_path / "second").is_symlink()
    assert target.read_bytes() == b"new" and not target.is_symlink()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["far", "first", "report", "second"]


def test_an_output_goes_into_a_pipe(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, b"x" * 100_000)
    reader.join()
    assert read == [b"x" * 100_000] and pipe.is_fifo()


def test_an_output_goes_into_a_device_and_leaves_it(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to(os.devnull)
    write_output(link, b"x")
    assert link.is_symlink() and Path(os.devnull).is_char_device()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/2"])
def test_an_output_on_a_standard_stream_is_added_to_what_is_there(
    tmp_path: Path, name: str
) -> None:
    code = (
        "import sys; from pathlib import Path; from components.records.files import write_output;"
        f"stream = sys.std{'out' if name[-1] in 't1' else 'err'};"
        f"print('a', file=stream, flush=True); write_output(Path({name!r}), b'b\\n');"
        "print('c', file=stream, flush=True)"
    )
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    with log.open("ab") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, stderr=stream, check=True)
    assert log.read_bytes() == b"before\na\nb\nc\n"


def test_an_output_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=str(tmp_path)):
        write_output(tmp_path, b"x")


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": [0.1, 1e-320], "a": "é"}) == '{"a":"é","b":[0.1,1e-320]}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_canonical_json_refuses_what_json_cannot_say(value: float) -> None:
    with pytest.raises(ValueError):
        canonical_json({"score": value})


def tree(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def test_tree_hash_sees_content_names_and_nothing_else(tmp_path: Path) -> None:
    first = sha256_tree(tree(tmp_path / "1", a="x", sub__b="y"))
    same = tree(tmp_path / "2", sub__b="y", a="x")
    (same / "empty").mkdir()
    os.utime(same / "a", (0, 0))
    assert sha256_tree(same) == first
    assert sha256_tree(tree(tmp_path / "3", a="x", sub__b="z")) != first
    assert sha256_tree(tree(tmp_path / "4", a="x", sub__c="y")) != first
    assert sha256_tree(tree(tmp_path / "5", a="x", b="y")) != first


def test_tree_hash_refuses_a_folder_without_files(tmp_path: Path) -> None:
    with refused(IntegrityError, tmp_path / "absent"):
        sha256_tree(tmp_path / "absent")


def test_tree_hash_refuses_a_linked_folder(tmp_path: Path) -> None:
    tree(tmp_path / "elsewhere", a="x")
    model = tree(tmp_path / "model", b="y")
    (model / "variables").symlink_to(tmp_path / "elsewhere")
    with refused(IntegrityError, "variables"):
        sha256_tree(model)
