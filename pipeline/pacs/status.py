"""How a node's queue stands, as a person and as a program reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.records.clock import current_time
from components.records.errors import CasegateError, ConfigError
from pipeline.pacs.judge import check_release
from pipeline.pacs.queue import DEAD, LEFT_OUT, WAITING, Item, PacsQueue
from pipeline.pacs.settings import PacsConfig
from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

ALL = "all"


@dataclass(frozen=True)
class PacsStatus:
    """Attributes:
    release: what answers; empty where nothing can be vouched for, and then `why_none` says why.
    counts: how many instances are in each state.
    oldest_s: seconds since the oldest that waits came; None where none does.
    dead: what a person has to look at.
    """

    release: str
    why_none: str
    counts: Mapping[str, int]
    oldest_s: float | None
    dead: Sequence[Item]

    @property
    def exit_code(self) -> int:
        return int(bool(self.dead or self.why_none))

    def as_json(self) -> dict[str, Any]:
        dead = [{"key": one.key, "reason": one.reason, "tries": one.attempts} for one in self.dead]
        return {**vars(self), "counts": dict(self.counts), "dead": dead}

    def show(self, console: "Console") -> None:
        from components.report.terminal import print_line

        oldest = "" if self.oldest_s is None else f"; the oldest waits for {self.oldest_s:,.0f} s"
        counts = ", ".join(f"{n:,} {state}" for state, n in sorted(self.counts.items()))
        release = f"asks {self.release}" if self.release else f"pictures wait: {self.why_none}"
        print_line(console, release, "" if self.release else "yellow")
        print_line(console, (counts or "nothing came yet") + oldest, "")
        for one in self.dead:
            print_line(console, f"{one.key}: given up after {one.attempts + 1}: {one.reason}", "")


def look(config: PacsConfig, *, again: str | None = None, drop: str | None = None) -> PacsStatus:
    """How things stand, after what was given up is tried again or dropped, if that is asked for.

    Args:
      again, drop: a key, or ALL.

    Raises:
      ConfigError: nothing of that key was given up, or the queue cannot be used.
    """
    queue = PacsQueue(config.folder, config.queue)
    for key, state in ((again, WAITING), (drop, LEFT_OUT)):
        if key is None:
            continue
        dead = [one.key for one in queue.items(DEAD) if key in (ALL, one.key)]
        if not dead and key != ALL:
            raise ConfigError(f"{key}: nothing of this key was given up")
        for one in dead:
            queue.revive(one, state)
            if state == LEFT_OUT:
                (config.folder / "spool" / f"{one}.dcm").unlink(missing_ok=True)
    settings = load_config(Path(config.settings) if config.settings else None)
    release = why = ""
    try:
        found = check_release(settings, Workspace(Path(config.workspace).resolve()))
        release = f"{found.name} {found.version}"
    except CasegateError as error:
        why = str(error)
    waiting = [one.arrived for one in queue.items(WAITING)]
    oldest = current_time().timestamp() - min(waiting) if waiting else None
    return PacsStatus(release, why, queue.counts(), oldest, queue.items(DEAD))
