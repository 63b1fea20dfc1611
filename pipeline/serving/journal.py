"""What the server says of itself: a line of JSON for each event, and no picture or name."""

import logging
from typing import Any

import orjson

from components.records.clock import utc_now
from components.records.text import brief


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": utc_now(), "level": record.levelname.lower(), "event": record.getMessage()}
        if record.exc_info and isinstance(record.exc_info[1], Exception):
            line["error"] = brief(record.exc_info[1])
        return orjson.dumps(line | getattr(record, "facts", {}), default=str).decode()


def start_journal() -> None:
    """Sends to standard error, as JSON, what this process logs, whichever library it is."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(__name__).setLevel(logging.INFO)


def note(level: int, event: str, **facts: Any) -> None:
    """One event; `facts` are numbers or words that say nothing of a patient."""
    logging.getLogger(__name__).log(level, event, extra={"facts": facts})
