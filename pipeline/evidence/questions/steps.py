"""When each thing happened that has to happen before a release, and where that is written.

Files of the run, the ledger and git each say their part. None of them is asked about another's, so
that a time which was altered in one of them does not fit the rest.
"""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from components.baselines.golden import load_golden
from components.baselines.names import GOLDEN
from components.lineage.record import ComponentRun, RunRecord
from components.records.errors import CasegateError
from components.records.ledger.entry import Entry
from components.records.run_files import DECISION_ATTESTATION, RUN_RECORD
from pipeline.evidence.moment import Instant, later, moment
from pipeline.evidence.policy_in_git import committed_in_git
from pipeline.evidence.subject import Evidence, Subject

# Component -> the step that its start and its end are.
_BEGINS = {
    "Trainer": "training started",
    "CandidateScorer": "scoring of the candidate started",
    "Evaluator": "evaluation started",
}
_ENDS = {
    "DataGate": "training data admitted",
    "CaseSet": "case set verified",
    "Trainer": "training ended",
    "CandidateScorer": "candidate scored",
    "Evaluator": "candidate evaluated",
}


@dataclass(frozen=True)
class RecordedStep:
    """Attributes:
    moment: None where nobody wrote down when.
    source: who says so.
    seq: of the ledger's entry, where it is one: entries are in order whatever their times say.
    remark: what a reader should know of it.
    """

    name: str
    moment: Instant | None
    source: str
    seq: int | None = None
    remark: str = ""


def steps(evidence: Evidence, subject: Subject, record: RunRecord) -> dict[str, RecordedStep]:
    """Every step that is on record, by its name."""
    found: tuple[Callable[[], Iterator[RecordedStep]], ...] = (
        lambda: _policy(evidence, record),
        lambda: _golden(evidence, record),
        lambda: _case_set(evidence, record),
        lambda: _record(record),
        lambda: _ledger(evidence, record),
        lambda: _signed(evidence, record),
        lambda: _released(evidence, subject),
    )
    return {step.name: step for part in found for step in part()}


def _policy(evidence: Evidence, record: RunRecord) -> Iterator[RecordedStep]:
    given = record.inputs
    if given.policy_committed is None or given.policy_commit is None:
        return
    remark = committed_in_git(evidence, record)
    source = f"{RUN_RECORD}: git commit {given.policy_commit[:12]}"
    at = moment(given.policy_committed)
    yield RecordedStep("acceptance criteria committed", at, source, remark=remark)


def _golden(evidence: Evidence, record: RunRecord) -> Iterator[RecordedStep]:
    """The approval of golden: the ledger's entry of it, or the day that golden itself names."""
    if record.inputs.golden_file_sha256 is None:
        return
    path = evidence.workspace.kept(GOLDEN, record.inputs.golden_file_sha256)
    try:
        golden = load_golden(path)
    except CasegateError:
        yield RecordedStep("golden approved", None, f"{path.name}: not kept, or not readable")
        return
    approved = golden.golden_sha256  # over every score, so once and not for each entry
    for entry in evidence.entries:
        if entry.kind == "approval" and entry.body.get("to_golden_sha256") == approved:
            yield _entry_step("golden approved", entry, f"by {entry.by}")
            return
    remark = f"by {golden.approval.by}"
    yield RecordedStep("golden approved", moment(golden.approval.date), path.name, remark=remark)


def _case_set(evidence: Evidence, record: RunRecord) -> Iterator[RecordedStep]:
    root = record.inputs.case_set_root
    for entry in evidence.entries:
        if entry.kind == "amendment" and root and entry.body["to_root"] == root:
            yield _entry_step("case set amended", entry, f"by {entry.by}")


def _record(record: RunRecord) -> Iterator[RecordedStep]:
    yield RecordedStep("run started", moment(record.started), RUN_RECORD)
    for component in record.components:
        remark = "taken from the cache" if component.state == "cached" else ""
        source = f"{RUN_RECORD}: {component.name}"
        if name := _BEGINS.get(component.name):
            yield RecordedStep(name, moment(component.started), source, remark=remark)
        if name := _ENDS.get(component.name):
            yield RecordedStep(name, _ended(component), source, remark=remark or _failed(component))


def _ended(component: ComponentRun) -> Instant | None:
    """None where it did not end, or did not end well: then nothing was verified."""
    if component.state not in ("finished", "cached") or component.seconds is None:
        return None
    return later(moment(component.started), component.seconds)


def _failed(component: ComponentRun) -> str:
    return "" if component.state == "finished" else component.state


def _ledger(evidence: Evidence, record: RunRecord) -> Iterator[RecordedStep]:
    for kind, name in (("look", "look counted"), ("decision", "decided"), ("run", "record closed")):
        if entry := evidence.last_entries.get((kind, record.run_id)):
            yield _entry_step(name, entry)
    if decided := evidence.decided.get(record.run_id):
        for check in decided.body["waived"]:
            yield _waiver(evidence, decided, check)


def _waiver(evidence: Evidence, decision: Entry, check: str) -> RecordedStep:
    """The waiver by which the decision let a check through: the last one that was granted before.

    A later one is taken only where there is none before, so that it is seen to come too late.
    """
    named = ("candidate_sha256", "case_set_root", "policy_sha256")
    granted = [
        entry
        for entry in evidence.entries
        if entry.kind == "waiver"
        and entry.body["check"] == check
        and all(entry.body[key] == decision.body[key] for key in named)
    ]
    if not granted:
        return RecordedStep(f"waiver of {check}", None, "the ledger", remark="nobody granted one")
    before = [entry for entry in granted if entry.seq < decision.seq]
    entry = (before or granted)[-1]
    return _entry_step(f"waiver of {check}", entry, f"by {entry.by} and {entry.body['second']}")


def _signed(evidence: Evidence, record: RunRecord) -> Iterator[RecordedStep]:
    """When the decision was signed, by the statement's own word; `verify` proves the signature."""
    path = evidence.workspace.run_folder(record.run_id) / DECISION_ATTESTATION
    if not path.exists():
        return
    try:
        envelope = json.loads(path.read_bytes())
        statement = json.loads(base64.b64decode(envelope["payload"], validate=True))
        at = moment(statement["predicate"]["signed_at"])
    except (OSError, ValueError, KeyError, TypeError):
        yield RecordedStep("decision signed", None, f"{path.name}: not readable")
        return
    yield RecordedStep("decision signed", at, path.name, remark="the signer's word")


def _released(evidence: Evidence, subject: Subject) -> Iterator[RecordedStep]:
    """The release by the run itself, and the rollback where that is what was asked about."""
    for release in evidence.releases:
        ours = release.run_id == subject.run_id
        if not ours and (subject.release is None or release.seq != subject.release.seq):
            continue
        name = "released" if release.kind == "release" else "put back by a rollback"
        remark = f"version {release.version} in {release.destination}"
        source = f"ledger entry {release.seq}"
        yield RecordedStep(name, moment(release.at), source, release.seq, remark)


def _entry_step(name: str, entry: Entry, remark: str = "") -> RecordedStep:
    return RecordedStep(name, moment(entry.at), f"ledger entry {entry.seq}", entry.seq, remark)
