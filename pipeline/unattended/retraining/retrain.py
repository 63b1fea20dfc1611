"""One retraining that nobody watches, from the lock to the notice.

Whether there is anything new is for the run itself to say. It compares data, settings, policy,
baseline and code by their content before TensorFlow is imported, and a second opinion here would
be one more that can be wrong.

What comes after a run changes nothing of what the run came to: its record closed, a person told,
and what is old let go. What goes wrong there is reported, never raised.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from components.lineage.address import read_password
from components.lineage.record import RunRecord, Why, load_record
from components.notify.delivery import Delivery
from components.notify.notice import Message
from components.records.clock import utc_now
from components.records.errors import CasegateError, WorkspaceBusy
from components.records.files import write_atomically
from components.records.run_files import RUN_RECORD
from components.records.text import kind_and_words
from components.release.serving import versions
from pipeline.settings.config import AROUND, REPOSITORY, Config, load_config
from pipeline.settings.sections import NotifyConfig, RetentionConfig
from pipeline.settings.workspace import Workspace
from pipeline.unattended.notifying.channels import SMTP_PASSWORD, WEBHOOK_SECRET
from pipeline.unattended.notifying.channels import check as check_channels
from pipeline.unattended.retraining.attempt import (
    Attempt,
    AttemptJournal,
    Damaged,
    Retrained,
    interrupted,
    killed,
    new_attempt_id,
    refused,
    settled,
)
from pipeline.unattended.retraining.child import Ended, supervise
from pipeline.unattended.retraining.notice import message
from pipeline.unattended.retraining.tries import ChildOutcome, Try, run_tries

if TYPE_CHECKING:
    from pipeline.unattended.retention.prune import Pruned

POLL_S = 2.0  # between two looks at whether the workspace is free
SETTINGS = "config.json"
# The child tells nobody of anything; and byte code that is not written costs every run seconds.
NOT_FOR_THE_CHILD = (WEBHOOK_SECRET, SMTP_PASSWORD, "PYTHONDONTWRITEBYTECODE")
# `casegate` of this very installation: the code that this process runs, wherever it is started.
CASEGATE = (
    sys.executable,
    "-c",
    f"import sys; sys.path[0] = {str(REPOSITORY)!r}; "
    "from pipeline.cli import main; main(prog_name='casegate')",
)


@dataclass(frozen=True)
class ProgressLines:
    """Called with a line, passes it on; a closed pipe on the other side ends nothing."""

    say: Callable[[str], None]

    def __call__(self, line: str) -> None:
        with suppress(OSError):
            self.say(line)

    @contextmanager
    def reporting(self, what: str) -> Iterator[None]:
        """Says that `what`, where the block raises: it comes beside a run and changes nothing."""
        try:
            yield
        except Exception as error:
            self(f"{what}: {kind_and_words(error)}")

    @contextmanager
    def writing(self, place: Path) -> Iterator[None]:
        """Says that a place cannot be written to, on a full disk; what comes next goes on."""
        try:
            yield
        except OSError as error:
            self(f"{place}: cannot be written to: {error.strerror or error}")


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """A first SIGTERM raises KeyboardInterrupt in the block; a second does not disturb its end.

    Only the main thread can be told of signals; elsewhere this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def refuse_full_disk(config: Config, workspace: Workspace) -> None:
    """Raises CasegateError where the workspace, or the folder releases go to, has too little room.

    How much is enough is `retraining.free_disk_gib`.
    """
    wanted = config.retraining.free_disk_gib
    served = workspace.destination(config.serving.model_name, config.serving.directory).parent
    for place in (workspace.root, served):
        there = next(each for each in (place, *place.parents) if each.exists())
        free = shutil.disk_usage(there).free / 2**30
        if free < wanted:
            raise CasegateError(
                f"{place}: the disk has {free:.2f} GiB free, wanted {wanted:g} "
                "(retraining.free_disk_gib); remove what is not needed, for example with "
                "`casegate prune`, or give it more room"
            )


def write_settings(config: Config, folder: Path) -> Path:
    """Keeps the resolved settings that decide a verdict, so that each try runs on the same.

    Those around a run stay out: the child needs none, and a webhook's address may be a secret.
    """
    settings = asdict(config)
    deciding = {name: part for name, part in settings.items() if name not in AROUND}
    path = folder / SETTINGS
    write_atomically(path, json.dumps(deciding, indent=2, sort_keys=True).encode() + b"\n")
    return path


def run_command(
    program: Sequence[str], settings: Path, workspace: Workspace, *, trigger: str, why: str | None
) -> list[str]:
    """`casegate run` on these settings, its outcome as JSON on standard output."""
    command = [*program, "run", "--config", str(settings), "--workspace", str(workspace.root)]
    command += ["--trigger", trigger, "--format", "json"]
    return [*command, "--why", why] if why else command


def environment() -> dict[str, str]:
    """This process's, without what is none of the child's business."""
    return {key: value for key, value in os.environ.items() if key not in NOT_FOR_THE_CHILD}


def tell(
    config: NotifyConfig, workspace: Workspace, notice: Message, say: ProgressLines
) -> tuple[Delivery, ...]:
    """Tells a person; a delivery for each channel."""
    from pipeline.unattended.notifying import notify

    deliveries: tuple[Delivery, ...] = ()
    with say.reporting("nobody could be told"):
        deliveries = notify.tell(config, workspace, notice)
    for each in deliveries:
        if each.state == "failed":
            reason = each.reasons[-1] if each.reasons else "unknown"
            say(f"nobody could be told by {each.channel}: {reason}")
    return deliveries


def apply_retention(
    config: RetentionConfig, workspace: Workspace, say: ProgressLines
) -> "Pruned | None":
    """Applies the retention policy; None where that could not be done."""
    from pipeline.unattended.retention.prune import prune

    with say.reporting("nothing could be pruned"):
        return prune(config, workspace)
    return None


def close_dead_run(workspace: Workspace, say: ProgressLines) -> None:
    """Closes the record that a child left open when it died."""
    if not workspace.identity.exists():  # it did not get far enough to leave one
        return
    from pipeline.run.recorder import close_dead

    with say.reporting("the record of the run could not be closed"), workspace.opened():
        close_dead(workspace)


def find_run(workspace: Workspace, attempt: Attempt, known: set[str]) -> RunRecord | None:
    """The record of the run that this attempt led to, if that holds.

    Where the attempt does not name it, the newest that it started and that is not among those
    `known` before it.
    """
    why = Why(attempt.trigger, attempt.why or None)
    started = sorted(_run_ids(workspace) - known, reverse=True)
    for run_id in [attempt.run_id] if attempt.run_id else started:
        with suppress(CasegateError, OSError):
            record = load_record(workspace.run_folder(run_id) / RUN_RECORD)
            if attempt.run_id or record.why == why:
                return record
    return None


def _run_ids(workspace: Workspace) -> set[str]:
    return {path.name for path in workspace.runs.glob("*")}


def retrain(
    config_path: Path | None,
    settings: Sequence[str],
    workspace: Workspace,
    *,
    trigger: str,
    why: str | None = None,
    say: Callable[[str], None] = lambda line: None,
    now: Callable[[], str] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
    program: Sequence[str] | None = None,
) -> Retrained:
    """Retrains once, releases what passes, and tells a person.

    Args:
      trigger: schedule, drift or manual.
      say: told of progress, a line each; an OSError of it is nobody's concern.
      program: what is run in place of `casegate`.

    Raises:
      ConfigError: the settings, or a workspace that cannot be written to.
      WorkspaceBusy: another retraining goes on.
      KeyboardInterrupt: it was told to end, and did; that is in its record, and a person knows.
    """
    config = load_config(config_path, settings)
    check_channels(config.notify)
    workspace = Workspace(workspace.root.resolve())
    workspace.refuse_pattern()
    journal = AttemptJournal(workspace)
    started = program or CASEGATE
    with journal.locked(), terminated_as_interrupted():
        once = _Retraining(config, workspace, journal, ProgressLines(say), now, sleep, started)
        return once.retrain(trigger, why)


@dataclass(frozen=True)
class _Retraining:
    """What stays the same from the beginning of an attempt to its end."""

    config: Config
    workspace: Workspace
    journal: AttemptJournal
    say: ProgressLines
    now: Callable[[], str]
    sleep: Callable[[float], None]
    program: Sequence[str]

    def retrain(self, trigger: str, why: str | None) -> Retrained:
        left = self.journal.unfinished()
        if left is not None:
            self._tell_of_killed(left)
        attempt = Attempt(
            attempt_id=new_attempt_id(),
            trigger=trigger,
            why=why or None,
            started=self.now(),
            pid=os.getpid(),
            data=self.config.data.source,
            version_before=left.version_before if isinstance(left, Attempt) else self._served(),
        )
        with self.say.writing(self.journal.folder):
            self.journal.begin(attempt)
        known, begun = _run_ids(self.workspace), time.monotonic()
        outcome: ChildOutcome | None = None
        stopped: KeyboardInterrupt | None = None
        try:
            tries = self._tries(attempt)
            outcome = tries[-1].outcome
            attempt = settled(attempt, tries, self.config, again=left is not None)
            if tries[-1].died:
                close_dead_run(self.workspace, self.say)
        except KeyboardInterrupt as error:
            stopped, attempt = error, interrupted(attempt)
            close_dead_run(self.workspace, self.say)
        except Exception as error:
            attempt = refused(attempt, error)
        if (record := find_run(self.workspace, attempt, known)) is not None:
            data = record.inputs.data or attempt.data
            attempt = replace(attempt, run_id=record.run_id, data=data)
        attempt = replace(
            attempt,
            finished=self.now(),
            seconds=round(time.monotonic() - begun, 3),
            version=self._served(),
        )
        ended = self._ended(attempt, outcome)
        if stopped is not None:
            raise stopped
        return ended

    def _tries(self, attempt: Attempt) -> list[Try]:
        refuse_full_disk(self.config, self.workspace)
        password = read_password()
        folder = self.journal.folder_of(attempt)
        settings = write_settings(self.config, folder)
        command = run_command(
            self.program, settings, self.workspace, trigger=attempt.trigger, why=attempt.why
        )

        def start(seconds: float) -> Ended:
            return supervise(
                command,
                seconds=seconds,
                memory_gib=self.config.retraining.memory_gib,
                environment=environment(),
                log=self.journal.log_of(attempt),
                say=self.say,
                secrets=[password] if password else [],
            )

        return run_tries(
            start,
            self.config.retraining,
            room=lambda: refuse_full_disk(self.config, self.workspace),
            freed=self._freed,
            say=self.say,
            sleep=self.sleep,
        )

    def _ended(self, attempt: Attempt, outcome: ChildOutcome | None) -> Retrained:
        """Writes the attempt down, tells a person, and lets go of what need not be kept."""
        with self.say.writing(self.journal.folder):
            self.journal.end(attempt)
        deliveries = self._tell(attempt, outcome)
        with self.say.writing(self.journal.folder):
            self.journal.close(attempt)
        if attempt.state == "nothing_new":  # a schedule would fill the folder with these
            shutil.rmtree(self.journal.folder_of(attempt), ignore_errors=True)
        pruned = None
        if outcome is not None:
            pruned = apply_retention(self.config.retention, self.workspace, self.say)
        return Retrained(attempt, outcome, deliveries, pruned)

    def _tell_of_killed(self, left: Attempt | Damaged) -> None:
        """Writes down that an earlier attempt was killed.

        Where its line is there already, only the notice may be missing. What its run came to still
        stands, and a person is told of that by this attempt.
        """
        if isinstance(left, Damaged):
            self.say(f"{self.journal.state}: is damaged; taken for an attempt that was killed")
        elif not self.journal.has_line(left):
            gone = replace(killed(left), version=self._served())
            with self.say.writing(self.journal.folder):
                self.journal.end(gone)
            self.say(str(gone.error))
            self._tell(gone, None)

    def _tell(self, attempt: Attempt, outcome: ChildOutcome | None) -> tuple[Delivery, ...]:
        decision = outcome.decision if outcome else None
        log = self.journal.log_of(attempt)
        notice = message(
            attempt, decision, self.workspace, model=self.config.serving.model_name, log=log
        )
        return tell(self.config.notify, self.workspace, notice, self.say)

    def _freed(self, seconds: float) -> bool:
        """Waits for whoever holds the workspace."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(WorkspaceBusy), self.workspace.opened():
                return True
            if time.monotonic() >= deadline:
                return False
            self.sleep(POLL_S)

    def _served(self) -> int | None:
        """The highest version at the destination; None where nothing is released."""
        serving = self.config.serving
        found = versions(self.workspace.destination(serving.model_name, serving.directory))
        return found[-1] if found else None
