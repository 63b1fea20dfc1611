"""A file of a bundle, in memory, for the readers that want a path.

What a bundle says is read by the same functions as what a workspace holds, so that both are held
to the same rules; and nothing of it touches the disk.
"""

import io
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast


class BundleMember:
    """As much of `pathlib.Path` as those readers use."""

    def __init__(self, name: str, content: bytes) -> None:
        self._name = PurePosixPath(name)
        self._content = content

    def __str__(self) -> str:
        return str(self._name)

    @property
    def name(self) -> str:
        return self._name.name

    @property
    def stem(self) -> str:
        return self._name.stem

    def exists(self) -> bool:
        return True

    def read_bytes(self) -> bytes:
        return self._content

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._content.decode(encoding, errors)

    def open(self, mode: str = "rb") -> BinaryIO:
        assert mode == "rb"
        return io.BytesIO(self._content)


def as_path(name: str, content: bytes) -> Path:
    """The file as its readers' signatures have it; `name` is what their errors call it."""
    return cast(Path, BundleMember(name, content))
