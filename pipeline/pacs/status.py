"""How a node's queue stands, as a program and as a person reads it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.records.clock import current_time
from components.records.errors import CasegateError, ConfigError
from components.report.terminal import print_line
from pipeline.pacs.judge import check_release
from pipeline.pacs.queue import DEAD, LEFT_OUT, WAITING, PacsQueue
from pipeline.pacs.settings import PacsConfig
from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

ALL = "all"


def look(config: PacsConfig) -> dict[str, Any]:
    """Which release answers or why none does, what is in each state, and what was given up.

    `oldest_s` is for how many seconds the oldest waits; None where nothing does.

    Raises:
      ConfigError: the queue or the settings cannot be used.
    """
    queue, release, why_none = PacsQueue(config.folder, config.queue), "", ""
    settings = load_config(Path(config.settings) if config.settings else None)
    try:
        found = check_release(settings, Workspace(Path(config.workspace).resolve()))
        release = f"{found.name} {found.version}"
    except CasegateError as error:
        why_none = str(error)
    waiting = [one.arrived for one in queue.items(WAITING)]
    dead = queue.items(DEAD)
    return {
        "release": release,
        "why_none": why_none,
        "counts": queue.counts(),
        "oldest_s": current_time().timestamp() - min(waiting) if waiting else None,
        "dead": [{"key": one.key, "reason": one.reason, "tries": one.attempts} for one in dead],
    }


def revive(config: PacsConfig, key: str, *, again: bool) -> None:
    """Tries what was given up again, or drops it with its file.

    Args:
      key: or ALL.

    Raises:
      ConfigError: nothing of that key was given up.
    """
    queue = PacsQueue(config.folder, config.queue)
    dead = [one.key for one in queue.items(DEAD) if key in (ALL, one.key)]
    if not dead and key != ALL:
        raise ConfigError(f"{key}: nothing of this key was given up")
    for one in dead:
        queue.revive(one, WAITING if again else LEFT_OUT)
        if not again:
            (config.folder / "spool" / f"{one}.dcm").unlink(missing_ok=True)


def show(console: "Console", found: dict[str, Any]) -> None:
    """Prints what `look` found."""
    release, why = found["release"], found["why_none"]
    print_line(console, f"pictures wait: {why}" if why else f"asks {release}", why and "yellow")
    counts = ", ".join(f"{n:,} {state}" for state, n in sorted(found["counts"].items()))
    print_line(console, counts or "nothing came yet", "")
    if found["oldest_s"] is not None:
        print_line(console, f"the oldest waits for {found['oldest_s']:,.0f} s", "")
    for one in found["dead"]:
        print_line(console, f"{one['key']}: given up after {one['tries']}: {one['reason']}", "")
