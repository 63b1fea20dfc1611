"""A message to a person, and that message on its way: the same however often it is sent again."""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from components.records.clock import utc_now
from components.records.files import canonical_json


@dataclass(frozen=True)
class Message:
    """One notice.

    Attributes:
      kind: released, blocked, inconclusive, failed, drift or nothing_new.
      subject: one line, without secrets.
      lines: what happened and what to do next, a line each.
      facts: for machines: run_id, verdict, version, report, error and the like; JSON values.
      key: what makes two notices the same one, for deduplication: within a while the second is
        not sent.
    """

    kind: str
    subject: str
    lines: tuple[str, ...]
    key: str
    facts: Mapping[str, Any] = field(default_factory=dict)


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
        sendable = replace(
            message,
            subject=_sendable(message.subject),
            lines=tuple(_sendable(line) for line in message.lines),
            key=_sendable(message.key),
        )
        return cls(secrets.token_hex(16), utc_now(), sendable)

    def body(self) -> bytes:
        """The canonical JSON that a webhook and a command get."""
        tree = self.as_json()
        message = tree.pop("message")
        return canonical_json({**tree, "event": message.pop("kind"), **message})

    def as_json(self) -> dict[str, Any]:
        """What `from_json` makes the notice of again."""
        message = {**vars(self.message), "facts": _plain(self.message.facts)}
        return {"delivery": self.delivery, "at": self.at, "message": message}

    @classmethod
    def from_json(cls, tree: Any) -> "Notice":
        """Raises KeyError, TypeError or ValueError where `tree` is no notice."""
        delivery, at, message = tree["delivery"], tree["at"], tree["message"]
        kind, subject, key = message["kind"], message["subject"], message["key"]
        lines = tuple(message["lines"])
        if not all(isinstance(word, str) for word in (delivery, at, kind, subject, key, *lines)):
            raise TypeError("wanted text")
        return cls(delivery, at, Message(kind, subject, lines, key, dict(message["facts"])))


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: a number that is none becomes its word, not an error.

    A person must hear of it even where the news is that a number is undefined.
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
    send those, and a person must hear of it all the same."""
    return text.encode("utf-8", "replace").decode()
