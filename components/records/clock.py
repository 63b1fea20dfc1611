"""The time as records write it, in one place."""

from datetime import datetime, timezone


def utc_now() -> str:
    """ISO 8601 in UTC, to the millisecond, so that what happened in one second keeps its order."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
