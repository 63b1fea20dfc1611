"""How the schedule stands: where it is installed, what comes next, what was missed."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import psutil

from components.records.clock import parse_time
from components.records.json_lines import read_objects
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.attempt import AttemptJournal
from pipeline.unattended.scheduling import crontab, systemd
from pipeline.unattended.scheduling.job import ScheduledJob
from pipeline.unattended.scheduling.loop import Slots, stamp
from pipeline.unattended.scheduling.systemd import UnitPlace

# A slot that is over for less is not missed yet: cron's line asks every five minutes.
STARTED_WITHIN = timedelta(minutes=15)


@dataclass(frozen=True)
class Installed:
    """Attributes:
    how: systemd or cron.
    where: the timer's file, or the crontab.
    active: whether systemd waits for the time; None where that cannot be known.
    outdated: whether it was installed with other settings than now.
    since: when it was installed, if known.
    """

    how: str
    where: str
    active: bool | None = None
    outdated: bool = False
    since: datetime | None = None


@dataclass(frozen=True)
class ScheduleStatus:
    """Attributes:
    next_slot: by the settings, in UTC.
    last_attempt: the last line of `retraining/attempts.jsonl`.
    missed: the newest slot that is over and after which no scheduled retraining began.
    """

    cron: str
    installed: tuple[Installed, ...]
    next_slot: datetime
    last_attempt: dict[str, Any] | None
    running: bool
    missed: datetime | None

    def as_json(self) -> dict[str, Any]:
        names = ("how", "where", "active", "outdated")
        return {
            "cron": self.cron,
            "installed": [{name: vars(each)[name] for name in names} for each in self.installed],
            "next": stamp(self.next_slot),
            "last_attempt": self.last_attempt,
            "running": self.running,
            "missed": stamp(self.missed) if self.missed else None,
        }


def schedule_status(
    job: ScheduledJob, places: tuple[UnitPlace, ...], *, now: datetime
) -> ScheduleStatus:
    """Looks everywhere that `install` may have written to."""
    workspace = Workspace(job.workspace)
    found = [_in_systemd(job, place) for place in places]
    installed = [each for each in found if each is not None]
    if crontab.is_installed(job.name, job.workspace):
        outdated = not crontab.has(crontab.line(job))
        installed.append(Installed("cron", "crontab", outdated=outdated))
    attempts, running = _attempts(workspace)
    state = Slots(workspace, job.cron).state()
    known = [each.since for each in installed if each.since] + ([state.since] if state else [])
    slot = job.cron.until(now - STARTED_WITHIN)
    begun = any(
        attempt.get("trigger") == "schedule" and _is_since(slot, attempt.get("started"))
        for attempt in attempts
    )
    return ScheduleStatus(
        cron=job.cron.expression,
        installed=tuple(installed),
        next_slot=job.cron.after(now),
        last_attempt=attempts[-1] if attempts else None,
        running=running,
        missed=None if running or begun or slot <= min(known, default=now) else slot,
    )


def _in_systemd(job: ScheduledJob, place: UnitPlace) -> Installed | None:
    files = systemd.unit_files(job, place)
    if not all(systemd.is_ours(path, job.mark) for path in files):
        return None
    timer = next(path for path in files if path.suffix == ".timer")
    return Installed(
        how="systemd",
        where=str(timer),
        active=systemd.is_active(job.name, place),
        outdated=any(path.read_text(encoding="utf-8") != text for path, text in files.items()),
        since=datetime.fromtimestamp(timer.stat().st_mtime, timezone.utc),
    )


def _attempts(workspace: Workspace) -> tuple[list[dict[str, Any]], bool]:
    """The attempts that ended, oldest first, and whether one goes on."""
    journal = AttemptJournal(workspace)
    left = journal.unfinished()
    ended: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        ended = read_objects(journal.attempts)
    pid = getattr(left, "pid", None)
    return ended, isinstance(pid, int) and pid > 0 and psutil.pid_exists(pid)


def _is_since(moment: datetime, text: object) -> bool:
    try:
        return moment <= parse_time(str(text))
    except ValueError:
        return False
