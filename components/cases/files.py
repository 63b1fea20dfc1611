"""Cases that are image files in a folder: how one is read, and how they are fingerprinted."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.cases.images import decode
from components.records.case import BadCase, Case
from components.records.errors import SourceError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
MAX_FILE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class ImageFile:
    """A file that should hold the image of a case.

    Attributes:
      path: relative to the source's folder, POSIX separators.
      attributes, case_id, patient_id, label: as in `Case`.
    """

    path: str
    case_id: str
    patient_id: str
    label: int
    attributes: Mapping[str, str]

    @property
    def is_image(self) -> bool:
        return self.path.lower().endswith(IMAGE_SUFFIXES)


FilesBySplit = Mapping[str, Sequence[ImageFile]]


def read_image_file(root: Path, file: ImageFile) -> Case | BadCase:
    """The case in a file, or why it cannot be used. The image has been decoded to see."""
    if not file.path.isprintable():
        return BadCase(ascii(file.path), "unprintable characters in the file name; rename it")
    if not file.is_image:
        return BadCase(file.path, f"not an image file; wanted {', '.join(IMAGE_SUFFIXES)}")
    path = root / file.path
    try:
        # Opening a pipe would wait for ever.
        if not path.is_file():
            return BadCase(file.path, "not a regular file")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            return BadCase(file.path, f"{size:,} bytes; at most {MAX_FILE_BYTES:,}")
        image = path.read_bytes()
        decode(image)
    except OSError as error:
        return BadCase(file.path, f"cannot be read: {error.strerror}")
    except SourceError as error:
        return BadCase(file.path, str(error))
    return Case(file.case_id, file.patient_id, file.label, image, file.attributes)


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, read in pieces.

    Raises:
      SourceError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def files_sha256(root: Path, paths: Iterable[str]) -> str:
    """SHA-256 (hex) over the sorted (relative path, SHA-256 of the bytes) of files.

    Raises:
      SourceError: a file cannot be read.
    """
    digest = hashlib.sha256(b"casegate-files-v1\n")
    for path in sorted(paths):
        # No path holds a zero byte, so no two lists of files give the same text.
        encoded = path.encode("utf-8", "surrogateescape")
        digest.update(encoded + b"\0" + file_sha256(root / path).encode() + b"\0")
    return digest.hexdigest()
