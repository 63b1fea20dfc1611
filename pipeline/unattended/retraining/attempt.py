"""One retraining: what it came to, and what it left on disk.

`retraining/state.json` says which one goes on, so that the next can tell that it was killed;
`retraining/attempts.jsonl` has a line for each that ended. Nothing here goes by the order of times:
clocks are set, and go back.
"""

import json
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.decision import EXIT_FAIL, EXIT_INCONCLUSIVE, Verdict
from components.notify.delivery import Delivery
from components.records.clock import current_time
from components.records.errors import CasegateError
from components.records.files import write_atomically
from components.records.json_lines import append_json
from components.report.words import explain
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.tries import ChildOutcome, Try

if TYPE_CHECKING:
    from pipeline.unattended.retention.prune import Pruned


@dataclass(frozen=True)
class Attempt:
    """Attributes:
    attempt_id: sorts by time, and is unique whatever the clock does.
    trigger, why: what started it: schedule, drift or manual, and one line.
    started, finished: ISO 8601 in UTC.
    seconds: by a clock that nobody sets.
    version_before: highest version that was served when it started; None for none.
    data: the source of the data, as the run resolved it where one did.
    state: running, or one of `notice.KINDS`.
    """

    attempt_id: str
    trigger: str
    why: str | None
    started: str
    pid: int
    data: str
    version_before: int | None
    state: str = "running"
    finished: str | None = None
    seconds: float | None = None
    exit_code: int | None = None
    run_id: str | None = None
    version: int | None = None
    report: str | None = None
    error: str | None = None
    tries: tuple[Try, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "tries": [each.as_json() for each in self.tries]}


def new_attempt_id() -> str:
    """20260131T101500Z-4f2a91: two in one second, or after a clock went back, differ."""
    moment = current_time().strftime("%Y%m%dT%H%M%SZ")
    return f"{moment}-{secrets.token_hex(3)}"


@dataclass(frozen=True)
class Retrained:
    """Attributes:
    attempt: what became of it; its line in `retraining/attempts.jsonl`.
    outcome: what the run decided, or what stands where it found nothing new; None without one.
    pruned: what the retention policy removed; None where it was not applied.
    """

    attempt: Attempt
    outcome: ChildOutcome | None
    deliveries: tuple[Delivery, ...] = ()
    pruned: "Pruned | None" = None

    @property
    def state(self) -> str:
        return self.attempt.state

    @property
    def exit_code(self) -> int:
        """The run's own; 0 where there was nothing new."""
        assert self.attempt.exit_code is not None
        return self.attempt.exit_code

    def as_json(self) -> dict[str, Any]:
        """For machines; the decision itself is in the run's folder."""
        pruned, names = self.pruned, ("channel", "state", "reasons")
        return {
            **self.attempt.as_json(),
            "verdict": self.outcome.decision.verdict.value if self.outcome else None,
            "told": [{name: vars(each)[name] for name in names} for each in self.deliveries],
            "pruned": {"files": pruned.files, "bytes": pruned.bytes} if pruned else None,
        }


def settled(attempt: Attempt, tries: Sequence[Try], config: Config, *, again: bool) -> Attempt:
    """The attempt after its last try.

    Args:
      again: an earlier attempt was killed, and nobody was told what it came to.
    """
    last, outcome = tries[-1], tries[-1].outcome
    attempt = replace(attempt, tries=tuple(tries))
    if outcome is None:
        return replace(attempt, state="failed", exit_code=last.exit_code, error=last.reason)
    objections = (explain(check) for check in outcome.decision.checks if check.open)
    state = _state(outcome, attempt.version_before, config, again=again or len(tries) > 1)
    return replace(
        attempt,
        state=state,
        exit_code=0 if state == "nothing_new" else outcome.exit_code,
        run_id=outcome.decision.run_id,
        report=outcome.report,
        error=next(objections, "the gate gave no reason") if state == "failed" else None,
    )


def refused(attempt: Attempt, error: Exception) -> Attempt:
    """The attempt where no child could be started."""
    if not isinstance(error, CasegateError):
        error = CasegateError(f"internal error: {type(error).__name__}: {error}")
    line = " ".join(error.line.split())
    return replace(attempt, state="failed", exit_code=error.exit_code, error=line)


def interrupted(attempt: Attempt) -> Attempt:
    """The attempt that a signal or a person ended, with the exit code that shells give that."""
    words = "the retraining was told to end before it was done"
    return replace(attempt, state="interrupted", exit_code=130, error=words)


def killed(attempt: Attempt) -> Attempt:
    """The attempt whose own process ended without a word."""
    words = f"the retraining of {attempt.started} was killed, or the machine went down"
    return replace(attempt, state="killed", error=words)


def _state(outcome: ChildOutcome, before: int | None, config: Config, *, again: bool) -> str:
    """How it ended.

    A try that died may have decided and released before; the one after it then finds nothing new,
    which is the news of this attempt.
    """
    if outcome.unchanged and not again:
        return "nothing_new"
    if outcome.exit_code in (EXIT_FAIL, EXIT_INCONCLUSIVE):
        return "blocked" if outcome.exit_code == EXIT_FAIL else "inconclusive"
    if outcome.decision.verdict is not Verdict.PASS:
        return "failed"  # an integrity error, nothing evaluated, or a gate that is broken
    if not config.serving.release:
        return "passed"
    if outcome.unchanged or outcome.already_released:
        if again and outcome.version != before:
            return "released"
        return "nothing_new" if outcome.unchanged else "already_released"
    return "released"


@dataclass(frozen=True)
class Damaged:
    """What stands in the place of an attempt that cannot be read."""


class AttemptJournal:
    """The folder `retraining/` of a workspace; to be written to by who holds the lock."""

    def __init__(self, workspace: Workspace) -> None:
        self.root = workspace.root
        self.folder = workspace.root / "retraining"
        self.state = self.folder / "state.json"
        self.attempts = self.folder / "attempts.jsonl"

    def locked(self) -> AbstractContextManager[None]:
        """One retraining at a time; the lock goes with the process, even if killed.

        Raises:
          WorkspaceBusy: another one goes on.
          ConfigError: the folder cannot be made or written to.
        """

        def busy() -> str:
            running = self._read().get("running") or {}
            since = f"process {running.get('pid')} (since {running.get('started')})"
            by = since if "pid" in running else "another process"
            return f"{self.root}: {by} retrains it; wait for it to end"

        return Workspace(self.root).locked(".retrain.lock", busy)

    def begin(self, attempt: Attempt) -> None:
        """Says on disk that this attempt goes on."""
        self._write(running=attempt.as_json(), last=self._read().get("last"))

    def end(self, attempt: Attempt) -> None:
        """Writes an attempt's line; `state.json` says that it goes on until `close`."""
        append_json(self.attempts, attempt.as_json())

    def close(self, attempt: Attempt) -> None:
        """Says that all was done about the attempt: its line is written and a person told."""
        self._write(running=None, last=attempt.as_json())

    def unfinished(self) -> "Attempt | Damaged | None":
        """An attempt that `begin` wrote and `close` never saw; for who holds the lock, it is dead.

        Damaged where what is there says nothing: then something did not end as it should.
        """
        running = self._read().get("running")
        if running is None:
            return None
        try:
            return Attempt(**{**running, "tries": ()})
        except TypeError:
            return Damaged()

    def has_line(self, attempt: Attempt) -> bool:
        wanted = attempt.attempt_id.encode()
        content = self.attempts.read_bytes() if self.attempts.exists() else b""
        return any(wanted in line for line in content.split(b"\n")[:-1])

    def folder_of(self, attempt: Attempt) -> Path:
        """What its children were given and wrote."""
        return self.folder / attempt.attempt_id

    def log_of(self, attempt: Attempt) -> Path:
        return self.folder_of(attempt) / "child.log"

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self.state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            document = None
        sound = isinstance(document, dict) and isinstance(document.get("running", {}), dict | None)
        return document if sound else {"running": {}}

    def _write(self, **document: Any) -> None:
        text = json.dumps(document, indent=2, sort_keys=True)
        write_atomically(self.state, f"{text}\n".encode())
