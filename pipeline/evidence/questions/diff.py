"""What changed between two runs or releases, from the code to the cases gained and lost."""

from collections.abc import Iterator

from components.lineage.record import RunRecord
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.judged import JudgedRun, judged
from pipeline.evidence.questions.commits_between import commits_between
from pipeline.evidence.questions.diff_figures import measured
from pipeline.evidence.questions.diff_settings import settings
from pipeline.evidence.questions.training_changes import training_changes
from pipeline.evidence.subject import Evidence, Subject


def diff(evidence: Evidence, first: Subject, second: Subject) -> Answer:
    """The differences from `first` to `second`; what is equal in both is left out.

    Raises:
      IntegrityError: a part of the evidence was altered or is gone.
    """
    old, new = evidence.record(first.run_id), evidence.record(second.run_id)
    data = training_changes(evidence, old, new)
    commits = commits_between(old.code.git_commit, new.code.git_commit)
    tables, missing = settings(evidence, old, new)
    figures, more = _figures(evidence, first, second)
    notes = [*missing.values(), data.note, *more]
    if first.run_id == second.run_id:
        notes.append(f"Both have the model of run {old.run_id}.")
    facts: dict[str, Value] = {
        "first": f"{first.name} ({old.state}, {old.started})",
        "second": f"{second.name} ({new.state}, {new.started})",
        "commits between": commits.count,
        "files changed between them": commits.files,
        "uncommitted changes: first": old.code.git_dirty,
        "uncommitted changes: second": new.code.git_dirty,
    }
    facts |= {
        f"{table.title}: differences": None if table.name in missing else len(table.rows)
        for table in tables
    }
    facts[f"{data.table.title}: differences"] = data.differences
    facts |= {f"{t.title}: differences": len(t.rows) for t in figures if t.name == "cases"}
    facts |= dict(_approved(evidence, first, old, "first"))
    facts |= dict(_approved(evidence, second, new, "second"))
    return Answer(
        question=f"what changed from {first.name} to {second.name}",
        facts=facts,
        tables=tuple(t for t in (*tables, data.table, *figures, commits.table) if t.rows),
        notes=tuple(notes),
        evidence=tuple(
            f"{evidence.workspace.run_folder(r.run_id)}: record {r.record_sha256}"
            for r in (old, new)
        ),
    )


def _figures(
    evidence: Evidence, first: Subject, second: Subject
) -> tuple[list[Table], tuple[str, ...]]:
    sides: list[JudgedRun] = []
    for subject in (first, second):
        if evidence.decision(subject.run_id) is None:
            note = f"Metrics and cases are not compared: {subject.name} came to no decision."
            return [], (note,)
        sides.append(judged(evidence, subject))
    return measured(*sides)


def _approved(
    evidence: Evidence, subject: Subject, record: RunRecord, side: str
) -> Iterator[tuple[str, Value]]:
    """Who answers for one side; given also where both sides have the same people."""
    given, decision = record.inputs, evidence.decision(subject.run_id)
    waivers = [w for w in decision.waivers if w.state == "applied"] if decision else []
    yield f"approved, {side}: golden", given.golden_approved_by or "none on record"
    yield (
        f"approved, {side}: waivers",
        "; ".join(f"{w.check}, by {w.by} and {w.second}: {w.reason}" for w in waivers) or "none",
    )
    release = subject.release
    yield f"approved, {side}: put in place by", release.by if release else "not released"
    if release and release.kind == "rollback":
        yield f"approved, {side}: rollback", release.at
    signed = {
        "decision": record.decision.statement_sha256 if record.decision else None,
        "release": release.attestation_sha256 if release else None,
    }
    for what, sha256 in signed.items():
        yield f"approved, {side}: signed statement on the {what}", sha256 or "unsigned"
