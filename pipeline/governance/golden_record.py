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
from functools import cached_property
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROPOSAL = "proposal.json"


@dataclass(frozen=True)
class GoldenStep:
    """One golden of a baseline.

    Attributes:
      seq: of the ledger's entry, None where the ledger has none for it.
    """

    file: Path
    golden: Golden
    seq: int | None


@dataclass(frozen=True, eq=False)
class GoldenRecord:
    """The goldens of a baseline: those in files, and those that the ledger knows.

    Attributes:
      golden: the one that judges now, None where there is none.
      recorded: approvals, and amendments that carried golden over, oldest first.
    """

    baseline: Path
    golden: Golden | None
    recorded: tuple[Entry, ...]

    @property
    def case_set(self) -> CaseSet:
        return load_case_set(self.baseline / CASE_SET)

    @property
    def proposal(self) -> GoldenProposal | None:
        """What waits for approval."""
        path = self.baseline / PROPOSAL
        return load_proposal(path) if path.exists() else None

    @property
    def unfinished(self) -> Entry | None:
        """The approval or amendment on record that did not reach golden's file."""
        current = self.golden.golden_sha256 if self.golden else None
        last = self.recorded[-1] if self.recorded else None
        return last if last and last.body["from_golden_sha256"] == current else None

    @cached_property
    def steps(self) -> tuple[GoldenStep, ...]:
        """Every golden in a file, oldest first, the one that judges now last.

        Raises:
          IntegrityError: one was edited.
        """
        seqs = {entry.body["to_golden_sha256"]: entry.seq for entry in self.recorded}
        steps: dict[str, GoldenStep] = {}
        for file in [*archived_goldens(self.baseline), self.baseline / GOLDEN]:
            if file.exists():
                golden = load_golden(file)
                sha256 = golden.golden_sha256
                steps.pop(sha256, None)  # archived already, by an approval that was cut short
                steps[sha256] = GoldenStep(file, golden, seqs.get(sha256))
        return tuple(steps.values())

    def faults(self) -> Iterator[str]:
        """Where ledger and files disagree, one line each."""
        numbers = list(map(_number, archived_goldens(self.baseline)))
        for missing in sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers)):
            yield f"history/golden-{missing:04d}.json is missing"
        yield from self._unheld()
        yield from self._unrecorded()
        order = [step.seq for step in self.steps if step.seq is not None]
        if order != sorted(order):
            yield "the files are not in the order of the ledger"
        if self.recorded and self.golden and not self.unfinished:
            last = self.recorded[-1]
            if self.golden.golden_sha256 != last.body["to_golden_sha256"]:
                yield f"golden.json is not the golden of entry {last.seq}, the last on record"

    def _unheld(self) -> Iterator[str]:
        """Entries whose golden is in no file."""
        there = {step.golden.golden_sha256 for step in self.steps}
        there |= {e.body["from_golden_sha256"] for e in self.recorded if e.kind == "amendment"}
        for entry in self.recorded:
            where = f"entry {entry.seq} of the ledger ({entry.kind} by {entry.by}, {entry.at})"
            if entry is self.unfinished:
                state = "was cut short and is not in effect"
                yield f"{where} {state}: give the same command again to finish it"
            elif entry.body["to_golden_sha256"] not in there:
                yield f"{where} approves a golden that no file holds"

    def _unrecorded(self) -> Iterator[str]:
        """Goldens without an entry; one from before the first entry is none of the ledger's."""
        for step in dropwhile(lambda step: step.seq is None, self.steps):
            if step.seq is None:
                approval = step.golden.approval
                yield (
                    f"{step.file.relative_to(self.baseline)}: approved by {approval.by} on "
                    f"{approval.date}, which the ledger does not record"
                )


def golden_record(
    workspace: Workspace, baseline: Path, entries: Iterable[Entry] | None = None
) -> GoldenRecord:
    """What files and ledger say of a baseline's goldens; changes nothing.

    Args:
      entries: of the workspace's ledger, where they were read already.

    Raises:
      IntegrityError: golden or the ledger was edited.
    """
    name = recorded_name(baseline, workspace.root)
    recorded: list[Entry] = []
    for entry in Ledger(workspace.ledger).entries() if entries is None else entries:
        if _moves(entry, name, recorded[-1] if recorded else None):
            recorded.append(entry)
    return GoldenRecord(baseline, golden_of(baseline), tuple(recorded))


def _moves(entry: Entry, name: str, last: Entry | None) -> bool:
    """Whether an entry moved golden of the baseline that the ledger calls `name`."""
    before, after = (entry.body.get(f"{end}_golden_sha256") for end in ("from", "to"))
    if after in (None, before):
        return False
    if entry.kind == "approval":
        return bool(entry.body["baseline"] == name)
    carried = last.body["to_golden_sha256"] if last else None
    return entry.kind == "amendment" and before is not None and before == carried


def golden_of(baseline: Path) -> Golden | None:
    """The golden that judges now, None where there is none."""
    path = baseline / GOLDEN
    return load_golden(path) if path.exists() else None


def finish(workspace: Workspace, baseline: Path, entries: tuple[Entry, ...]) -> Golden | None:
    """Carries out an approval that was cut short; returns the golden it made, None for none.

    Raises:
      IntegrityError: golden's file is not what the ledger and the history make of it.
    """
    found = golden_record(workspace, baseline, entries)
    entry = found.unfinished
    if entry is None:
        _refuse_unknown(found)
        if found.golden:
            _clear_proposal(found.golden, baseline)
        return None
    if entry.kind == "amendment":
        raise IntegrityError(
            f"{baseline / GOLDEN}: the amendment in entry {entry.seq} of the ledger was cut short; "
            "give the same `casegate cases amend` again to finish it"
        )
    run = find_run(workspace, entry.body["run_id"], entries)
    approval = Approval(entry.by, entry.body["reason"], entry.at, entry.body["decision_sha256"])
    golden = Golden(run.scores(), approval)
    if golden.golden_sha256 != entry.body["to_golden_sha256"]:
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
    number = _number(files[-1]) + 1 if files else 1
    write_atomically(baseline / HISTORY / f"golden-{number:04d}.json", content)


def _number(archived: Path) -> int:
    return int(archived.stem.rpartition("-")[2])


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


def _refuse_unknown(found: GoldenRecord) -> None:
    """Raises IntegrityError for a golden that did not come from what the ledger last recorded.

    One that was approved elsewhere since, by a colleague whose ledger is another, has the recorded
    one in its history.
    """
    if not found.recorded:
        return
    last, path = found.recorded[-1], found.baseline / GOLDEN
    if found.golden is None:
        raise IntegrityError(
            f"{path}: is gone, though entry {last.seq} of the ledger approves one; restore "
            "it from version control"
        )
    if last.body["to_golden_sha256"] not in {s.golden.golden_sha256 for s in found.steps}:
        raise IntegrityError(
            f"{path}: is not the golden that entry {last.seq} of the ledger approves, nor "
            f"one that came after it; restore it from version control"
        )


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


def shares_right(scores: CaseScores, case_set: CaseSet) -> tuple[str, str] | None:
    """Sensitivity and specificity on the case set; None where another version was scored."""
    try:
        calls = aligned(scores, case_set, who="golden") >= scores.operating_point
    except IntegrityError:
        return None
    labels = np.array([case.label for case in case_set.cases], dtype=bool)
    return _share(calls[labels]), _share(~calls[~labels])


def _share(right: "NDArray[np.bool_]") -> str:
    return f"{right.mean():.4f} ({right.sum()} of {right.size})" if right.size else "no case"
