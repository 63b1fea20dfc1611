"""Does the training data of a model know any image or patient of the case set that judged it.

The join is exact, between two lists whose Merkle roots the run recorded: so it can be made again by
anybody who has the two files, and does not rest on what the run said of itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from components.baselines.case_set import LockedCase
from components.lineage.record import RunRecord
from components.lineage.training import TrainingRow, manifest_path, read_manifest
from components.records.errors import IntegrityError
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.questions.locked import LockedSet, locked_with_root
from pipeline.evidence.subject import Evidence, Subject

INDEPENDENT, NOT_INDEPENDENT, NOT_KNOWN = "independent", "not independent", "not known"
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
    except IntegrityError as error:
        facts, notes = {"verdict": NOT_KNOWN, **facts}, (f"It cannot be known: {error}.",)
        return Answer(question, facts, notes=notes, exit_code=IntegrityError.exit_code)
    verdict = NOT_INDEPENDENT if join.pairs else INDEPENDENT
    manifest = manifest_path(evidence.workspace.training, str(inputs.training_root))
    again = "cases, read again; fits its Merkle root"
    return Answer(
        question=question,
        facts={"verdict": verdict, **facts, **_counts(locked, join)},
        tables=(_table(join),) if join.pairs else (),
        notes=tuple(_notes(record, locked, join)),
        evidence=(
            f"{manifest}: {join.training_cases} {again}",
            f"{locked.folder}: {locked.name}, {len(locked.case_set.cases)} {again}",
            f"{evidence.workspace.run_folder(record.run_id)}: both roots, in the run's record",
        ),
        exit_code=FOUND if join.pairs else 0,
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


def has_patient(case: TrainingRow | LockedCase) -> bool:
    """Whether the patient id can say more than the case: sources without patients make one up.

    They take the case's own id, or the picture's hash.
    """
    return case.patient_id not in (case.case_id, f"px-{case.pixels_sha256}")


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


def _notes(record: RunRecord, locked: LockedSet, join: Join) -> Iterator[str]:
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
    yield (
        "Pictures were compared exactly: the same radiograph cropped, resized or compressed again "
        "would not be found."
    )


def _table(join: Join) -> Table:
    rows = tuple(
        (case.case_id, row.case_id, row.split, words, case.patient_id, case.label, row.label)
        for case, row, words in join.pairs
    )
    columns = ("case", "training_case", "split", "shared", "patient", "label", "training_label")
    links = {"case": "case", "training_case": "case"}
    return Table("shared", "Cases that the training data know", columns, rows, links)
