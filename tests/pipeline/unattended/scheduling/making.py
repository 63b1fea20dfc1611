"""A job to schedule, and a clock that the test sets."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pipeline.unattended.scheduling.job import ScheduledJob, make_job


def at(text: str) -> datetime:
    """2026-11-30 03:00, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def job(
    folder: Path, *settings: str, name: str | None = None, workspace: str = "chest"
) -> ScheduledJob:
    config = folder / "casegate.yaml"
    config.write_text("schedule: {cron: '0 3 * * 1'}\n")
    return make_job(name, config, settings, folder / workspace)


@dataclass
class Clock:
    """Attributes:
    jumps: what the clock is set to once it shows a time or a later one.
    ends: when the test is over: sleeping beyond is Ctrl+C.
    """

    now: datetime
    ends: datetime
    jumps: list[tuple[datetime, datetime]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_by(timedelta(seconds=seconds))

    def pass_by(self, time: timedelta) -> None:
        self.now += time
        if self.jumps and self.now >= self.jumps[0][0]:
            self.now = self.jumps.pop(0)[1]
        elif not self.jumps and self.now >= self.ends:
            raise KeyboardInterrupt
