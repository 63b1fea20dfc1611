"""The files of a prediction log, read line by line while a server may be writing to them."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from components.drift.log_line import MOST_BYTES
from components.records.errors import SourceError

PLAIN, PACKED = ".jsonl", ".jsonl.gz"


@dataclass(frozen=True)
class LogFile:
    """A file as far as it was read.

    Attributes:
      lines: whole ones.
      sha256: of these lines, unpacked.
      unfinished: whether a last line without its line feed was left for the next time.
    """

    name: str
    lines: int
    sha256: str
    unfinished: bool


def log_files(path: Path) -> tuple[Path, ...]:
    """The file, or the .jsonl and .jsonl.gz files of a folder by name, each once.

    A packed file whose unpacked one is still there is left out: it may be half written.

    Raises:
      SourceError: there is none, or the folder cannot be read.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise SourceError(
            f"{path}: got no such file or folder, wanted a prediction log; name it with --log, or "
            "as monitoring.log in the configuration"
        )
    try:
        found = sorted(
            entry
            for entry in path.iterdir()
            if entry.name.endswith((PLAIN, PACKED)) and entry.is_file()
        )
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    kept = [
        entry
        for entry in found
        if not (entry.name.endswith(PACKED) and entry.with_suffix("") in found)
    ]
    if not kept:
        raise SourceError(f"{path}: got no {PLAIN} or {PACKED} file, wanted a prediction log")
    return tuple({entry.resolve(): entry for entry in kept}.values())


class LogReading:
    """The lines of one file; what it came to stands in `result` when they were all read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = 0
        self._digest = hashlib.sha256()
        self._unfinished = False

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Number and content of each whole line; of one that is far too long, only its beginning.

        Raises:
          SourceError: the file cannot be read to its end.
        """
        try:
            with self._opened() as file:
                yield from self._read(file)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceError(
                f"{self.path}:{self._lines + 1}: cannot be read: {reason}; nothing was compared"
            ) from None

    def result(self) -> LogFile:
        return LogFile(self.path.name, self._lines, self._digest.hexdigest(), self._unfinished)

    def _opened(self) -> BinaryIO:
        if self.path.name.endswith(".gz"):
            return gzip.open(self.path, "rb")  # type: ignore[return-value]
        return self.path.open("rb")

    def _read(self, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        most = MOST_BYTES + 2  # one more than may be, and the line feed
        while line := file.readline(most):
            digest = self._digest.copy()
            digest.update(line)
            piece = line
            while piece and not piece.endswith(b"\n"):
                piece = file.readline(most)
                digest.update(piece)
            if not piece:
                self._unfinished = True
                return
            self._digest = digest
            self._lines += 1
            yield self._lines, line
