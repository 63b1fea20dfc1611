"""What golden is, how it came about, and whether files and ledger tell the same story."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import Golden, GoldenProposal, load_golden, load_proposal
from components.baselines.names import CASE_SET, GOLDEN
from components.baselines.scores import CaseScores, aligned
from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import recorded_name
from pipeline.governance.approval import known_baselines
from pipeline.governance.golden_record import (
    PROPOSAL,
    Recorded,
    archived_goldens,
    golden_of,
    recorded_goldens,
    unfinished,
)
from pipeline.settings.workspace import Workspace


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
        right = [
            bool(call) == bool(label) for call, c in zip(calls, case_set.cases) if c.label == label
        ]
        shares.append(RightShare(sum(right), len(right)))
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
            yield (
                f"{where} was cut short and is not in effect: give the same command again to "
                "finish it"
            )
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
    if (
        recorded
        and not cut_short
        and current
        and current.golden_sha256 != recorded[-1].golden_sha256
    ):
        yield (
            f"golden.json is not the golden of entry {recorded[-1].entry.seq}, the last on record"
        )
