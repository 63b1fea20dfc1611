"""A folder of images with the manifest that describes them: a span, or what is proposed."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.cases.files import ImageFile
from components.cases.manifest import MANIFEST, OPTIONAL, REQUIRED
from components.records.files import write_atomically
from pipeline.feedback.images import Image

# A span's name is an attribute of its cases already.
_RESERVED = {*REQUIRED, *OPTIONAL, "span"}


@dataclass(frozen=True)
class ManifestRow:
    """A line of a manifest; `label` is positive or negative."""

    path: str
    label: str
    case_id: str
    patient_id: str
    split: str
    attributes: Mapping[str, str]


def row_of(file: ImageFile, split: str) -> ManifestRow:
    """A case that a manifest has already, with all that was left to its defaults spelled out."""
    label = "positive" if file.label else "negative"
    return ManifestRow(file.path, label, file.case_id, file.patient_id, split, file.attributes)


def image_path(image: Image, folder: str) -> str:
    """Named by what it shows, since an id may hold what no file name can."""
    return f"{folder}/{image.pixels_sha256[:32]}{image.suffix}"


def write_folder(
    folder: Path,
    rows: Sequence[ManifestRow],
    images: Mapping[str, Image],
    attributes: Sequence[str] | None = None,
) -> None:
    """Writes the manifest and the images of those rows that have one.

    Args:
      images: by path of a row.
      attributes: the columns there are to be for them; None makes one of each that a row has.
    """
    for path, image in images.items():
        write_atomically(folder / path, image.content)
    names = _names(rows) if attributes is None else attributes
    write_atomically(folder / MANIFEST, manifest_csv(rows, names).encode())


def manifest_csv(rows: Sequence[ManifestRow], names: Sequence[str]) -> str:
    """The manifest with these attributes; one that a case does not have is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*REQUIRED, *OPTIONAL, *names])
    for row in rows:
        said = [row.attributes.get(name, "") for name in names]
        writer.writerow([row.path, row.label, row.case_id, row.patient_id, row.split, *said])
    return stream.getvalue()


def served_attributes(served: Mapping[str, str]) -> dict[str, str]:
    """What a log says of a case, as it survives being written to a manifest."""
    return {
        name: " ".join(value.split())
        for name, value in served.items()
        if name and name == name.strip() and name.lower() not in _RESERVED
    }


def _names(rows: Sequence[ManifestRow]) -> list[str]:
    return sorted({name for row in rows for name in row.attributes})
