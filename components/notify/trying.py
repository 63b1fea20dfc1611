"""Tries a channel until it takes the notice, for a bounded time and without raising."""

import threading
import time
from collections.abc import Callable

from components.notify.delivery import Channel, Delivery, Failure
from components.notify.notice import Notice

# A server that sends a byte now and then keeps every read alive, and looking up a name knows no
# timeout; so the whole try has one.
WHOLE_TRY_S = 30.0
LONGEST_PAUSE_S = 60.0


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
