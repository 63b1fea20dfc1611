"""How often one client may ask within a minute."""

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

WINDOW_S = 60.0
MOST_CLIENTS = 10_000


class RateLimit:
    """Lets `per_minute` requests of a client pass in any 60 seconds.

    Args:
      clock: seconds that never go back, whatever is done to the time of day.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._passed: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, client: str) -> int:
        """0 where the request may pass, and then it counts; else seconds until one may."""
        now = self._clock()
        with self._lock:
            passed = self._passed.setdefault(client, deque())
            self._passed.move_to_end(client)
            while len(self._passed) > MOST_CLIENTS:
                self._passed.popitem(last=False)
            while passed and passed[0] <= now - WINDOW_S:
                passed.popleft()
            if len(passed) < self._per_minute:
                passed.append(now)
                return 0
            return max(1, math.ceil(passed[0] + WINDOW_S - now))
