"""Times as records write them, with what they leave open: a second, a day.

Two records of different make are put in order only as far as their resolution allows.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from components.records.clock import parse_time, parse_zoned, time_text
from components.records.errors import ConfigError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_WITH_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ].+")  # Python takes any letter there, a sign too
_FRACTION = re.compile(r"\.(\d+)")
BEFORE, SAME, AFTER = "before", "same time", "after"


@dataclass(frozen=True)
class Instant:
    """Some instant in [first, last), both in UTC; as exact as `text` says."""

    text: str
    first: datetime
    last: datetime

    def against(self, other: "Instant") -> str:
        """BEFORE, AFTER, or SAME where what was recorded does not tell."""
        if self.last <= other.first:
            return BEFORE
        return AFTER if other.last <= self.first else SAME


def moment(text: str) -> Instant:
    """What a record means by a date, or by a time in UTC.

    Raises:
      ValueError: it is neither.
    """
    if _DAY.fullmatch(text):
        first, exact = parse_time(text), timedelta(days=1)
    else:
        first = parse_time(text)
        fraction = _FRACTION.search(text)
        exact = timedelta(seconds=10 ** -min(len(fraction.group(1)), 6) if fraction else 1)
    return Instant(text, first, first + exact)


def within(at: object, since: datetime | None, until: datetime | None = None) -> bool:
    """Whether a record is of the time asked about; what has no readable time is rather shown."""
    try:
        first = moment(str(at)).first
    except ValueError:
        return True
    return (since is None or first >= since) and (until is None or first < until)


def later(start: Instant, seconds: float) -> Instant:
    """When something ended that took this long, by a record to the millisecond."""
    first = start.first + timedelta(seconds=seconds)
    return Instant(time_text(first), first, start.last + timedelta(seconds=seconds + 0.001))


def parse_asked(text: str, *, option: str) -> tuple[datetime, list[str]]:
    """The instant that a person names on the command line, in UTC, and what was taken for granted.

    Args:
      text: ISO 8601; a day means its beginning, a time without a zone is taken as UTC.

    Raises:
      ConfigError: it is no time.
    """
    words = text.strip()
    try:
        if not (_DAY.fullmatch(words) or _WITH_TIME.fullmatch(words)):
            raise ValueError
        zoned, instant = parse_zoned(words).tzinfo is not None, parse_time(words)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{option}: got {text!r}, wanted a time such as 2026-03-31T09:30:00+02:00 or a day"
        ) from None
    remark = f"{text!r} names no time zone; taken as UTC: {time_text(instant)}."
    return instant, [] if zoned else [remark]
