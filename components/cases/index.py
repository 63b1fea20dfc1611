"""The index of the cases that were read: who is in which split, and what stands where it must not.

An index is a folder of files of JSON lines, a file per shard and a line per case, without pixels:
it outlives the images and is what the checks, the lock of the case set and the auditor work on.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.case_set import CaseSet, verify_cases
from components.cases.images import bytes_sha256, decode, pixels_sha256
from components.cases.odd import Oddity, find_oddities, find_turned
from components.cases.repeats import find_repeats
from components.cases.splits import SplitCheck, require_both_classes
from components.cases.traits import perceptual_hash
from components.records.case import (
    NEGATIVE,
    NOTHING_READ,
    POSITIVE,
    Case,
    CaseRecord,
    ReadAs,
    Shard,
)
from components.records.case_index import read_records
from components.records.errors import (
    AnomaliesFound,
    IntegrityError,
    LeakageFound,
    NothingEvaluated,
    SourceError,
)

NAMED = 5  # cases that an error spells out


def record_case(case: Case, digest: str | None = None, looks: str | None = None) -> CaseRecord:
    """The record of a case.

    Args:
      digest, looks: its pixel hash and its perceptual one, where the picture was decoded already.
    """
    if digest is None:
        digest = pixels_sha256(case.image)
        looks = perceptual_hash(decode(case.image)) if looks is None else looks
    return CaseRecord(
        *(case.case_id, case.patient_id, case.label),
        *(case.file_sha256 or bytes_sha256(case.image), digest),
        dict(case.attributes),
        perceptual_hash=looks or "",
    )


@dataclass(frozen=True)
class SplitCounts:
    """What an index says of a split.

    Attributes:
      repeated: cases whose picture stands earlier in the split already.
    """

    cases: int
    positives: int
    patients: int
    repeated: int


@dataclass(frozen=True)
class Leak:
    """A case of the case set that the training data know: `why` is the strongest reason."""

    case_id: str
    training_case_id: str
    why: str


# Strongest first: the same bytes are the same pixels, and those the same patient.
REASONS = ("same bytes", "same pixels", "same patient")


def check_index(splits: Mapping[str, Iterable[CaseRecord]]) -> dict[str, SplitCounts]:
    """Counts the cases of each split, and refuses an index that no run may use.

    Args:
      splits: split to its records, all of which are read once.

    Raises:
      SourceError: a case id stands twice, a patient is in two splits, a split lacks a class.
    """
    check = SplitCheck()
    counts = {}
    for split, records in splits.items():
        labels = {NEGATIVE: 0, POSITIVE: 0}
        patients, pictures = set(), set()
        for record in records:
            where = f"split '{split}': case '{record.case_id}'"
            check.add(where, split, record.patient_id, case_id=record.case_id)
            patients.add(record.patient_id)
            pictures.add(record.pixels_sha256)
            labels[record.label] += 1
        require_both_classes("index", split, (label for label, n in labels.items() if n))
        cases = sum(labels.values())
        counts[split] = SplitCounts(cases, labels[POSITIVE], len(patients), cases - len(pictures))
    return counts


def count_values(
    records: Iterable[CaseRecord], wanted: Iterable[Mapping[str, str]]
) -> dict[str, dict[str, int]]:
    """How many records have each value that occurs in `wanted`, by attribute.

    An attribute that no record has is left out: its absence says nothing of its values.

    Args:
      wanted: the attributes of each case of the case set.
    """
    counts: dict[str, dict[str, int]] = {}
    for attributes in wanted:
        for name, value in attributes.items():
            counts.setdefault(name, {})[value] = 0
    known: set[str] = set()
    for record in records:
        for name, value in record.attributes.items():
            known.add(name)
            if value in counts.get(name, ()):
                counts[name][value] += 1
    return {name: values for name, values in counts.items() if name in known}


def find_leakage(training: Iterable[CaseRecord], case_set: Iterable[CaseRecord]) -> list[Leak]:
    """The cases of the case set that stand in the training data, by bytes, pixels or patient.

    Each case is listed once, in the case set's order, with the first training case that shares
    its strongest reason. Training records are streamed: memory grows with the case set alone.
    Patients are compared by their ids, which mean something within one source only.
    """
    order: dict[str, None] = {}
    known: dict[tuple[str, str], list[str]] = {}
    for record in case_set:
        order[record.case_id] = None
        for key in _keys(record):
            known.setdefault(key, []).append(record.case_id)
    found: dict[str, tuple[int, str]] = {}
    for record in training:
        for strength, key in enumerate(_keys(record)):
            for case_id in known.get(key, ()):
                if case_id not in found or strength < found[case_id][0]:
                    found[case_id] = (strength, record.case_id)
    return [
        Leak(case_id, found[case_id][1], REASONS[found[case_id][0]])
        for case_id in order
        if case_id in found
    ]


def _keys(record: CaseRecord) -> tuple[tuple[str, str], ...]:
    """What a record can share with another one, in the order of REASONS."""
    values = (record.bytes_sha256, record.pixels_sha256, record.patient_id)
    return tuple(zip(REASONS, values, strict=True))


@dataclass(frozen=True)
class Intake:
    """A folder with `<split>-<shard>.jsonl`, `.npy` and `.bad` for every shard that was written.

    Attributes:
      shards: what was to be written.
      skip_bad_cases: how many unusable cases are tolerated.
    """

    folder: Path
    shards: tuple[Shard, ...]
    skip_bad_cases: int

    def records(self, split: str = "*") -> Iterator[CaseRecord]:
        """The written cases of a split (or all), streamed shard by shard."""
        for path in sorted(self.folder.glob(f"{split}-*.jsonl")):
            yield from read_records(path)

    def written(self) -> int:
        """How many shards are written; the file of its unusable cases is a shard's last."""
        return sum(1 for _ in self.folder.glob("*.bad"))

    def pictures(self) -> tuple[list[Oddity], list[Oddity]]:
        """What is odd of the written cases' pictures, and which of them were turned."""
        shards = [path.with_suffix(".npy") for path in sorted(self.folder.glob("*.jsonl"))]
        ids = [record.case_id for record in self.records()]
        return find_oddities(shards, ids), find_turned(shards, ids)

    def skipped(self) -> list[str]:
        """The unusable cases, "where: reason" each.

        Raises:
          IntegrityError: a shard is missing.
          SourceError: more unusable cases than are tolerated.
        """
        paths = sorted(self.folder.glob("*.bad"))
        written = {path.stem for path in self.folder.glob("*.jsonl")}
        if len(paths) != len(self.shards) or written != {path.stem for path in paths}:
            raise IntegrityError(
                f"{self.folder}: got {len(written)} shards, wanted {len(self.shards)}; run again"
            )
        found = []
        for path in paths:
            for line in path.read_text(encoding="utf-8").splitlines():
                where, reason = json.loads(line)
                found.append(f"{where}: {reason}")
        if len(found) > self.skip_bad_cases:
            more = f" (and {len(found) - NAMED} more)" if len(found) > NAMED else ""
            raise SourceError(
                f"{'; '.join(found[:NAMED])}{more}: {len(found)} unusable, "
                f"{self.skip_bad_cases} tolerated; mend them or pass --skip-bad-cases {len(found)}"
            )
        return found


def check_case_set(intake: Intake, lock: CaseSet) -> dict[str, Any]:
    """Counts, after making sure that the cases read are exactly the locked ones.

    Raises:
      IntegrityError: a case is missing, additional, relabelled or altered.
    """
    try:
        intake.skipped()
    except SourceError as error:
        raise IntegrityError(f"case set {lock.name}: {error}") from None
    verify_cases(lock, intake.records())
    if not lock.cases:
        raise NothingEvaluated(f"case set {lock.name}: holds no case; lock one that does")
    odd, turned = intake.pictures()
    found = find_repeats(lock.cases)  # of locks made before copies were refused, too
    copies = f"case set: {found.copies.total()} cases repeat the picture of another"
    return {
        "cases": len(lock.cases),
        "findings": [
            *([copies] if found.copies else []),
            *(f"case set: {clause}" for clause in found.clauses()),
            *(f"case set: {oddity.words}" for oddity in (*odd, *turned)),
        ],
    }


def check_training(
    intake: Intake,
    lock: CaseSet,
    *,
    leakage: str,
    odd_pictures: str = "report",
    near_duplicates: str = "report",
    least_tuning_positives: int = 1,
    read_as: ReadAs = NOTHING_READ,
) -> dict[str, Any]:
    """Counts per split, and the findings a report must carry.

    Args:
      leakage: "stop" raises on a case-set case in the training data, "report" lists it.
      odd_pictures: "stop" raises on a picture as none should be, "report" lists it.
      near_duplicates: "stop" raises on equal pictures, too, in train and tune or of two labels.
      least_tuning_positives: fewer cannot choose an operating point.
      read_as: how the source's names were read, which the report carries along.

    Raises:
      SourceError: too many unusable cases, duplicate ids, a split without both classes, or a
        patient in two splits.
      LeakageFound, AnomaliesFound: as above.
    """
    skipped = intake.skipped()
    counts = check_index({split: intake.records(split) for split in ("train", "tune")})
    tuning = counts["tune"]
    if tuning.positives < least_tuning_positives:
        raise SourceError(
            f"split 'tune': {tuning.positives} positive of {tuning.cases} cases to choose the "
            f"operating point on, wanted at least {least_tuning_positives}; carve it from the "
            "training patients with data.tune_from_train: 0.2, or add cases to tune on"
        )
    leaks = find_leakage(intake.records(), lock.cases)
    contradicting = find_repeats(intake.records(), beside=lock.cases)
    contradictions = contradicting.clauses()
    shared = find_leakage(intake.records("train"), intake.records("tune"))
    between = [_leaks_in_words(shared, "tuning cases")] if shared else []
    if leaks and leakage == "stop":
        raise LeakageFound(
            f"{'; '.join([_leaks_in_words(leaks), *contradictions])}; remove them from the "
            "training data, or set `leakage: report` in the policy if this published set is known "
            "to leak"
        )
    if near_duplicates == "stop" and (shared or contradicting.other_labels):
        raise LeakageFound(
            f"{'; '.join([*between, *contradictions])}; nothing was trained: remove one of each "
            "pair, or set `near_duplicates: report` in the policy"
        )
    odd, turned = intake.pictures()
    if odd and odd_pictures == "stop":
        raise AnomaliesFound(
            f"training data: {'; '.join(oddity.words for oddity in odd)}; nothing was trained: "
            "mend them, or set data.odd_pictures to report if they are right"
        )
    rows = sum(shard.stop - shard.start for shard in intake.shards)
    left_out = rows - len(skipped) - sum(count.cases for count in counts.values())
    repeated = {split: count.repeated for split, count in counts.items() if count.repeated}
    patients = f"{left_out} training cases left out: the same patient stands in tune"
    wanted = (case.attributes for case in lock.cases)
    return {
        **{split: dataclasses.asdict(count) for split, count in counts.items()},
        "trained_on": count_values(intake.records("train"), wanted),
        "leaks": [dataclasses.asdict(leak) for leak in leaks],
        "findings": [
            *read_as.lines,
            *(f"skipped {case}" for case in skipped),
            *([patients] if left_out else []),
            *([_leaks_in_words(leaks)] if leaks else []),
            *between,
            *(oddity.words for oddity in (*odd, *turned)),
            *(f"{n} pictures stand more than once in {split}" for split, n in repeated.items()),
            *contradictions,
        ],
    }


def _leaks_in_words(leaks: list[Leak], whose: str = "case-set cases") -> str:
    named = ", ".join(
        f"{leak.case_id} ({leak.why} as {leak.training_case_id})" for leak in leaks[:NAMED]
    )
    more = f" and {len(leaks) - NAMED} more" if len(leaks) > NAMED else ""
    return f"{len(leaks)} {whose} stand in the training data: {named}{more}"
