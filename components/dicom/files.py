"""The files of a folder, and which of them may be DICOM: what can be told without pydicom."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.records.errors import SourceError

PREAMBLE = 132  # bytes, the last four of which say what it is


@dataclass(frozen=True, slots=True)
class Found:
    """A file below a folder; `path` is relative, with POSIX separators."""

    path: str
    size: int
    changed_ns: int


def walk(root: Path) -> list[Found]:
    """The files below a folder, at any depth, in the order of their paths.

    Hidden files, links and special files are passed over.

    Raises:
      SourceError: a folder cannot be read.
    """
    try:
        return sorted(_below(root, ""), key=lambda found: found.path)
    except OSError as error:
        raise SourceError(f"{root}: a folder in it cannot be read: {error.strerror}") from None


def _below(root: Path, prefix: str) -> Iterator[Found]:
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _below(root, f"{path}/")
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                yield Found(path, status.st_size, status.st_mtime_ns)


def digest_of(files: Iterable[Found]) -> str:
    """SHA-256 (hex) over names, sizes and times."""
    digest = hashlib.sha256()
    for file in files:
        name = file.path.encode("utf-8", "surrogateescape")
        digest.update(b"%s\0%d %d\n" % (name, file.size, file.changed_ns))
    return digest.hexdigest()


def has_preamble(start: bytes) -> bool:
    """Whether a file of this beginning is DICOM for certain."""
    return start[PREAMBLE - 4 : PREAMBLE] == b"DICM"


def begins_as_dicom(start: bytes) -> bool:
    """Whether a file of this beginning may be DICOM: by its preamble, or its first element."""
    return has_preamble(start) or start[:2] in (b"\x02\x00", b"\x08\x00")
