"""Times as records write them, with what they leave open: a second, a day.

Two records of different make are put in order only as far as their resolution allows.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

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
        first, exact = _utc(text), timedelta(days=1)
    else:
        first = _utc(text)
        fraction = _FRACTION.search(text)
        exact = timedelta(seconds=10 ** -min(len(fraction.group(1)), 6) if fraction else 1)
    return Instant(text, first, first + exact)


def later(start: Instant, seconds: float) -> Instant:
    """When something ended that took this long, by a record to the millisecond."""
    first = start.first + timedelta(seconds=seconds)
    return Instant(written(first), first, start.last + timedelta(seconds=seconds + 0.001))


def asked(text: str, *, option: str) -> tuple[datetime, str | None]:
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
        given = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", _six_digits(words)))
        zoned = given if given.tzinfo else given.replace(tzinfo=timezone.utc)
        instant = zoned.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{option}: got {text!r}, wanted a time such as 2026-03-31T09:30:00+02:00 or a day"
        ) from None
    if given.tzinfo is not None:
        return instant, None
    return instant, f"{text!r} names no time zone; taken as UTC: {written(instant)}."


def written(instant: datetime) -> str:
    """As records have it: UTC, to the millisecond."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _utc(text: str) -> datetime:
    found = datetime.fromisoformat(re.sub("Z$", "+00:00", _six_digits(text)))
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def _six_digits(text: str) -> str:
    """A fraction of any length as Python 3.10 reads it."""
    return _FRACTION.sub(lambda found: "." + found.group(1)[:6].ljust(6, "0"), text)
