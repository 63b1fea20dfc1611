"""What comes after a run: its record closed, a person told, and what is old let go.

None of it changes what the run came to. What goes wrong here is said, never raised.
"""

import contextlib
from typing import TYPE_CHECKING

from components.lineage.record import RunRecord, Why, load_record
from components.notify.notice import Message
from components.records.errors import CasegateError
from components.records.run_files import RUN_RECORD
from components.release.serving import versions
from pipeline.settings.config import Config, NotifyConfig, RetentionConfig
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.attempt import Attempt
from pipeline.unattended.retraining.saying import Saying

if TYPE_CHECKING:
    from components.notify.delivery import Delivery
    from pipeline.unattended.retention import Pruned


def tell(
    config: NotifyConfig, workspace: Workspace, notice: Message, say: Saying
) -> "tuple[Delivery, ...]":
    """Tells a person; a delivery for each channel."""
    from pipeline.unattended import notifying

    told: tuple[Delivery, ...] = ()
    with say.instead("nobody could be told"):
        told = notifying.tell(config, workspace, notice)
    for each in told:
        if each.state == "failed":
            reason = each.reasons[-1] if each.reasons else "unknown"
            say(f"nobody could be told by {each.channel}: {reason}")
    return told


def pruned(config: RetentionConfig, workspace: Workspace, say: Saying) -> "Pruned | None":
    """Applies the retention policy; None where that could not be done."""
    from pipeline.unattended.retention import prune

    with say.instead("nothing could be pruned"):
        return prune(config, workspace)
    return None


def close_dead_run(workspace: Workspace, say: Saying) -> None:
    """Closes the record that a child left open when it died."""
    if not workspace.identity.exists():  # it did not get far enough to leave one
        return
    from pipeline.run.recorder import close_dead

    with say.instead("the record of the run could not be closed"), workspace.opened():
        close_dead(workspace)


def run_of(workspace: Workspace, attempt: Attempt, known: set[str]) -> RunRecord | None:
    """The newest run that this attempt started and that is not among those `known` before it."""
    why = Why(attempt.trigger, attempt.why or None)
    for run_id in sorted(run_ids(workspace) - known, reverse=True):
        record = record_of(workspace, run_id)
        if record is not None and record.why == why:
            return record
    return None


def run_ids(workspace: Workspace) -> set[str]:
    """Runs that have a folder."""
    if not workspace.runs.is_dir():
        return set()
    return {path.name for path in workspace.runs.iterdir()}


def record_of(workspace: Workspace, run_id: str) -> RunRecord | None:
    """A run's record; None where there is none that holds."""
    with contextlib.suppress(CasegateError, OSError):
        return load_record(workspace.run_folder(run_id) / RUN_RECORD)
    return None


def served_version(config: Config, workspace: Workspace) -> int | None:
    """The highest version at the destination; None where nothing is released."""
    found = versions(workspace.destination(config.serving.model_name, config.serving.directory))
    return found[-1] if found else None
