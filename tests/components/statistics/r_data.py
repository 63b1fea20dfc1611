"""Reads a data frame out of an installed R package, so that GPL data stay where they belong."""

import gzip
import os
import struct
import zlib
from pathlib import Path
from typing import Any

# Where Debian installs R packages; R itself looks in R_LIBS_SITE first.
DEBIAN = "/usr/lib/R/site-library"
NIL, REFERENCE, SYMBOL, PAIRS, CHARS, LISTING = 0xFE, 0xFF, 1, 2, 9, 19
LOGICAL, INTEGERS, REALS, STRINGS = 10, 13, 14, 16


def package_folder(package: str) -> Path | None:
    """The folder of an installed R package, None where there is none."""
    libraries = [*os.environ.get("R_LIBS_SITE", "").split(os.pathsep), DEBIAN]
    found = [Path(library, package) for library in libraries if library]
    return next((folder for folder in found if (folder / "data" / "Rdata.rdb").exists()), None)


def data_frame(package: Path, name: str) -> dict[str, list]:
    """Columns by name; a factor comes as its labels."""
    index = (package / "data" / "Rdata.rdx").read_bytes()
    [variables, *_], _ = _Reader(gzip.decompress(index)).item()
    places, attributes = variables
    start, length = dict(zip(attributes["names"][0], places))[name][0]
    content = (package / "data" / "Rdata.rdb").read_bytes()[start : start + length]
    columns, attributes = _Reader(zlib.decompress(content[4:])).item()
    return dict(zip(attributes["names"][0], [_column(column) for column in columns]))


def _column(column: tuple[list, dict]) -> list:
    values, attributes = column
    if "levels" in attributes:
        return [attributes["levels"][0][value - 1] for value in values]
    return values


class _Reader:
    """R's serialization, version 3, big-endian: each item is (values, attributes)."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 2  # after "X\n"
        _version, _writer, _reader, encoding = self.numbers("i", 4)
        self.at += encoding
        self.seen: list[str] = []

    def numbers(self, kind: str, count: int) -> tuple:
        format_ = f">{count}{kind}"
        numbers = struct.unpack_from(format_, self.content, self.at)
        self.at += struct.calcsize(format_)
        return numbers

    def item(self) -> Any:
        (flags,) = self.numbers("I", 1)
        kind, has_attributes = flags & 0xFF, bool(flags & 0x200)
        if kind == NIL:
            return [], {}
        if kind == REFERENCE:
            return self.seen[(flags >> 8) - 1]
        if kind == SYMBOL:
            self.seen.append(self.item())
            return self.seen[-1]
        if kind == PAIRS:
            return self.pairs(flags)
        (count,) = self.numbers("i", 1)
        if kind == CHARS:
            self.at += max(count, 0)
            return self.content[self.at - max(count, 0) : self.at].decode() if count >= 0 else None
        values: list
        if kind in (INTEGERS, LOGICAL):
            values = list(self.numbers("i", count))
        elif kind == REALS:
            values = list(self.numbers("d", count))
        elif kind in (STRINGS, LISTING):
            values = [self.item() for _ in range(count)]
        else:
            raise ValueError(f"R data: unknown item type {kind}")
        return values, self.item() if has_attributes else {}

    def pairs(self, flags: int) -> dict[str, Any]:
        """Attributes: a linked list of names and values."""
        found = {}
        while flags & 0xFF == PAIRS:
            name = self.item()
            found[name] = self.item()
            (flags,) = self.numbers("I", 1)
        return found
