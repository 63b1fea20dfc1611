"""Was everything verified before the release, by times that prove the order.

A sequence of times proves an order only where each was written down by itself, and only as far as
it is exact. So every pair that has to be in order is shown with what each was taken from.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

from components.baselines.golden import load_golden
from components.baselines.names import GOLDEN, POLICY
from components.decision import Decision
from components.lineage.record import ComponentRun, RunRecord
from components.records.errors import CasegateError, IntegrityError
from components.records.git import ask_git, run_git
from components.records.ledger.ledger import Entry
from components.records.run_files import DECISION_ATTESTATION, RUN_RECORD
from pipeline.evidence.answer import Answer, Columns, Table, Value
from pipeline.evidence.moment import AFTER, BEFORE, SAME, Instant, later, moment
from pipeline.evidence.questions.show import checks_table, rests_on
from pipeline.evidence.subject import Evidence, Subject, is_of_same
from pipeline.governance.decided import baseline_named_by
from pipeline.settings.config import REPOSITORY

# Each has to come before the next; a chain for what needs one another, as the graph has it.
CHAINS = (
    ("acceptance criteria committed", "run started"),
    ("golden approved", "run started"),
    ("case set amended", "run started"),
    ("run started", "training data admitted", "training started", "training ended"),
    ("run started", "case set verified", "scoring of the candidate started"),
    ("case set verified", "evaluation started"),
    ("training ended", "scoring of the candidate started", "candidate scored", "look counted"),
    ("training ended", "evaluation started", "candidate evaluated", "look counted"),
    ("candidate evaluated", "sites asked", "sites answered", "look counted"),
    ("candidate scored", "sites asked"),
    ("look counted", "decided", "released", "record closed"),
    ("decided", "decision signed", "released"),
    ("released", "put back by a rollback"),
)
# Without one of these the run was not verified; the others are in order where they are there.
REQUIRED = (
    *("acceptance criteria committed", "run started", "training data admitted"),
    *("case set verified", "training ended", "candidate scored", "candidate evaluated"),
    *("look counted", "decided", "released"),
)
IN_ORDER, SAME_TIME, WRONG = "in order", "same time as recorded", "WRONG ORDER"
_ORDERS = {BEFORE: IN_ORDER, SAME: SAME_TIME, AFTER: WRONG}
UNKNOWN = "not known"
_COUNTED = {
    IN_ORDER: "pairs in order",
    SAME_TIME: "pairs at the same time as recorded",
    WRONG: "pairs in the wrong order",
    UNKNOWN: "pairs of unknown order",
}
COMMITTED = "acceptance criteria committed"
NOT_HERE = "git could not be asked: the commit is not in a checkout here"
CONFIRMED = "git here has the same text and time"
# Component -> the step that its start and its end are.
_BEGINS = {
    "Trainer": "training started",
    "CandidateScorer": "scoring of the candidate started",
    "Evaluator": "evaluation started",
    "SiteVerdicts": "sites asked",
}
_ENDS = {
    "DataGate": "training data admitted",
    "CaseSet": "case set verified",
    "Trainer": "training ended",
    "CandidateScorer": "candidate scored",
    "Evaluator": "candidate evaluated",
    "SiteVerdicts": "sites answered",
}


@dataclass(frozen=True)
class RecordedStep:
    """Attributes:
    moment: None where nobody wrote down when.
    source: who says so.
    seq: of the ledger's entry, where it is one: entries are in order whatever their times say.
    """

    name: str
    moment: Instant | None
    source: str
    seq: int | None = None
    remark: str = ""


@dataclass(frozen=True)
class Pair:
    """Two steps that have to be in order, and whether they are."""

    first: RecordedStep
    second: RecordedStep

    @property
    def order(self) -> str:
        first, second, timed = self.first, self.second, UNKNOWN
        if first.moment is not None and second.moment is not None:
            timed = _ORDERS[first.moment.against(second.moment)]
        if first.seq is None or second.seq is None:
            return timed
        # Entries are chained: neither could be written before the other is there.
        return WRONG if first.seq > second.seq or timed == WRONG else IN_ORDER

    @property
    def proof(self) -> str:
        if self.first.seq is not None and self.second.seq is not None:
            return f"chained: ledger entries {self.first.seq} and {self.second.seq}"
        return f"times: {self.first.source}; {self.second.source}"


def checks(evidence: Evidence, subject: Subject) -> Answer:
    """Whether all verifications were complete before the release, and in which order.

    Exit code 0 only where all was complete and in order; times that are equal as far as they were
    recorded do not contradict, and are named.
    """
    record, decision = evidence.record(subject.run_id), evidence.decision(subject.run_id)
    order = Order(steps(evidence, subject, record))
    faults = [*order.faults(), *_undecided(subject, decision)]
    return Answer(
        question=f"was everything verified before {subject.name} was released",
        facts={
            "run": record.run_id,
            "complete and in order before release": not faults,
            **order.facts(),
            **_results(decision),
        },
        tables=(order.times_table(), order.pairs_table(), checks_table(decision)),
        notes=(*faults, *_waived(decision), *order.remarks()),
        evidence=tuple(rests_on(evidence, subject)),
        exit_code=1 if faults else 0,
    )


class Order:
    """The steps that are on record, and whether each came before what it has to come before."""

    def __init__(self, found: Mapping[str, RecordedStep]) -> None:
        self.found, self.committed = found, found.get(COMMITTED)
        self.pairs = list(self._pairs())
        self.missing = [n for n in REQUIRED if n not in found or found[n].moment is None]

    def _pairs(self) -> Iterator[Pair]:
        waivers = [(name, "decided") for name in self.found if name.startswith("waiver of ")]
        seen = set()
        for names in (*CHAINS, *waivers):
            for key in pairwise(name for name in names if name in self.found):
                if key not in seen:
                    seen.add(key)
                    yield Pair(self.found[key[0]], self.found[key[1]])

    def faults(self) -> Iterator[str]:
        for name in self.missing:
            step = self.found.get(name)
            why = f": {step.remark}" if step and step.remark else ""
            if name == COMMITTED:
                why = ": the policy was not in git as it was used, so nothing proves it came first"
            yield f"Not on record: {name}{why}."
        for pair in self.pairs:
            first, second = pair.first, pair.second
            if pair.order == WRONG:
                yield (
                    f"Wrong order: {first.name} ({_at(first)}) is not before {second.name} "
                    f"({_at(second)})."
                )
            elif pair.order == UNKNOWN and not {first.name, second.name} & set(self.missing):
                yield f"Order not known: {first.name}, {second.name}."
        if self.committed and self.committed.remark not in (CONFIRMED, NOT_HERE):
            yield f"Acceptance criteria: {self.committed.remark}."

    def remarks(self) -> Iterator[str]:
        for pair in self.pairs:
            if pair.order == SAME_TIME:
                yield (
                    f"{pair.first.name} ({_at(pair.first)}) and {pair.second.name} "
                    f"({_at(pair.second)}) are at the same time as far as it was recorded; that "
                    "contradicts nothing and proves no order."
                )
        if "decision signed" not in self.found:
            yield (
                "The decision is unsigned, so its times rest on this machine's word and the ledger."
            )
        if self.committed and self.committed.remark == NOT_HERE:
            yield f"Acceptance criteria: {NOT_HERE}; the time is the run record's."

    def facts(self) -> dict[str, Value]:
        orders = Counter(pair.order for pair in self.pairs)
        there = len(REQUIRED) - len(self.missing)
        before = [pair.order != WRONG for pair in self.pairs if pair.first is self.committed]
        known = self.committed and self.committed.remark in (CONFIRMED, NOT_HERE)
        return {
            "acceptance criteria committed before the result": bool(known) and all(before),
            "steps on record": f"{there} of {len(REQUIRED)} that are required",
            **{words: orders[order] for order, words in _COUNTED.items()},
        }

    def times_table(self) -> Table:
        timed = sorted(
            self.found.values(),
            key=lambda step: (step.moment is None, step.moment.first if step.moment else None),
        )
        rows = tuple((_at(s), s.name, s.source, s.remark or None) for s in timed)
        return Table("times", "When it happened", ("at", "step", "source", "remark"), rows)

    def pairs_table(self) -> Table:
        named = {"first": "first.name", "then": "second.name"}
        columns: Columns = {"order": "order", **named, "proof": "proof"}
        return Table.of("order", "What has to come before what", self.pairs, columns)


def _undecided(subject: Subject, decision: Decision | None) -> Iterator[str]:
    if decision is None:
        yield "Nothing was decided, so nothing was verified."
        return
    if decision.verdict.value != "PASS":
        yield f"The verdict is {decision.verdict.value}."
    for check in decision.checks:
        if check.open:
            yield f"Open check: {check.check}: {check.verdict.value}, {check.reason}."
    for test in decision.self_tests:
        if not test.passed:
            yield f"The gate failed its own test {test.name}: wanted {test.wanted}, got {test.got}."
    if (release := subject.release) is None:
        return
    if release.decision_sha256 != decision.decision_sha256:
        yield f"Ledger entry {release.seq} released by another decision than this run's."
    if release.model_sha256 != decision.hashes["candidate"]:
        yield f"Ledger entry {release.seq} released another model than the one decided on."


def _waived(decision: Decision | None) -> Iterator[str]:
    for note in decision.waivers if decision else ():
        if note.state == "applied":
            yield (
                f"Waived: {note.check}, by {note.by} and {note.second} until {note.expires}: "
                f"{note.reason}."
            )


def _results(decision: Decision | None) -> dict[str, Value]:
    results, tests = (decision.checks, decision.self_tests) if decision else ((), ())
    as_wanted = f"{sum(t.passed for t in tests)} of {len(tests)} as they should be"
    return {
        "checks: pass": sum(c.verdict.value == "PASS" for c in results),
        "checks: open": sum(c.open for c in results),
        "checks: waived": ", ".join(c.check for c in results if c.waived) or "none",
        "checks: supporting, not passed": sum(
            c.role != "gate" and c.verdict.value != "PASS" for c in results
        ),
        "checks: the gate's own tests": as_wanted if decision else None,
    }


def _at(step: RecordedStep) -> str:
    return step.moment.text if step.moment else UNKNOWN


def steps(evidence: Evidence, subject: Subject, record: RunRecord) -> dict[str, RecordedStep]:
    """Every step that is on record, by its name."""
    readers = (_policy, _golden, _case_set, _record, _entries, _signed)
    found = chain(*(read(evidence, record) for read in readers), _released(evidence, subject))
    return {step.name: step for step in found}


def _policy(evidence: Evidence, record: RunRecord) -> Iterator[RecordedStep]:
    given = record.inputs
    if given.policy_committed is not None and given.policy_commit is not None:
        remark, at = committed_in_git(evidence, record), moment(given.policy_committed)
        source = f"{RUN_RECORD}: git commit {given.policy_commit[:12]}"
        yield RecordedStep(COMMITTED, at, source, remark=remark)


def _golden(evidence: Evidence, record: RunRecord) -> Iterator[RecordedStep]:
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


def _record(evidence: Evidence, record: RunRecord) -> Iterator[RecordedStep]:
    yield RecordedStep("run started", moment(record.started), RUN_RECORD)
    for component in record.components:
        remark = {"cached": "taken from the cache", "finished": ""}
        source = f"{RUN_RECORD}: {component.name}"
        if name := _BEGINS.get(component.name):
            known = remark.get(component.state, "")
            yield RecordedStep(name, moment(component.started), source, remark=known)
        if name := _ENDS.get(component.name):
            known = remark.get(component.state, component.state)
            yield RecordedStep(name, _ended(component), source, remark=known)


def _ended(component: ComponentRun) -> Instant | None:
    """None where it did not end, or did not end well: then nothing was verified."""
    if component.state not in ("finished", "cached") or component.seconds is None:
        return None
    return later(moment(component.started), component.seconds)


def _entries(evidence: Evidence, record: RunRecord) -> Iterator[RecordedStep]:
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
    waivers = [e for e in evidence.entries if e.kind == "waiver" and e.body["check"] == check]
    granted = [entry for entry in waivers if is_of_same(entry, decision)]
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
        yield RecordedStep("decision signed", at, path.name, remark="the signer's word")
    except (OSError, ValueError, KeyError, TypeError):
        yield RecordedStep("decision signed", None, f"{path.name}: not readable")


def _released(evidence: Evidence, subject: Subject) -> Iterator[RecordedStep]:
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


def committed_in_git(evidence: Evidence, record: RunRecord) -> str:
    """CONFIRMED, NOT_HERE, or what git says otherwise."""
    given = record.inputs
    commit, folder = given.policy_commit or "", _folder(evidence, record)
    shown = ("show", "-s", "--date=iso-strict-local", "--format=%cd", commit, "--")
    time = ask_git(folder, *shown, utc=True)
    text = run_git(folder, "show", f"{commit}:./{POLICY}")
    if time is None or text.failed:
        return NOT_HERE
    at = time.strip().replace("+00:00", "Z")
    if at != given.policy_committed:
        return f"git says otherwise: the commit is of {at}"
    if hashlib.sha256(text.out).hexdigest() != given.policy_sha256:
        return "git says otherwise: the commit has another text"
    return CONFIRMED


def _folder(evidence: Evidence, record: RunRecord) -> Path:
    """The baseline's folder, as the run's request names it; no hash covers that, git's does."""
    try:
        return baseline_named_by(evidence.workspace.run_folder(record.run_id))
    except IntegrityError:
        return REPOSITORY
