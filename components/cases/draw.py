"""Writes a source's training data as a folder of images with a manifest, the way a span arrives.

It lets people try spans, and what watches served images, before they have data of their own.
"""

import csv
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.cases.columns import OPTIONAL, REQUIRED
from components.cases.files import MANIFEST
from components.records.case import BadCase, Case, Source
from components.records.errors import SourceError
from components.records.files import sync, sync_tree, writing_to

IMAGES = "images"
_SPLITS = ("train", "tune")
_JPEG = b"\xff\xd8"
_FIXED = ("path", "label", "case_id", "patient_id")


@dataclass(frozen=True)
class Drawn:
    """What was written."""

    cases: int
    positives: int
    patients: int


def draw(
    source: Source, folder: Path, *, progress: Callable[[int, int], None] = lambda done, of: None
) -> Drawn:
    """Writes the training and tuning cases of a source into a new folder.

    Images are written as they are, byte for byte. The manifest has no split: the patient's id
    decides it wherever the folder is read, so that it holds for all spans together. The folder
    gets its name last; whoever looks for spans never sees half of one.

    Args:
      progress: called with how many cases are written, and of how many.

    Raises:
      SourceError: something of that name is there, a case cannot be used, or nothing can be
        written.
    """
    if os.path.lexists(folder):
        raise SourceError(f"{folder}: is there already; wanted the name of a new folder")
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        with writing_to(folder, kind=SourceError):
            (temporary / IMAGES).mkdir(parents=True)
            drawn = _write(source, temporary, progress)
            sync_tree(temporary)
            temporary.rename(folder)
            sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return drawn


def _write(source: Source, folder: Path, progress: Callable[[int, int], None]) -> Drawn:
    of = sum(shard.stop - shard.start for split in _SPLITS for shard in source.shards(split))
    rows: list[dict[str, str]] = []
    for number, case in enumerate(_cases(source), 1):
        suffix = "jpg" if case.image.startswith(_JPEG) else "png"
        path = f"{IMAGES}/{number:06d}.{suffix}"
        (folder / path).write_bytes(case.image)
        fixed = dict(zip(_FIXED, (path, str(case.label), case.case_id, case.patient_id)))
        rows.append({**case.attributes, **fixed})
        progress(number, of)
    known = {*REQUIRED, *OPTIONAL}
    attributes = dict.fromkeys(name for row in rows for name in row if name not in known)
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(
            stream, [*_FIXED, *attributes], restval="", extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)
    positives = sum(row["label"] == "1" for row in rows)
    return Drawn(len(rows), positives, len({row["patient_id"] for row in rows}))


def _cases(source: Source) -> Iterator[Case]:
    for split in _SPLITS:
        for shard in source.shards(split):
            for case in source.read(shard):
                if isinstance(case, BadCase):
                    raise SourceError(f"{case.where}: {case.reason}; nothing was written")
                yield case
