"""Cases that are image files in a folder: how one is read, and how all are fingerprinted."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.cases.images import decode
from components.cases.reading import Reading
from components.cases.splits import cut_shards
from components.records.case import BadCase, Case, ReadAs, Shard
from components.records.errors import SourceError
from components.records.files import sha256_file

MANIFEST = "manifest.csv"
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

    def read(self, root: Path) -> Case | BadCase:
        """The case in the file below `root`, or why it cannot be used."""
        return read_image_file(root, self)


@dataclass(frozen=True)
class FileListing:
    """The files of each split, and how their names were read."""

    files: Mapping[str, Sequence[ImageFile]]
    read_as: ReadAs


def read_image_file(root: Path, file: ImageFile) -> Case | BadCase:
    """The case in a file, or why it cannot be used. The image has been decoded to see."""
    if not file.path.isprintable():
        return BadCase(ascii(file.path), "unprintable characters in the file name; rename it")
    if not file.is_image:
        return BadCase(file.path, f"not an image file; wanted {', '.join(IMAGE_SUFFIXES)}")
    try:
        image = read_limited(root / file.path)
        decode(image)
    except OSError as error:
        return BadCase(file.path, f"cannot be read: {error.strerror}")
    except SourceError as error:
        return BadCase(file.path, str(error))
    return Case(file.case_id, file.patient_id, file.label, image, file.attributes)


def read_limited(path: Path) -> bytes:
    """What is in a regular file of at most MAX_FILE_BYTES.

    Raises:
      OSError: it cannot be read.
      SourceError: it is larger, or no such file; says why and not where.
    """
    # Opening a pipe would wait for ever.
    if path.exists() and not path.is_file():
        raise SourceError("not a regular file")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise SourceError(f"{size:,} bytes; at most {MAX_FILE_BYTES:,}")
    return path.read_bytes()


def cache_folder() -> Path:
    """Where what can be fetched or made again is kept: $CASEGATE_CACHE, or ~/.cache/casegate."""
    return Path(os.environ.get("CASEGATE_CACHE") or "~/.cache/casegate").expanduser()


def file_sha256(path: Path) -> str:
    """As `sha256_file`, but SourceError where the file cannot be read."""
    try:
        return sha256_file(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None


def files_sha256(root: Path, paths: Iterable[str]) -> str:
    """SHA-256 (hex) over the sorted (relative path, SHA-256 of the bytes) of files.

    The manifest of the folder, where there is one, counts along.

    Raises:
      SourceError: a file cannot be read.
    """
    manifest = {MANIFEST} if (root / MANIFEST).is_file() else set()
    digest = hashlib.sha256(b"casegate-files-v1\n")
    for path in sorted({*paths} | manifest):
        # No path holds a zero byte, so no two lists of files give the same text.
        encoded = path.encode("utf-8", "surrogateescape")
        digest.update(encoded + b"\0" + file_sha256(root / path).encode() + b"\0")
    return digest.hexdigest()


def fingerprint_as_read(content_sha256: str, reading: Reading) -> str:
    """The hash of a source's content; another where a person said how to read it."""
    if not reading.changed:
        return content_sha256
    return hashlib.sha256(f"{content_sha256}\0{reading.to_json()}".encode()).hexdigest()


@dataclass(frozen=True)
class FileSource:
    """Cases of a folder of images; made by `open_folder` or `open_manifest`, which check it.

    Attributes:
      list_files: of the folder at `path`, which is no span.
    """

    path: Path
    spec: str
    name: str
    list_files: Callable[[Path, str, Reading], FileListing]
    reading: Reading
    read_as: ReadAs
    synthetic: bool = False

    def fingerprint(self) -> str:
        """As `files_sha256` of all its files, and how they are read where that was said."""
        paths = (file.path for files in self._files().values() for file in files)
        return fingerprint_as_read(files_sha256(self.path, paths), self.reading)

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        return cut_shards(split, len(self._files().get(split, ())), cases_per_shard)

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        for file in self._files()[shard.split][shard.start : shard.stop]:
            yield read_image_file(self.path, file)

    def _files(self) -> Mapping[str, Sequence[ImageFile]]:
        return self.list_files(self.path, "", self.reading).files
