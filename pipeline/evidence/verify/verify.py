"""Is all of it still as it was recorded: files, models, ledger, signatures and ML Metadata."""

from collections.abc import Iterator, Sequence

from components.decision import Decision, load_decision
from components.lineage.record import RunRecord
from components.records.errors import CasegateError, IntegrityError
from components.records.run_files import DECISION
from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.difference import Difference
from pipeline.evidence.subject import Evidence, Subject
from pipeline.evidence.verify.files import Files
from pipeline.evidence.verify.signatures import Signatures
from pipeline.evidence.verify.store import StoreRows
from pipeline.governance.ledger_check import verify_ledger

MOST = 100  # differences that are listed; one is enough to stop trusting the workspace


def verify(evidence: Evidence, subjects: Sequence[Subject] | None) -> Answer:
    """Recomputes every hash of some runs and their releases, or of all of them.

    Models in the destinations and the ledger's chain are checked whoever is asked about.

    Args:
      subjects: None takes every run of the workspace.
    """
    files, signatures, rows = Files(evidence), Signatures(evidence), StoreRows(evidence)
    found: list[Difference] = []
    for difference in _differences(evidence, subjects, files, signatures, rows):
        found.append(difference)
        if len(found) == MOST:
            break
    checked = {**files.checked, **signatures.checked, **rows.checked}
    table = Table(
        "differences",
        "What is not as it was recorded",
        ("what", "where", "recorded", "found"),
        tuple((d.what, d.where, d.recorded, d.found) for d in found),
    )
    named = None if subjects is None else ", ".join(subject.name for subject in subjects)
    what = "everything" if named is None else named or "nothing, for nothing is released"
    differ = f"{len(found)} {'difference' if len(found) == 1 else 'differences'}"
    facts = {"what": what, "result": differ if found else "as recorded"}
    facts |= {f"checked: {kind}": str(count) for kind, count in checked.items()}
    # No difference: a release of before models were tried where they are served is as it was.
    facts |= {f"can be served: {name}": answer for name, answer in files.servable().items()}
    notes = [f"The first difference: {difference.sentence}." for difference in found[:1]]
    if len(found) == MOST:
        notes.append(f"Stopped after {MOST} differences.")
    return Answer(
        question="is it all still as it was recorded",
        facts=facts,
        tables=(table,) if found else (),
        notes=tuple(notes),
        evidence=(f"{evidence.workspace.ledger}: {len(evidence.entries)} entries, chain intact",),
        exit_code=IntegrityError.exit_code if found else 0,
    )


def _differences(
    evidence: Evidence,
    subjects: Sequence[Subject] | None,
    files: Files,
    signatures: Signatures,
    rows: StoreRows,
) -> Iterator[Difference]:
    wanted = _runs(evidence) if subjects is None else [s.run_id for s in subjects]
    try:
        verify_ledger(evidence.workspace.root, runs=wanted if subjects else None)
    except CasegateError as error:
        yield Difference("ledger", str(evidence.workspace.ledger), "a chain that fits", str(error))
    for run_id in wanted:
        for record in files.record(run_id):
            if isinstance(record, Difference):
                yield record
                continue
            yield from files.of_run(record)
            yield from signatures.of_run(record)
            if record.state != "running":
                yield from rows.of_run(record, _decision(evidence, record))
    yield from files.served()
    yield from rows.releases()


def _runs(evidence: Evidence) -> list[str]:
    """Every run that has a folder or that the ledger names as ended."""
    named = {run_id for kind, run_id in evidence.last_entries if kind == "run"}
    runs = evidence.workspace.runs
    there = {path.name for path in runs.iterdir() if path.is_dir()} if runs.is_dir() else set()
    return sorted(named | there)


def _decision(evidence: Evidence, record: RunRecord) -> Decision | None:
    path = evidence.workspace.run_folder(record.run_id) / DECISION
    try:
        return load_decision(path) if path.exists() else None
    except CasegateError:
        return None  # said already
