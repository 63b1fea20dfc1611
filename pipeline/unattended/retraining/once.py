"""One retraining that nobody watches, from the lock to the notice.

Whether there is anything new is for the run itself to say. It compares data, settings, policy,
baseline and code by their content before TensorFlow is imported, and a second opinion here would
be one more that can be wrong.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from components.lineage.password import read_password
from components.records.clock import utc_now
from components.records.errors import WorkspaceBusy
from pipeline.settings.config import Config, load_config
from pipeline.settings.workspace import Workspace
from pipeline.unattended.notifying import check as refuse_untellable
from pipeline.unattended.retraining import aftermath, invocation
from pipeline.unattended.retraining.attempt import Attempt, new_attempt_id
from pipeline.unattended.retraining.child import Ended, Limits, supervise
from pipeline.unattended.retraining.disk import refuse_full_disk
from pipeline.unattended.retraining.journal import AttemptJournal, Damaged
from pipeline.unattended.retraining.notice import message
from pipeline.unattended.retraining.result import interrupted, killed, refused, settled
from pipeline.unattended.retraining.retrained import Retrained
from pipeline.unattended.retraining.saying import Saying
from pipeline.unattended.retraining.stopping import terminated_as_interrupted
from pipeline.unattended.retraining.tries import ChildOutcome, Try, run_tries

if TYPE_CHECKING:
    from components.notify.delivery import Delivery

POLL_S = 2.0  # between two looks at whether the workspace is free


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
      config_path, settings: as `load_config` takes them.
      trigger: schedule, drift or manual.
      say: told of progress, a line each; an OSError of it is nobody's concern.
      program: what is run in place of `casegate`.

    Raises:
      ConfigError: the settings, or a workspace that cannot be written to.
      WorkspaceBusy: another retraining goes on.
      KeyboardInterrupt: it was told to end, and did; that is in its record, and a person knows.
    """
    config = load_config(config_path, settings)
    refuse_untellable(config.notify)
    workspace = Workspace(workspace.root.resolve())
    journal = AttemptJournal(workspace)
    started = program or invocation.casegate()
    with journal.held(), terminated_as_interrupted():
        once = _Once(config, workspace, journal, Saying(say), now, sleep, started)
        return once.retrain(trigger, why)


@dataclass(frozen=True)
class _Once:
    """What stays the same from the beginning of an attempt to its end."""

    config: Config
    workspace: Workspace
    journal: AttemptJournal
    say: Saying
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
        known, begun = aftermath.run_ids(self.workspace), time.monotonic()
        outcome: ChildOutcome | None = None
        stopped: KeyboardInterrupt | None = None
        try:
            tries = self._tries(attempt)
            outcome = tries[-1].outcome
            attempt = settled(attempt, tries, self.config, again=left is not None)
            if tries[-1].died:
                aftermath.close_dead_run(self.workspace, self.say)
        except KeyboardInterrupt as error:
            stopped, attempt = error, interrupted(attempt)
            aftermath.close_dead_run(self.workspace, self.say)
        except Exception as error:
            attempt = refused(attempt, error)
        attempt = replace(
            self._with_run(attempt, known),
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
        settings = invocation.write_settings(self.config, folder)
        command = invocation.run_command(
            self.program, settings, self.workspace, trigger=attempt.trigger, why=attempt.why
        )

        def start(seconds: float) -> Ended:
            return supervise(
                command,
                limits=Limits(seconds, self.config.retraining.memory_gib),
                environment=invocation.environment(),
                log=self.journal.log_of(attempt),
                heard=self.say,
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
        told = self._tell(attempt, outcome)
        with self.say.writing(self.journal.folder):
            self.journal.close(attempt)
        if attempt.state == "nothing_new":  # a schedule would fill the folder with these
            shutil.rmtree(self.journal.folder_of(attempt), ignore_errors=True)
        pruned = None
        if outcome is not None:
            pruned = aftermath.pruned(self.config.retention, self.workspace, self.say)
        return Retrained(attempt, outcome, told, pruned)

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

    def _tell(self, attempt: Attempt, outcome: ChildOutcome | None) -> "tuple[Delivery, ...]":
        decision = outcome.decision if outcome else None
        log = self.journal.log_of(attempt)
        notice = message(
            attempt, decision, self.workspace, model=self.config.serving.model_name, log=log
        )
        return aftermath.tell(self.config.notify, self.workspace, notice, self.say)

    def _with_run(self, attempt: Attempt, known: set[str]) -> Attempt:
        """With the run it led to, and the data as that run resolved them."""
        if attempt.run_id is not None:
            record = aftermath.record_of(self.workspace, attempt.run_id)
        else:
            record = aftermath.run_of(self.workspace, attempt, known)
        if record is None:
            return attempt
        return replace(attempt, run_id=record.run_id, data=record.inputs.data or attempt.data)

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
        return aftermath.served_version(self.config, self.workspace)
