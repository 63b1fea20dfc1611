"""A year of releases, as the generated store has it: which run is what, on which data.

A team that retrains every week and judges every commit: twenty runs a week on that week's training
data, the last twenty of fifty spans of two thousand cases. Nine of twenty runs release.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

RUNS, SPANS, SPAN_CASES, WINDOW = 1000, 50, 2000, 20
RUNS_A_WEEK = 20
ENVIRONMENTS = 4
START = datetime(2025, 1, 6, 6, 0, tzinfo=timezone.utc)

_STATES = {"R": "released", "B": "blocked", "I": "inconclusive", "F": "failed", "K": "killed"}
_WEEK = "RBIRBRFRIRBKRBRIFRBR"
_COMMIT_RUNS = 4  # runs on one commit


@dataclass(frozen=True)
class Planned:
    """One run.

    Attributes:
      number: counts from 0.
      week: which training data it has: spans `week - WINDOW + 1` to `week`, as far as there are.
      fresh: the first of its week, which reads the data; the others take them from the cache.
      champion: the number of the run whose model is released when this one starts.
    """

    number: int
    week: int
    started: datetime
    state: str
    champion: int | None

    @property
    def run_id(self) -> str:
        return self.started.strftime("%Y%m%dT%H%M%S.%fZ")

    def at(self, seconds: float) -> str:
        """The time so many seconds after its start, as records have it."""
        return time_text(self.started + timedelta(seconds=seconds))

    @property
    def fresh(self) -> bool:
        return self.number % RUNS_A_WEEK == 0

    @property
    def trigger(self) -> str:
        return "schedule" if self.fresh else "commit"

    @property
    def commit(self) -> str:
        return hashlib.sha1(f"commit {self.number // _COMMIT_RUNS}".encode()).hexdigest()

    @property
    def environment(self) -> int:
        return self.number * ENVIRONMENTS // RUNS

    @property
    def decided(self) -> bool:
        return self.state in ("released", "blocked", "inconclusive")

    @property
    def version(self) -> int:
        """What it is released as, if it is: TFX counts in seconds."""
        return int(self.started.timestamp()) + 45


def planned(runs: int = RUNS) -> Iterator[Planned]:
    """The runs in their order."""
    champion = None
    for number in range(runs):
        week, place = divmod(number, RUNS_A_WEEK)
        started = START + timedelta(weeks=week, hours=7 * place, microseconds=number * 37)
        run = Planned(number, week, started, _STATES[_WEEK[place]], champion)
        yield run
        if run.state == "released":
            champion = number


def spans_of(week: int) -> range:
    return range(max(0, week - WINDOW + 1), week + 1)


def time_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
