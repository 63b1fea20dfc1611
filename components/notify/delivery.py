"""What became of a notice on one channel."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from components.notify.notice import Notice

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Failure:
    """One try that went wrong.

    Attributes:
      reason: in words of this program and the system alone. What a library says may hold an
        address with a token in it, or what a server sent back.
      again: whether the same may work a little later.
    """

    reason: str
    again: bool = True


@dataclass(frozen=True)
class Delivery:
    """Attributes:
    channel: webhook, smtp or command.
    state: sent; repeated, where the same was sent a while ago; or failed.
    delivery: the notice's id.
    reasons: of the tries that failed, the first to the last.
    kept: whether a failed one is among the dead letters, to be sent later.
    """

    channel: str
    state: str
    delivery: str
    reasons: tuple[str, ...] = ()
    kept: bool = False


class Channel(Protocol):
    """A way to a person."""

    @property
    def name(self) -> str:
        """webhook, smtp or command."""

    @property
    def where(self) -> str:
        """Where it leads, in words that give away no secret."""

    def deliver(self, notice: Notice) -> Failure | None:
        """Tries once, for about `TIMEOUT_S`; None where the notice was taken."""


def cause(error: BaseException) -> str:
    """What the system says is wrong, found in an exception that a library made of it."""
    for inner in _chain(error):
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted: {inner.verify_message}"
        if isinstance(inner, ssl.SSLError):
            return f"no TLS connection: {inner.reason or 'ended early'}"
        if isinstance(inner, socket.timeout):
            return f"no answer within {TIMEOUT_S:.0f} s"
        if isinstance(inner, OSError) and inner.strerror and not inner.filename:
            return inner.strerror
    return f"no answer that could be read ({type(error).__name__})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it was made of, the innermost first."""
    inner = [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
    for one in inner:
        if isinstance(one, BaseException):
            yield from _chain(one)
            break
    yield error
