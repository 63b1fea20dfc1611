"""Tries a channel until it takes the notice, for a bounded time and without raising."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from components.notify.notice import Notice

TIMEOUT_S = 10.0

# A server that sends a byte now and then keeps every read alive, and looking up a name knows no
# timeout; so the whole try has one.
WHOLE_TRY_S = 30.0
LONGEST_PAUSE_S = 60.0


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


def deliver(
    channel: Channel,
    notice: Notice,
    *,
    retries: int,
    sleep: Callable[[float], None] = time.sleep,
    within_s: float = WHOLE_TRY_S,
) -> Delivery:
    """Tries once and `retries` times more, with pauses of 1, 2, 4, ... seconds.

    Never raises: whatever goes wrong is among the reasons of a failed delivery.
    """
    reasons: list[str] = []
    for number in range(retries + 1):
        if number:
            sleep(min(2.0 ** (number - 1), LONGEST_PAUSE_S))
        failure = _bounded(channel, notice, within_s)
        if failure is None:
            return Delivery(channel.name, "sent", notice.delivery, tuple(reasons))
        reasons.append(failure.reason)
        if not failure.again:
            break
    return Delivery(channel.name, "failed", notice.delivery, tuple(reasons))


def _bounded(channel: Channel, notice: Notice, within_s: float) -> Failure | None:
    """One try in a thread of its own, which is left behind where it does not end in time."""
    ended: list[Failure | None] = []

    def once() -> None:
        try:
            ended.append(channel.deliver(notice))
        except Exception as error:  # its words may hold a secret, its kind does not
            ended.append(Failure(f"{channel.name}: {type(error).__name__}", again=False))

    thread = threading.Thread(target=once, name=f"casegate-{channel.name}", daemon=True)
    thread.start()
    thread.join(within_s)
    return ended[0] if ended else Failure(f"{channel.name}: did not end within {within_s:g} s")
