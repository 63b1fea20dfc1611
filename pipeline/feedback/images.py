"""Images of served cases, found by what they show and never by their names."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.cases.files import IMAGE_SUFFIXES, read_limited
from components.cases.images import bytes_sha256, pixels_sha256
from components.records.errors import SourceError
from components.records.files import write_atomically

_PNG = b"\x89PNG"


@dataclass(frozen=True)
class Image:
    """An encoded image and its hashes in hex."""

    content: bytes
    bytes_sha256: str
    pixels_sha256: str

    @property
    def suffix(self) -> str:
        """By its first bytes: what decodes is one of the two."""
        return ".png" if self.content.startswith(_PNG) else ".jpg"


def read_image(path: Path) -> Image:
    """The image in a file; SourceError where it cannot be read or is no usable image."""
    try:
        content = read_limited(path)
        return Image(content, bytes_sha256(content), pixels_sha256(content))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None


def keep_image(image: Image, folder: Path) -> None:
    """Keeps a copy under the name of what it shows; the first one that was given stays."""
    if not any(folder.glob(f"{image.pixels_sha256}.*")):
        write_atomically(folder / f"{image.pixels_sha256}{image.suffix}", image.content)


def find_images(
    wanted: Mapping[str, Path | None], kept: Path, further: Path | None
) -> dict[str, Image]:
    """Images by pixel hash, each decoded and hashed anew: what a file shows is what counts.

    Args:
      wanted: pixel hash to where the image may be, besides; None where that is not known.
      further: any folder of images, searched below it for what is still missing.
    """
    found: dict[str, Image] = {}
    for sha256, place in sorted(wanted.items()):
        for path in [*sorted(kept.glob(f"{sha256}.*")), *([place] if place else [])]:
            _take(path, {sha256}, found)
    for path in sorted(further.rglob("*")) if further else ():
        left = wanted.keys() - found.keys()
        if left and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            _take(path, left, found)
    return found


def _take(path: Path, wanted: Collection[str], found: dict[str, Image]) -> None:
    try:
        image = read_image(path)
    except SourceError:
        return  # the case is left out and listed, which says more than this file would
    if image.pixels_sha256 in wanted:
        found.setdefault(image.pixels_sha256, image)
