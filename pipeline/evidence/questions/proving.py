"""Proves that one image is, or is not, in the training data of a release; checks such proofs."""

from dataclasses import replace
from pathlib import Path

from components.lineage.proof import IN, Proof, check_proof, load_proof, prove
from components.lineage.training import find_rows, manifest_path
from components.records.errors import ConfigError, IntegrityError
from components.records.text import spell
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.questions.impact_image import hashes_of
from pipeline.evidence.questions.locked import locked_sets
from pipeline.evidence.subject import Evidence, Subject


def prove_for(
    evidence: Evidence, subject: Subject, *, image: Path | None, case_id: str | None
) -> tuple[Proof, Answer]:
    """A proof for a picture in a file, or for the picture of a case.

    Args:
      image, case_id: one of them.

    Raises:
      ConfigError: nobody knows the case, or several pictures have its id.
      SourceError: the file is no image.
      IntegrityError: the run has no training data, or its manifest was altered.
    """
    record = evidence.record(subject.run_id)
    root = record.inputs.training_root
    if root is None:
        raise IntegrityError(f"run {record.run_id} ({record.state}) recorded no training data")
    manifest = manifest_path(evidence.workspace.training, root)
    if image is not None:
        what, pixels = f"image {spell(image.name)}", dict(hashes_of(image))["pixels_sha256"]
    else:
        what = f"case {spell(str(case_id))}"
        pixels = _picture_of(evidence, manifest, str(case_id))
    proof = prove(manifest, pixels, root=root)
    check_proof(proof, root, record.inputs.training_cases or 0)
    question = f"is {what} in the training data of {subject.name}"
    where = evidence.workspace.run_folder(record.run_id)
    return proof, _answer(question, proof, (f"{where}: root and number of cases, in the record",))


def check(path: Path, *, root: str | None, cases: int | None) -> Answer:
    """Checks a proof in a file; needs no workspace.

    Args:
      root, cases: as known from elsewhere; None takes the proof's own word, and says so.

    Raises:
      IntegrityError: it does not hold.
    """
    proof = load_proof(path)
    check_proof(proof, root or proof.root, proof.cases if cases is None else cases)
    notes = []
    if root is None:
        notes.append(
            "The root is the proof's own: compare it with a run's record, the ledger or a signed "
            "statement, or give it with --root."
        )
    answer = _answer(f"does the proof in {path} hold", proof, (f"{path}: checked by SHA-256",))
    return replace(answer, notes=(*notes, *answer.notes))


def _picture_of(evidence: Evidence, manifest: Path, case_id: str) -> str:
    if not manifest.is_file():
        raise IntegrityError(f"{manifest}: the training manifest is missing; restore it")
    found = {row.pixels_sha256 for row in find_rows(manifest, [("case_id", case_id)])}
    if not found:
        found = {
            case.pixels_sha256
            for locked in locked_sets(evidence)
            for case in locked.case_set.cases
            if case.case_id == case_id
        }
    if len(found) != 1:
        why = f"{len(found)} pictures have this id" if found else "nobody knows this case"
        raise ConfigError(f"--case {case_id!r}: {why}; ask by --image FILE")
    return found.pop()


def _answer(question: str, proof: Proof, evidence: tuple[str, ...]) -> Answer:
    is_in = proof.verdict == IN
    facts: dict[str, Value] = {
        "verdict": "in the training data" if is_in else "not in the training data",
        "picture: SHA-256": proof.pixels_sha256,
        "training data: Merkle root": proof.root,
        "training data: cases": proof.cases,
    }
    rows = []
    for leaf in proof.leaves:
        if (row := leaf.row()) is not None:
            rows.append((leaf.index + 1, row.case_id, row.split, row.label, row.pixels_sha256))
    title = "The case with this picture" if is_in else "The neighbours it would stand between"
    columns = ("line", "case", "split", "label", "pixels_sha256")
    table = Table("lines", title, columns, tuple(rows), {"case": "case"})
    notes = ["The proof names these cases in full, with patient and attributes."] if rows else []
    if not is_in and rows:
        notes.append(
            "It rests on the manifest being in order, which was checked when the proof was made "
            "and cannot be seen from the root alone."
        )
    return Answer(question, facts, (table,), tuple(notes), evidence)
