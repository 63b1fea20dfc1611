"""Does the training data of a model know any image or patient of the case set that judged it.

The join is exact, between two lists whose Merkle roots the run recorded: so it can be made again by
anybody who has the two files, and does not rest on what the run said of itself. Nearly equal
pictures are joined by their perceptual hashes, where both lists have them; where the case set was
locked before there were any, what the run found is all there is.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from components.admission.likeness import near_pairs
from components.baselines.case_set import LockedCase
from components.lineage.record import RunRecord
from components.lineage.training import TrainingRow, manifest_path, read_manifest
from components.records.case import has_patient
from components.records.errors import IntegrityError
from components.records.files import sha256_file
from components.records.run_files import ADMISSION
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.questions.locked import LockedSet, locked_with_root
from pipeline.evidence.subject import Evidence, Subject

INDEPENDENT, NOT_INDEPENDENT, NOT_KNOWN = "independent", "not independent", "not known"
HERE, RUN = "here, from the hashes in both lists", "by the run"
FOUND = 1  # exit code: it is known, and it is bad
# Strongest first: the same bytes are the same pixels, and those the same patient.
SHARED = {
    "bytes_sha256": "same file",
    "pixels_sha256": "same picture",
    "patient_id": "same patient",
}


@dataclass
class Join:
    """What training data and case set share.

    Attributes:
      pairs: (case of the case set, training case, the strongest of SHARED), in training order.
      cases: for each key of SHARED, the ids of the case set's cases that share it.
      without_patient: training cases whose patient id says nothing (see `has_patient`).
    """

    pairs: list[tuple[LockedCase, TrainingRow, str]] = field(default_factory=list)
    cases: dict[str, set[str]] = field(default_factory=lambda: {key: set() for key in SHARED})
    training_cases: int = 0
    without_patient: int = 0


@dataclass
class NearJoin:
    """Nearly equal pictures of case set and training data.

    Attributes:
      pairs: id of the case, id and split of the training case, how far apart.
      by: who compared: HERE, the RUN, or "" for nobody.
      without: cases of either side that have no hash, so that nobody could.
    """

    pairs: list[tuple[str, str, str, str]] = field(default_factory=list)
    by: str = ""
    without: int = 0


def independence(evidence: Evidence, subject: Subject) -> Answer:
    """Joins the case set that judged a run with what its model was trained and tuned on."""
    record = evidence.record(subject.run_id)
    question = f"does the training data of {subject.name} know its case set"
    inputs = record.inputs
    facts: dict[str, Value] = {
        "run": record.run_id,
        "case set": inputs.case_set and f"{inputs.case_set}@{inputs.case_set_version}",
        "case set: Merkle root": inputs.case_set_root,
        "training data: Merkle root": inputs.training_root,
    }
    try:
        locked, join = _joined(evidence, record)
        near = _nearly_equal(evidence, record, locked)
    except IntegrityError as error:
        facts, notes = {"verdict": NOT_KNOWN, **facts}, (f"It cannot be known: {error}.",)
        return Answer(question, facts, notes=notes, exit_code=IntegrityError.exit_code)
    verdict = NOT_INDEPENDENT if join.pairs or near.pairs else INDEPENDENT
    manifest = manifest_path(evidence.workspace.training, str(inputs.training_root))
    again = "cases, read again; fits its Merkle root"
    return Answer(
        question=question,
        facts={"verdict": verdict, **facts, **_counts(locked, join), **_near_counts(near)},
        tables=(*_tables(join), *_near_tables(near)),
        notes=tuple(_notes(record, locked, join, near)),
        evidence=(
            f"{manifest}: {join.training_cases} {again}",
            f"{locked.folder}: {locked.name}, {len(locked.case_set.cases)} {again}",
            f"{evidence.workspace.run_folder(record.run_id)}: both roots, in the run's record",
        ),
        exit_code=FOUND if join.pairs or near.pairs else 0,
    )


def join_cases(training: Iterable[TrainingRow], locked: Iterable[LockedCase]) -> Join:
    """Every pair that shares a file, a picture or a patient; training cases are streamed."""
    known: dict[tuple[str, str], list[LockedCase]] = {}
    for case in locked:
        for key in SHARED:
            known.setdefault((key, getattr(case, key)), []).append(case)
    join = Join()
    for row in training:
        join.training_cases += 1
        join.without_patient += not has_patient(row)
        met = set()
        for key, words in SHARED.items():
            for case in known.get((key, getattr(row, key)), ()):
                join.cases[key].add(case.case_id)
                if case.case_id not in met:
                    met.add(case.case_id)
                    join.pairs.append((case, row, words))
    return join


def _joined(evidence: Evidence, record: RunRecord) -> tuple[LockedSet, Join]:
    root, case_set_root = record.inputs.training_root, record.inputs.case_set_root
    if root is None or case_set_root is None:
        what = "training data" if root is None else "case set"
        raise IntegrityError(f"run {record.run_id} ({record.state}) recorded no {what}")
    locked = locked_with_root(evidence, case_set_root)
    if locked is None:
        raise IntegrityError(
            f"{record.inputs.case_set} version {record.inputs.case_set_version} with root "
            f"{case_set_root[:12]}... is not kept any more; restore it from version control"
        )
    manifest = manifest_path(evidence.workspace.training, root)
    join = join_cases(read_manifest(manifest, root=root), locked.case_set.cases)
    if record.inputs.training_cases != join.training_cases:
        raise IntegrityError(
            f"{manifest}: has {join.training_cases} cases, the run recorded "
            f"{record.inputs.training_cases}"
        )
    return locked, join


def _nearly_equal(evidence: Evidence, record: RunRecord, locked: LockedSet) -> NearJoin:
    """By the hashes in both lists; by what the run found where the case set has none."""
    cases = [case for case in locked.case_set.cases if case.perceptual_hash]
    if not cases:
        return _found_by_run(evidence, record)
    root = str(record.inputs.training_root)
    manifest = manifest_path(evidence.workspace.training, root)
    near = near_join(cases, lambda: read_manifest(manifest, root=root))
    near.without += len(locked.case_set.cases) - len(cases)
    return near


def near_join(
    cases: Sequence[LockedCase], training: Callable[[], Iterable[TrainingRow]]
) -> NearJoin:
    """Nearly equal pictures of cases that have a hash and of training data, which is read twice."""
    hashes = bytearray(bytes.fromhex("".join(case.perceptual_hash for case in cases)))
    places, without = [], 0
    for place, row in enumerate(training()):
        hashes += bytes.fromhex(row.perceptual_hash)
        without += not row.perceptual_hash
        places += [place] if row.perceptual_hash else []
    if not places:
        return NearJoin(without=without)
    wanted: dict[int, list[tuple[LockedCase, str]]] = {}
    for pair in near_pairs(np.frombuffer(hashes, np.uint8).reshape(-1, 64)):
        if pair.first < len(cases) <= pair.second:
            of_case = wanted.setdefault(places[pair.second - len(cases)], [])
            of_case.append((cases[pair.first], f"{pair.way}, {pair.distance} of 256 bits"))
    pairs = [
        (case.case_id, row.case_id, row.split, words)
        for place, row in enumerate(training() if wanted else ())
        for case, words in wanted.get(place, ())
        if case.pixels_sha256 != row.pixels_sha256
    ]
    return NearJoin(pairs, HERE, without)


def _found_by_run(evidence: Evidence, record: RunRecord) -> NearJoin:
    """What DataGate wrote down, if it is what the run's record says; nothing of runs of before."""
    path = evidence.workspace.run_folder(record.run_id) / ADMISSION
    if not path.is_file() or record.files.get(ADMISSION) != sha256_file(path):
        return NearJoin()
    found = json.loads(path.read_bytes())
    if "near_duplicates" not in found:
        return NearJoin()
    pairs = []
    for pair in found["near_duplicates"]:
        one, other = sorted(pair["cases"], key=lambda case: case["split"] != "test")
        if one["split"] == "test" != other["split"]:
            words = f"{pair['way']}, {pair['distance']} of 256 bits"
            pairs.append((one["case_id"], other["case_id"], other["split"], words))
    return NearJoin(pairs, RUN, found["compared"]["without_hash"])


def _near_counts(near: NearJoin) -> dict[str, Value]:
    pairs = len(near.pairs) if near.by else None
    return {"shared: nearly equal pictures": pairs, "compared by perceptual hash": near.by or None}


def _near_tables(near: NearJoin) -> tuple[Table, ...]:
    columns = ("case", "training_case", "split", "picture")
    links = {"case": "case", "training_case": "case"}
    title = "Cases of which the training data have a nearly equal picture"
    return (Table("nearly_equal", title, columns, tuple(near.pairs), links),) if near.pairs else ()


def _counts(locked: LockedSet, join: Join) -> dict[str, Value]:
    cases = locked.case_set.cases
    comparable = any(map(has_patient, cases)) and join.without_patient < join.training_cases
    return {
        "case set: cases": len(cases),
        "training data: cases": join.training_cases,
        "shared: files": len(join.cases["bytes_sha256"]),
        "shared: pictures": len(join.cases["pixels_sha256"]),
        "shared: patients' cases": len(join.cases["patient_id"]) if comparable else None,
        "case set: without a patient id": sum(not has_patient(case) for case in cases),
        "training data: without a patient id": join.without_patient,
    }


def _notes(record: RunRecord, locked: LockedSet, join: Join, near: NearJoin) -> Iterator[str]:
    nameless = sum(not has_patient(case) for case in locked.case_set.cases)
    if join.without_patient or nameless:
        yield (
            f"Patients were compared only where the source names them: {nameless} cases of the "
            f"case set and {join.without_patient} training cases have no patient id."
        )
    yield (
        f"Patient ids mean something within one source: the training data are of "
        f"{record.inputs.data}, the case set was locked from {locked.case_set.source}."
    )
    if not near.by:
        yield (
            "Pictures were compared exactly: the same radiograph cropped, resized or compressed "
            "again would not be found. No perceptual hashes are on record."
        )
        return
    yield (
        "Pictures were compared exactly, and by perceptual hash: a copy that is resized, "
        "compressed again, mirrored, inverted or cropped by some 1 % on each side is found; one "
        "that is turned or cropped by more is not."
    )
    if near.by == RUN:
        yield (
            "The case set was locked before it kept perceptual hashes: the run compared the "
            "pictures themselves, and what it found cannot be compared here again."
        )
    if near.without:
        yield f"{near.without} pictures have no perceptual hash and were compared exactly alone."


def _tables(join: Join) -> tuple[Table, ...]:
    if not join.pairs:
        return ()
    rows = tuple(
        (case.case_id, row.case_id, row.split, words, case.patient_id, case.label, row.label)
        for case, row, words in join.pairs
    )
    columns = ("case", "training_case", "split", "shared", "patient", "label", "training_label")
    links = {"case": "case", "training_case": "case"}
    return (Table("shared", "Cases that the training data know", columns, rows, links),)
