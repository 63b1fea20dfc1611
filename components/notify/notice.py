"""A message on its way: what every channel sends, the same however often it is sent again."""

import math
import secrets
from dataclasses import dataclass
from typing import Any

from components.notify.message import Message
from components.records.clock import utc_now
from components.records.files import canonical_json


@dataclass(frozen=True)
class Notice:
    """Attributes:
    delivery: 32 hex digits, the same for every try on one channel: receivers know a repetition by
      it, which they have to, because what was sent may be sent again after a crash.
    at: when the message came about.
    """

    delivery: str
    at: str
    message: Message

    @classmethod
    def of(cls, message: Message) -> "Notice":
        told = Message(
            kind=message.kind,
            subject=_sendable(message.subject),
            lines=tuple(_sendable(line) for line in message.lines),
            key=_sendable(message.key),
            facts=message.facts,
        )
        return cls(secrets.token_hex(16), utc_now(), told)

    def body(self) -> bytes:
        """The canonical JSON that a webhook and a command get."""
        message = self.message
        return canonical_json(
            {
                "at": self.at,
                "delivery": self.delivery,
                "event": message.kind,
                "facts": _plain(message.facts),
                "key": message.key,
                "lines": list(message.lines),
                "subject": message.subject,
            }
        )

    def as_json(self) -> dict[str, Any]:
        """What `from_json` makes the notice of again."""
        message = self.message
        told = {
            "kind": message.kind,
            "subject": message.subject,
            "lines": list(message.lines),
            "key": message.key,
            "facts": _plain(message.facts),
        }
        return {"delivery": self.delivery, "at": self.at, "message": told}

    @classmethod
    def from_json(cls, tree: Any) -> "Notice":
        """Raises KeyError, TypeError or ValueError where `tree` is no notice."""
        told = tree["message"]
        words = (tree["delivery"], tree["at"], told["kind"], told["subject"], told["key"])
        if not all(isinstance(word, str) for word in (*words, *told["lines"])):
            raise TypeError("wanted text")
        return cls(
            tree["delivery"],
            tree["at"],
            Message(
                kind=told["kind"],
                subject=told["subject"],
                lines=tuple(told["lines"]),
                key=told["key"],
                facts=dict(told["facts"]),
            ),
        )


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: a number that is none becomes its word, not an error.

    A person has to be told even where what they are told of is that a number is undefined.
    """
    if isinstance(value, dict):
        return {_sendable(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return _sendable(str(value))


def _sendable(text: str) -> str:
    """The text without half characters, as in the name of a file that is not UTF-8: nothing can
    send those, and a person has to be told all the same."""
    return text.encode("utf-8", "replace").decode()
