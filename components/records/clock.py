"""The one clock: in UTC, and in records to the millisecond.

A test that stops it replaces `system_time`.
"""

import re
from datetime import datetime, timezone

_FRACTION = re.compile(r"\.(\d+)")


def system_time() -> datetime:
    return datetime.now(timezone.utc)


def current_time() -> datetime:
    """The present, in UTC. Whatever asks for it asks here."""
    return system_time()


def utc_now() -> str:
    """The present as records write it."""
    return time_text(current_time())


def time_text(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond, so that what happened in one second keeps its order."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def time_id() -> str:
    """The present as a name that sorts by time, such as a run's: 20260131T101500.123456Z."""
    return current_time().strftime("%Y%m%dT%H%M%S.%fZ")


def parse_time(text: str) -> datetime:
    """A time as records have it, to the second or finer, in UTC; that is the zone of one without.

    Raises:
      ValueError: it is no time in ISO 8601.
    """
    found = parse_zoned(text)
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def parse_zoned(text: str) -> datetime:
    """As `parse_time`, in the zone that the text names, if it does."""
    # Python 3.10 reads fractions of three or six digits alone.
    text = _FRACTION.sub(lambda found: "." + found.group(1)[:6].ljust(6, "0"), text)
    return datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
