"""Golden's file and the ledger's word on it, kept in step.

Approving writes three things: the old golden into `history/`, the approval into the ledger, and the
new golden in place of the old one, in this order. Until the last step the old golden judges. A
crash before it leaves an approval on record that did not happen yet; as the ledger says who
approved what, why and when, and the run's scores are still there, the next command makes exactly
that golden of them. A golden that the ledger does not know is never taken for an approved one.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import (
    Approval,
    Golden,
    GoldenProposal,
    load_golden,
    load_proposal,
    save_golden,
)
from components.baselines.history import HISTORY
from components.baselines.names import CASE_SET, GOLDEN
from components.baselines.scores import CaseScores, aligned
from components.records.errors import ConfigError, IntegrityError, WorkspaceBusy
from components.records.files import write_atomically
from components.records.ledger.ledger import Entry, Ledger
from components.records.ledger.records import recorded_name
from pipeline.governance.decided import find_run, known_baselines
from pipeline.settings.workspace import Workspace

PROPOSAL = "proposal.json"


@dataclass(frozen=True)
class Recorded:
    """A golden that the ledger knows: approved, or carried over to an amended case set.

    Attributes:
      before: golden_sha256 of the one it took the place of, None for the first.
    """

    golden_sha256: str
    before: str | None
    entry: Entry


def recorded_goldens(entries: Iterable[Entry], baseline: str) -> tuple[Recorded, ...]:
    """What the ledger knows of the golden of `baseline` (as it names it), oldest first."""
    found: list[Recorded] = []
    for entry in entries:
        if entry.kind not in ("approval", "amendment"):
            continue
        before = entry.body.get("from_golden_sha256")
        after = entry.body.get("to_golden_sha256")
        if entry.kind == "approval":
            ours = entry.body["baseline"] == baseline
        else:
            ours = bool(found) and before == found[-1].golden_sha256
        if ours and after and after != before:
            found.append(Recorded(after, before, entry))
    return tuple(found)


def golden_of(baseline: Path) -> Golden | None:
    """The golden that judges now, None where there is none."""
    path = baseline / GOLDEN
    return load_golden(path) if path.exists() else None


def unfinished(recorded: tuple[Recorded, ...], golden: Golden | None) -> Recorded | None:
    """The approval or amendment on record that did not reach golden's file, if there is one."""
    current = golden.golden_sha256 if golden else None
    if recorded and recorded[-1].golden_sha256 != current and recorded[-1].before == current:
        return recorded[-1]
    return None


def finish(workspace: Workspace, baseline: Path, entries: tuple[Entry, ...]) -> Golden | None:
    """Carries out an approval that was cut short; returns the golden it made, None for none.

    Raises:
      IntegrityError: golden's file is not what the ledger and the history make of it.
    """
    recorded = recorded_goldens(entries, recorded_name(baseline, workspace.root))
    current = golden_of(baseline)
    cut_short = unfinished(recorded, current)
    if cut_short is None:
        _refuse_unknown(baseline, recorded, current)
        if current:
            _clear_proposal(current, baseline)
        return None
    entry = cut_short.entry
    if entry.kind == "amendment":
        raise IntegrityError(
            f"{baseline / GOLDEN}: the amendment in entry {entry.seq} of the ledger was cut short; "
            "give the same `casegate cases amend` again to finish it"
        )
    run = find_run(workspace, entry.body["run_id"], entries)
    approval = Approval(entry.by, entry.body["reason"], entry.at, entry.body["decision_sha256"])
    golden = Golden(run.scores(), approval)
    if golden.golden_sha256 != cut_short.golden_sha256:
        raise IntegrityError(
            f"{run.folder}: its scores do not make the golden that entry {entry.seq} of the ledger "
            "approves; restore them from a copy"
        )
    put_in_place(golden, baseline)
    return golden


def put_in_place(golden: Golden, baseline: Path) -> None:
    """Makes `golden` the one that judges, and removes the proposal it came from."""
    save_golden(golden, baseline / GOLDEN)
    _clear_proposal(golden, baseline)


def archived_goldens(baseline: Path) -> list[Path]:
    """The files of former goldens, oldest first."""
    return sorted((baseline / HISTORY).glob("golden-[0-9][0-9][0-9][0-9].json"))


def archive_golden(baseline: Path) -> None:
    """Keeps a copy of the golden that judges now; never over another file."""
    content = (baseline / GOLDEN).read_bytes()
    files = archived_goldens(baseline)
    if files and files[-1].read_bytes() == content:
        return  # an approval that was cut short has been here
    number = int(files[-1].stem.rpartition("-")[2]) + 1 if files else 1
    write_atomically(baseline / HISTORY / f"golden-{number:04d}.json", content)


@contextmanager
def hold_baseline(baseline: Path) -> Iterator[None]:
    """One approval at a time in a baseline, whatever workspace it comes from."""
    descriptor = os.open(baseline, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise WorkspaceBusy(f"{baseline}: another approval is at work; run again") from None
    except OSError as error:
        raise ConfigError(
            f"{baseline}: cannot be written: {error.strerror}; mend that and run again"
        ) from error
    finally:
        os.close(descriptor)


def _clear_proposal(golden: Golden, baseline: Path) -> None:
    path = baseline / PROPOSAL
    if path.exists() and load_proposal(path).decision_sha256 == golden.approval.decision_sha256:
        path.unlink()


def _refuse_unknown(baseline: Path, recorded: tuple[Recorded, ...], golden: Golden | None) -> None:
    """Raises IntegrityError for a golden that did not come from what the ledger last recorded.

    One that was approved elsewhere since, by a colleague whose ledger is another, has the recorded
    one in its history.
    """
    if not recorded or (golden and recorded[-1].golden_sha256 == golden.golden_sha256):
        return
    last, path = recorded[-1], baseline / GOLDEN
    if golden is None:
        raise IntegrityError(
            f"{path}: is gone, though entry {last.entry.seq} of the ledger approves one; restore "
            "it from version control"
        )
    known = {load_golden(file).golden_sha256 for file in archived_goldens(baseline)}
    if last.golden_sha256 not in known:
        raise IntegrityError(
            f"{path}: is not the golden that entry {last.entry.seq} of the ledger approves, nor "
            f"one that came after it; restore it from version control"
        )


@dataclass(frozen=True)
class RightShare:
    """Right calls among the cases of one label."""

    right: int
    cases: int

    def __str__(self) -> str:
        if not self.cases:
            return "no case"
        return f"{self.right / self.cases:.4f} ({self.right} of {self.cases})"


@dataclass(frozen=True)
class Shown:
    """Attributes:
    golden, proposal: None where there is none.
    unfinished: an approval or amendment on record that did not reach golden's file.
    """

    baseline: Path
    case_set: CaseSet
    golden: Golden | None
    proposal: GoldenProposal | None
    unfinished: Recorded | None


@dataclass(frozen=True)
class GoldenStep:
    """One golden of the baseline.

    Attributes:
      seq: of the ledger's entry, None where the ledger has none for it.
    """

    file: Path
    golden: Golden
    seq: int | None


@dataclass(frozen=True)
class History:
    """Attributes:
    steps: oldest first, the golden that judges now last.
    faults: where ledger and files disagree, one line each.
    """

    steps: tuple[GoldenStep, ...]
    faults: tuple[str, ...]


def find_baseline(workspace: Workspace, given: Path | None) -> Path:
    """The folder that is meant: the one given, or the one that judged the newest run.

    Raises:
      ConfigError: it holds no case set, or no run names one.
    """
    if given is None:
        folders = known_baselines(workspace)
        if not folders:
            raise ConfigError(
                f"{workspace.root}: no run has come to a decision; run the pipeline first, or "
                "name the folder with --baseline"
            )
        return folders[-1]
    folder = given.resolve()
    if not (folder / CASE_SET).exists():
        raise ConfigError(f"--baseline {given}: holds no {CASE_SET}")
    return folder


def show_golden(root: Path, given: Path | None = None) -> Shown:
    """What golden is now, and what waits for approval; changes nothing.

    Raises:
      ConfigError: as `find_baseline`.
      IntegrityError: golden, proposal, case set or ledger were edited.
    """
    workspace = Workspace(root.resolve())
    baseline = find_baseline(workspace, given)
    golden, proposal = golden_of(baseline), baseline / PROPOSAL
    entries = Ledger(workspace.ledger).entries()
    recorded = recorded_goldens(entries, recorded_name(baseline, workspace.root))
    return Shown(
        baseline=baseline,
        case_set=load_case_set(baseline / CASE_SET),
        golden=golden,
        proposal=load_proposal(proposal) if proposal.exists() else None,
        unfinished=unfinished(recorded, golden),
    )


def shares_right(scores: CaseScores, case_set: CaseSet) -> tuple[RightShare, RightShare] | None:
    """Sensitivity and specificity on the case set; None where another version was scored."""
    try:
        values = aligned(scores, case_set, who="golden")
    except IntegrityError:
        return None
    calls = values >= scores.operating_point
    shares = []
    for label in (1, 0):
        ours = [bool(call) for call, c in zip(calls, case_set.cases) if c.label == label]
        shares.append(RightShare(ours.count(bool(label)), len(ours)))
    return shares[0], shares[1]


def golden_history(root: Path, given: Path | None = None) -> tuple[Path, History]:
    """The baseline's folder, and every golden it had.

    Raises:
      ConfigError: as `find_baseline`.
      IntegrityError: a golden or the ledger was edited.
    """
    workspace = Workspace(root.resolve())
    baseline = find_baseline(workspace, given)
    entries = Ledger(workspace.ledger).entries()
    recorded = recorded_goldens(entries, recorded_name(baseline, workspace.root))
    seqs = {r.golden_sha256: r.entry.seq for r in recorded}
    steps: dict[str, GoldenStep] = {}
    for file in [*archived_goldens(baseline), baseline / GOLDEN]:
        if file.exists():
            golden = load_golden(file)
            sha256 = golden.golden_sha256
            steps.pop(sha256, None)  # archived already, by an approval that was cut short
            steps[sha256] = GoldenStep(file, golden, seqs.get(sha256))
    faults = _faults(baseline, recorded, list(steps.values()))
    return baseline, History(tuple(steps.values()), tuple(faults))


def _faults(
    baseline: Path, recorded: tuple[Recorded, ...], steps: list[GoldenStep]
) -> Iterator[str]:
    numbers = [int(file.stem.rpartition("-")[2]) for file in archived_goldens(baseline)]
    for missing in sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers)):
        yield f"history/golden-{missing:04d}.json is missing"
    there = {step.golden.golden_sha256 for step in steps}
    carried = {r.before for r in recorded if r.entry.kind == "amendment"}
    current = golden_of(baseline)
    cut_short = unfinished(recorded, current)
    for r in recorded:
        where = f"entry {r.entry.seq} of the ledger ({r.entry.kind} by {r.entry.by}, {r.entry.at})"
        if r is cut_short:
            state = "was cut short and is not in effect"
            yield f"{where} {state}: give the same command again to finish it"
        elif r.golden_sha256 not in there and r.golden_sha256 not in carried:
            yield f"{where} approves a golden that no file holds"
    known = False
    for step in steps:
        known = known or step.seq is not None
        if known and step.seq is None:  # one from before the first entry is none of the ledger's
            yield (
                f"{step.file.relative_to(baseline)}: approved by {step.golden.approval.by} on "
                f"{step.golden.approval.date}, which the ledger does not record"
            )
    order = [step.seq for step in steps if step.seq is not None]
    if order != sorted(order):
        yield "the files are not in the order of the ledger"
    last = recorded[-1] if recorded and not cut_short else None
    if last and current and current.golden_sha256 != last.golden_sha256:
        yield f"golden.json is not the golden of entry {last.entry.seq}, the last on record"
