"""How the schedule stands: where it is installed, what comes next, what was missed."""

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from components.records.clock import parse_time
from components.records.json_lines import read_objects
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.attempt import AttemptJournal
from pipeline.unattended.scheduling import crontab, systemd
from pipeline.unattended.scheduling.cron import Cron
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
class Standing:
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
        return {
            "cron": self.cron,
            "installed": [
                {
                    "how": each.how,
                    "where": each.where,
                    "active": each.active,
                    "outdated": each.outdated,
                }
                for each in self.installed
            ],
            "next": stamp(self.next_slot),
            "last_attempt": self.last_attempt,
            "running": self.running,
            "missed": stamp(self.missed) if self.missed else None,
        }


def standing(job: ScheduledJob, places: tuple[UnitPlace, ...], *, now: datetime) -> Standing:
    """Looks everywhere that `install` may have written to."""
    workspace = Workspace(job.workspace)
    installed = tuple(
        each
        for each in (*(_at(job, place) for place in places), _in_crontab(job))
        if each is not None
    )
    attempts, running = _attempts(workspace)
    state = Slots(workspace, job.cron).state()
    known = [each.since for each in installed if each.since] + ([state.since] if state else [])
    begun = [
        moment
        for attempt in attempts
        if attempt.get("trigger") == "schedule" and (moment := _moment(attempt.get("started")))
    ]
    return Standing(
        cron=job.cron.expression,
        installed=installed,
        next_slot=job.cron.after(now),
        last_attempt=attempts[-1] if attempts else None,
        running=running,
        missed=_missed(job.cron, now, since=min(known, default=now), begun=begun, running=running),
    )


def _missed(
    cron: Cron, now: datetime, *, since: datetime, begun: list[datetime], running: bool
) -> datetime | None:
    slot = cron.until(now - STARTED_WITHIN)
    if running or slot <= since or any(slot <= moment for moment in begun):
        return None
    return slot


def _at(job: ScheduledJob, place: UnitPlace) -> Installed | None:
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


def _in_crontab(job: ScheduledJob) -> Installed | None:
    if not crontab.is_installed(job.name, job.workspace):
        return None
    return Installed(how="cron", where="crontab", outdated=not crontab.has(crontab.line(job)))


def _attempts(workspace: Workspace) -> tuple[list[dict[str, Any]], bool]:
    """The attempts that ended, oldest first, and whether one goes on."""
    journal = AttemptJournal(workspace)
    left = journal.unfinished()
    ended: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        ended = read_objects(journal.attempts)
    return ended, _lives(getattr(left, "pid", None))


def _lives(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it lives, and is another user's
        return True
    return True


def _moment(text: object) -> datetime | None:
    try:
        return parse_time(str(text))
    except ValueError:
        return None
