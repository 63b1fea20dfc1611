"""What data are and how they will be read, before anything is trained: files, groups, pictures.

Every file is read as a run would read it, so that what would be refused is found. DICOM needs no
labels for that.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.baselines.case_set import LABELS
from components.cases.dicom_folder import is_dicom_folder
from components.cases.files import IMAGE_SUFFIXES, ImageFile, read_image_file
from components.cases.images import decode
from components.cases.reading import Reading
from components.cases.sources import open_source
from components.records.case import SPLITS, BadCase, Case, Source
from components.records.errors import SourceError

PICTURES = 12  # of each group
CASE, LEFT_OUT, REFUSED = "case", "left out", "refused"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Seen:
    """A file or row, as a run would take it.

    Attributes:
      what: what it is, such as "DX CHEST PA" or "train, positive".
      how: how it is read, such as "MONOCHROME1, 15 of 16 bits, JPEG 2000"; empty where it is not.
      name: the id of its case, or what a run calls it.
      reason: why it is left out or refused; empty for a case.
      path: relative to the folder; may hold a patient's name.
      image: encoded; None where it is no case.
    """

    becomes: str
    what: str
    how: str = ""
    name: str = ""
    reason: str = ""
    path: str = ""
    image: bytes | None = None


@dataclass
class Inspection:
    """What was seen.

    Attributes:
      groups: how many are alike in what they become, what they are, and how they are read.
      refused: all of them.
      pictures: the first of each group.
    """

    spec: str
    notes: tuple[str, ...] = ()
    groups: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    refused: list[Seen] = field(default_factory=list)
    pictures: list[Seen] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        group = (seen.becomes, seen.what, seen.how)
        self.groups[group] += 1
        if seen.becomes == REFUSED:
            self.refused.append(seen)
        elif seen.image is not None and self.groups[group] <= PICTURES:
            self.pictures.append(seen)

    def as_json(self, *, paths: bool) -> dict[str, Any]:
        """For machines; without pictures."""
        return {
            "source": self.spec,
            "notes": list(self.notes),
            "groups": [
                {"becomes": becomes, "what": what, "how": how, "files": number}
                for (becomes, what, how), number in sorted(self.groups.items())
            ],
            "refused": [
                {"case": seen.name, "why": seen.reason, **({"path": seen.path} if paths else {})}
                for seen in self.refused
            ],
        }


def inspect_source(
    spec: str, reading: Reading, progress: Progress = lambda done, of: None
) -> Inspection:
    """Everything that a file, a folder or another source has.

    Raises:
      SourceError: it is no source, or cannot be opened as one.
    """
    path = Path(spec).expanduser()
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        found = Inspection(spec)
        read = read_image_file(path.parent, ImageFile(path.name, path.stem, "", 0, {}))
        found.add(_seen(read, "image", path.name))
        return found
    if path.is_file() and path.suffix.lower() != ".npz":
        return _dicom(path.parent, spec, reading, progress, files=(path.name,))
    if path.is_dir() and is_dicom_folder(path):
        return _dicom(path, spec, reading, progress)
    return _source(open_source(spec, reading), progress)


def _source(source: Source, progress: Progress) -> Inspection:
    found = Inspection(source.spec, source.read_as.lines)
    shards = [shard for split in SPLITS for shard in source.shards(split)]
    of = sum(shard.stop - shard.start for shard in shards)
    for shard in shards:
        for case in source.read(shard):
            label = f", {LABELS[case.label]}" if isinstance(case, Case) else ""
            found.add(_seen(case, f"{shard.split}{label}"))
            progress(sum(found.groups.values()), of)
    return found


def _seen(case: Case | BadCase, what: str, path: str = "", how: str = "") -> Seen:
    if isinstance(case, BadCase):
        return Seen(REFUSED, what, how, case.where, case.reason, path)
    return Seen(CASE, what, how or _how(case.image), case.case_id, "", path, case.image)


def _how(image: bytes) -> str:
    samples = decode(image)
    kind = "PNG" if image.startswith(b"\x89PNG") else "JPEG"
    return f"{kind}, {'grey' if samples.ndim == 2 else 'colour'}, {8 * samples.itemsize} bits"


def _dicom(
    root: Path,
    spec: str,
    reading: Reading,
    progress: Progress,
    files: tuple[str, ...] | None = None,
) -> Inspection:
    from components.cases.dicom import DicomFile, found_in, read_facts, refusal_of
    from components.dicom.facts import refuse_identifiers, why_left_out
    from components.dicom.files import walk
    from components.dicom.index import NOT_DICOM, read_ahead
    from components.dicom.pixels import PIPELINE

    refuse_identifiers(reading.dicom.attributes)
    root = root.resolve()
    listed = walk(root) if files is None else found_in(root, files)
    if len(listed) == 1 and files:
        ((_, facts),) = read_facts(root, reading.dicom, listed)
        if facts.other == NOT_DICOM:
            raise SourceError(f"{spec}: not an image, not DICOM and no .npz; wanted one of them")

    def look(pair: Any) -> Seen:
        file, facts = pair
        words = (facts.modality, facts.body_part, facts.view)
        reason = why_left_out(facts, reading.dicom)
        if reason:
            return Seen(LEFT_OUT, reason, "", facts.case_id, reason, file.path)
        what = " ".join(filter(None, words)) or "DICOM"
        refusal = refusal_of(facts, facts.patient_id, reading.dicom)
        row = DicomFile(file.path, facts.case_id, "", 0, {}, file, refusal)
        return _seen(row.read(root), what, file.path, facts.how)

    found = Inspection(spec, (f"DICOM, read by {PIPELINE}",))
    for number, seen in enumerate(read_ahead(look, read_facts(root, reading.dicom, listed)), 1):
        found.add(seen)
        progress(number, len(listed))
    return found
