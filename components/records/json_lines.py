"""Files of JSON lines that are only added to; what a crash left of one stays a line of its own."""

import errno
import json
import os
from pathlib import Path
from typing import Any

from components.records.files import canonical_json, sync


def append_json(path: Path, tree: dict[str, Any]) -> None:
    """Adds a line, on disk when this returns; for one writer at a time.

    Raises:
      OSError: also where the disk is full.
    """
    append_line(path, canonical_json(tree))


def append_line(path: Path, line: bytes) -> None:
    """As `append_json`, of a line without its line feed."""
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        # A line that a crash or a full disk cut short must not swallow this one.
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        content = b"\n" * torn + line + b"\n"
        if os.write(descriptor, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        sync(path.parent)


def read_lines(path: Path) -> list[bytes]:
    """The lines that are not blank; none where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return [line for line in content.split(b"\n") if line.strip()]


def parse_object(line: bytes) -> dict[str, Any] | None:
    """The object that a line spells; None where it is none."""
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def read_objects(path: Path) -> list[dict[str, Any]]:
    """The objects that the lines spell, oldest first, without what is none."""
    return [tree for line in read_lines(path) if (tree := parse_object(line)) is not None]
