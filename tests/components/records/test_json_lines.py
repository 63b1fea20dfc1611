import os
from pathlib import Path

import pytest

from components.records.json_lines import append_json, parse_object, read_lines, read_objects


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert read_lines(path) == [] == read_objects(path)
    append_json(path, {"b": 1, "a": "\n"})
    append_json(path, {"c": 2})
    assert path.read_bytes() == b'{"a":"\\n","b":1}\n{"c":2}\n'
    assert read_objects(path) == [{"b": 1, "a": "\n"}, {"c": 2}]


def test_a_torn_line_swallows_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n{"b"')
    append_json(path, {"c": 2})
    assert read_lines(path) == [b'{"a":1}', b'{"b"', b'{"c":2}']
    assert read_objects(path) == [{"a": 1}, {"c": 2}]


@pytest.mark.parametrize("line", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_object_is_none(line: bytes) -> None:
    assert parse_object(line) is None


def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda descriptor, content: len(content) - 1)
    with pytest.raises(OSError, match="No space left"):
        append_json(tmp_path / "a.jsonl", {})
