"""Cases that are DICOM files: in a folder, at any depth and under any names.

A file's path often is a patient's name, so nothing of it is shown: a case is named by a keyed hash
of its SOPInstanceUID. What is no chest radiograph is left out, and counted by what it is.
"""

import functools
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from components.cases.container import write_png
from components.cases.dicom_folder import is_in_classes
from components.cases.files import MANIFEST, ImageFile, cache_folder
from components.cases.folder import class_folders, is_carved, split_of_folder
from components.cases.images import bytes_sha256
from components.cases.label_table import KIND, PATH, Labelled, LabelLookup, LabelTable, read_labels
from components.cases.reading import PLAIN, Reading
from components.cases.splits import (
    TRAIN_TUNE,
    SplitCheck,
    cut_shards,
    require_both_classes,
)
from components.dicom.admission import Admission
from components.dicom.facts import (
    FileFacts,
    parse_dataset,
    refuse_identifiers,
    why_left_out,
)
from components.dicom.files import Found, digest_of, walk
from components.dicom.index import FactsIndex, read_ahead
from components.dicom.pixels import PIPELINE, read_pixels
from components.dicom.pseudonyms import site_pseudonyms
from components.records.case import SPLITS, BadCase, Case, ReadAs, Shard, canonical_row
from components.records.errors import SourceError

LABELS = "labels.csv"
_TABLES = (LABELS, MANIFEST)
_KEPT = 2  # listings: of the training data and of the case set


@dataclass(frozen=True)
class DicomFile(ImageFile):
    """A DICOM file that should hold the picture of a case.

    Attributes:
      refusal: why it cannot be used, as far as its header tells; empty where it can.
    """

    found: Found
    refusal: str

    @property
    def is_image(self) -> bool:
        return not self.refusal

    def read(self, root: Path) -> Case | BadCase:
        """The case as `PIPELINE` reads it, a 16-bit grey PNG."""
        if self.refusal:
            return BadCase(self.case_id, self.refusal)
        try:
            content = (root / self.path).read_bytes()
            dataset = parse_dataset(io.BytesIO(content), pixels=True)
            if dataset is None or self.case_id != site_pseudonyms(make=False).of(
                KIND["SOPInstanceUID"], str(dataset.get("SOPInstanceUID", ""))
            ):
                return BadCase(self.case_id, "changed while it was read; run again")
            image = write_png(read_pixels(dataset), stored=True)
        except OSError as error:
            return BadCase(self.case_id, f"cannot be read: {error.strerror}")
        except SourceError as error:
            return BadCase(self.case_id, str(error))
        return Case(
            self.case_id,
            self.patient_id,
            self.label,
            image,
            self.attributes,
            file_sha256=bytes_sha256(content),
        )


@dataclass(frozen=True)
class Listing:
    """What a folder's files are.

    Attributes:
      digest: over their names, sizes and times, and the table of labels.
    """

    digest: str
    by_split: Mapping[str, Sequence[DicomFile]]
    read_as: ReadAs


def _read_as(labels: LabelTable, left_out: Mapping[str, int]) -> ReadAs:
    notes = [f"DICOM, read by {PIPELINE}"]
    if left_out:
        notes.append(f"left out: {counts_in_words(left_out)}")
    if labels.ignored:
        notes.append(f"columns of the table of labels not read: {', '.join(labels.ignored)}")
    return ReadAs(labels.labels, notes=tuple(notes))


def counts_in_words(counts: Mapping[str, int]) -> str:
    """Such as: 3 files (2 structured report, 1 view LL)."""
    parts = (f"{number:,} {what}" for what, number in sorted(counts.items()))
    files = sum(counts.values())
    return f"{files:,} file{'' if files == 1 else 's'} ({', '.join(parts)})"


@dataclass(frozen=True)
class DicomSource:
    """Cases of DICOM files; made by `open_dicom`, which checks them.

    Attributes:
      files: which below `path` are meant; None for all.
      digest: of the listing that was checked.
      secret: tells the site's secret from another.
    """

    path: Path
    spec: str
    name: str
    reading: Reading
    digest: str
    secret: str
    read_as: ReadAs
    files: tuple[str, ...] | None = None
    synthetic: bool = False

    def fingerprint(self) -> str:
        """SHA-256 over every case as it is named and labelled here, and the bytes of its file."""
        listing = self._listing()
        rows = [(split, file) for split in SPLITS for file in listing.by_split[split]]
        sums = _index(self.path, self.reading.dicom).sums([file.found for _, file in rows])
        said = (
            [split, file.case_id, file.patient_id, file.label, dict(file.attributes), sha256]
            for (split, file), sha256 in zip(rows, sums, strict=True)
        )
        return bytes_sha256(b"".join(canonical_row(row) + b"\n" for row in said))

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        return cut_shards(split, len(self._listing().by_split.get(split, ())), cases_per_shard)

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        """The shard's cases in order; the next ones are decoded meanwhile, on every core."""
        files = self._listing().by_split[shard.split][shard.start : shard.stop]
        return read_ahead(lambda file: file.read(self.path), files)

    def _listing(self) -> Listing:
        if site_pseudonyms(make=False).id != self.secret:
            raise SourceError(
                f"{self.spec}: this process has another site secret than the run; give every "
                "worker the same"
            )
        listing = list_dicom(self.path, self.reading, files=self.files, digest=self.digest)
        if listing.digest != self.digest:
            raise SourceError(f"{self.spec}: changed while it was read; run again")
        return listing


def open_dicom(
    path: Path,
    spec: str,
    reading: Reading = PLAIN,
    *,
    name: str = "",
    files: tuple[str, ...] | None = None,
) -> DicomSource:
    """The source in a folder of DICOM files.

    Args:
      name: chooses the baseline; empty for the folder's.
      files: which of those below the folder are meant, relative; None for all.

    Raises:
      SourceError: no picture is left; one has no label, or two; a row of the table has none; a
        patient is in two splits; a split lacks a class.
    """
    refuse_identifiers(reading.dicom.attributes)
    root = path.resolve()
    listing = list_dicom(root, reading, files=files)
    for split, cases in listing.by_split.items():
        require_both_classes(spec, split, (case.label for case in cases if case.is_image))
    return DicomSource(
        root,
        spec,
        name or root.name,
        reading,
        listing.digest,
        site_pseudonyms(make=True).id,
        listing.read_as,
        files,
    )


_listings: dict[tuple[Any, ...], Listing] = {}


def list_dicom(
    root: Path,
    reading: Reading,
    *,
    files: tuple[str, ...] | None = None,
    digest: str = "",
) -> Listing:
    """The files of each split, in the order of their paths.

    Args:
      digest: a listing of this digest will do, without a look at the folder.
    """
    key = (root, reading, site_pseudonyms(make=True).id)
    if digest and (key, digest) in _listings:
        return _listings[key, digest]
    found = walk(root) if files is None else found_in(root, files)
    table = _table_of(root, reading.dicom)
    content = table.read_bytes() if table.is_file() else b""
    digest = bytes_sha256(digest_of(found).encode() + content)
    if (key, digest) not in _listings:
        while len(_listings) >= _KEPT:
            _listings.pop(next(iter(_listings)))
        facts_of_files = read_facts(root, reading.dicom, found)
        if table.is_file() or not is_in_classes(root):
            labels = _labels(table, root, reading)
        else:
            labels, reading = _labels_of_folders(root, found, reading)
        _listings[key, digest] = _listing(str(root), digest, reading, facts_of_files, labels)
    return _listings[key, digest]


def found_in(root: Path, files: Iterable[str]) -> list[Found]:
    """These files below a folder.

    Raises:
      SourceError: one is not there.
    """
    try:
        states = [(path, (root / path).stat()) for path in files]
    except OSError as error:
        raise SourceError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return [Found(path, state.st_size, state.st_mtime_ns) for path, state in states]


def read_facts(
    root: Path, admission: Admission, found: Sequence[Found]
) -> Iterator[tuple[Found, FileFacts]]:
    """Each file with its header, but for the tables of labels."""
    return _index(root, admission).facts([file for file in found if file.path not in _TABLES])


def _index(root: Path, admission: Admission) -> FactsIndex:
    return FactsIndex(root, admission, site_pseudonyms(make=True), cache_folder())


def _table_of(root: Path, admission: Admission) -> Path:
    if admission.labels:
        return Path(admission.labels)
    return next((root / name for name in _TABLES if (root / name).is_file()), root / LABELS)


def _labels(table: Path, root: Path, reading: Reading) -> LabelTable:
    if not table.is_file():
        raise SourceError(
            f"{root}: DICOM without labels; wanted {LABELS} in it, data.dicom.labels, or "
            "train/ and test/ with a folder for each class"
        )
    return read_labels(table, site_pseudonyms(make=True), reading)


def _labels_of_folders(
    root: Path, found: Iterable[Found], reading: Reading
) -> tuple[LabelTable, Reading]:
    """What class folders say of the files below them, and how tuning cases are had."""
    try:
        folders = dict(class_folders(root, reading))
    except OSError as error:
        raise SourceError(f"{error.filename}: cannot be read: {error.strerror}") from None
    carve, rows = is_carved(folders.items(), reading), {}
    for file in found:
        folder = "/".join(file.path.split("/")[:2])
        if folder in folders:
            label, split = folders[folder], split_of_folder(folder)
            left_out = "in a class left out" if label is None else ""
            if carve and split == "tune":
                left_out = "in the folder to tune on"
            where = str(root / folder)
            rows[file.path] = Labelled(where, label or 0, left_out, split, "", {})
    if carve and reading.tune_from_train is None:
        reading = replace(reading, tune_from_train=TRAIN_TUNE["tune"])
    labels = {PurePosixPath(folder).name: label for folder, label in folders.items()}
    return LabelTable(PATH, rows, labels, ()), reading


def _listing(
    where: str,
    digest: str,
    reading: Reading,
    facts_of_files: Iterable[tuple[Found, FileFacts]],
    labels: LabelTable,
) -> Listing:
    left_out: Counter[str] = Counter()
    by_split: dict[str, list[DicomFile]] = {split: [] for split in SPLITS}
    check, lookup = SplitCheck(), LabelLookup(labels)
    for found, facts in facts_of_files:
        reason = why_left_out(facts, reading.dicom)
        row = lookup.row(found, facts, is_case=not reason)
        if row and row.left_out:
            reason = reason or row.left_out
        if reason:
            left_out[reason] += 1
        elif row or facts.fault:
            split, file = _file(found, facts, row, reading)
            check.add(f"{where}: case {file.case_id}", split, file.patient_id, case=file.case_id)
            by_split[split].append(file)
    lookup.finish(where)
    if not any(by_split.values()):
        raise SourceError(
            f"{where}: no picture is left: {counts_in_words(left_out)} left out; admit more by "
            "data.dicom"
        )
    return Listing(digest, by_split, _read_as(labels, left_out))


def _file(
    found: Found, facts: FileFacts, row: Labelled | None, reading: Reading
) -> tuple[str, DicomFile]:
    patient = (row.patient_id or facts.patient_id) if row else ""
    # A file that cannot be read needs no row; training data may be allowed to have some.
    row = row or Labelled("", 0, "", "train", "", {})
    refusal = refusal_of(facts, patient, reading.dicom)
    patient = patient or facts.case_id
    attributes = _kept_once(tuple({**facts.attributes, **row.attributes}.items()))
    file = DicomFile(found.path, facts.case_id, patient, row.label, attributes, found, refusal)
    return reading.split_of(patient, row.split), file


# Cases of one device and age are many; equal attributes become one mapping.
@functools.lru_cache(10_000)
def _kept_once(attributes: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return dict(attributes)


def refusal_of(facts: FileFacts, patient: str, admission: Admission) -> str:
    """Why an admitted file cannot be used, as far as its header tells; empty where it can."""
    if facts.fault:
        return facts.fault
    if not patient:
        return "no PatientID; give the table of labels a column patient_id"
    if facts.burned_in and not admission.burned_in:
        return "BurnedInAnnotation is YES; data.dicom.burned_in admits it"
    return ""
