"""JSON with one row per line, so that a change to one case is one line of a git diff."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from components.records.files import canonical_json

MOST_HEADER_LINES = 100


class OtherLayout(ValueError):
    """The file is not laid out as `json_with_lines` does it; it may be good JSON all the same."""


def json_with_rows(header: Mapping[str, Any], key: str, rows: Iterable[Any]) -> bytes:
    """A JSON object: each entry of `header` on a line, then `key`: each of `rows` on a line."""
    return json_with_lines(header, key, (canonical_json(row) for row in rows))


def json_with_lines(header: Mapping[str, Any], key: str, lines: Iterable[bytes]) -> bytes:
    """As `json_with_rows`, of rows that are canonical JSON already; they are read once."""
    out = io.BytesIO()
    out.write(b"{\n")
    for name, value in header.items():
        out.write(f"{json.dumps(name)}: {canonical_json(value).decode()},\n".encode())
    out.write(f"{json.dumps(key)}: [\n".encode())
    separator = b""
    for line in lines:
        out.write(separator)
        out.write(line)
        separator = b",\n"
    out.write(b"\n]\n}\n")
    return out.getvalue()


def split_lines(file: BinaryIO, key: str) -> tuple[str, Iterator[bytes]]:
    """The inverse of `json_with_lines`: the object with no row in it as JSON, and the rows.

    Raises:
      OtherLayout: here, or from the iterator, before its last row at the latest.
    """
    opening = f"{json.dumps(key)}: [\n".encode()
    head = []
    for line in file:
        head.append(line)
        if line == opening:
            return (b"".join(head) + b"]}").decode(), _rows(file)
        if len(head) == MOST_HEADER_LINES:
            break
    raise OtherLayout


def _rows(file: BinaryIO) -> Iterator[bytes]:
    for line in file:
        if line.endswith(b",\n"):
            yield line[:-2]
            continue
        if file.read(5) != b"]\n}\n":
            break
        yield line[:-1]
        return
    raise OtherLayout
