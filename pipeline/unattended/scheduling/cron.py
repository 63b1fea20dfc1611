"""The cron expression of the settings: five fields, in UTC, and nothing that systemd cannot say."""

import re
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cronsim import CronSim, CronSimError

from components.records.errors import ConfigError

_FIELDS = re.compile(r"[0-9A-Za-z*,/-]+( [0-9A-Za-z*,/-]+){4}")
_EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Cron:
    """Attributes:
    minutes, hours, days, months, weekdays: what fits; weekdays from 0, a Sunday, to 6.
    either_day: whether a day needs to fit only one of days and weekdays. Cron has it so where
      neither field starts with a star.
    """

    expression: str
    minutes: Set[int]
    hours: Set[int]
    days: Set[int]
    months: Set[int]
    weekdays: Set[int]
    either_day: bool

    @classmethod
    def parse(cls, expression: str) -> "Cron":
        """Raises ConfigError where it is none, or one that never comes."""
        text = " ".join(expression.split())
        try:
            if not _FIELDS.fullmatch(text) or len(text) > 200:
                raise CronSimError("Wrong number of fields, or signs that have no place in one")
            found = CronSim(text, _EPOCH)
        except CronSimError as error:
            raise ConfigError(
                f"schedule.cron: got {expression!r}, wanted five fields (minute, hour, day of the "
                f"month, month, weekday) such as '0 3 * * 1': {error}"
            ) from None
        # cronsim also knows last days and numbered weekdays, which cron itself does not.
        if not all(isinstance(day, int) for day in found.weekdays) or min(found.days) < 1:
            raise ConfigError(
                f"schedule.cron: got {expression!r}, wanted numbers, names, *, lists, ranges and "
                "steps alone"
            )
        return cls(
            expression=text,
            minutes=found.minutes,
            hours=found.hours,
            days=found.days,
            months=found.months,
            weekdays={day % 7 for day in found.weekdays if isinstance(day, int)},
            either_day=not found.day_and,
        )

    def after(self, moment: datetime) -> datetime:
        """The first slot later than `moment`, in UTC."""
        return next(CronSim(self.expression, moment.astimezone(timezone.utc)))

    def until(self, moment: datetime) -> datetime:
        """The last slot not later than `moment`, in UTC."""
        # The search begins before its start: a second on, for a slot that is this very second.
        start = moment.astimezone(timezone.utc) + timedelta(seconds=1)
        return next(CronSim(self.expression, start, reverse=True))
