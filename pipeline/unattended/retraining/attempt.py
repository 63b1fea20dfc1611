"""One retraining as its line in `attempts.jsonl` has it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from components.records.clock import current_time
from pipeline.unattended.retraining.tries import Try

# What can become of an attempt: of `casegate run`'s states those that end a run that decided, and:
# nothing_new, failed, interrupted (it was told to end) and killed (it ended without a word).
STATES = (
    "released",
    "passed",
    "already_released",
    "blocked",
    "inconclusive",
    "nothing_new",
    "failed",
    "interrupted",
    "killed",
)


@dataclass(frozen=True)
class Attempt:
    """Attributes:
    attempt_id: sorts by time, and is unique whatever the clock does.
    trigger, why: what started it: schedule, drift or manual, and one line.
    started, finished: ISO 8601 in UTC.
    seconds: by a clock that nobody sets.
    version_before: highest version that was served when it started; None for none.
    data: the source of the data, as the run resolved it where one did.
    error: why it failed, in one line.
    """

    attempt_id: str
    trigger: str
    why: str | None
    started: str
    pid: int
    data: str
    version_before: int | None
    state: str = "running"
    finished: str | None = None
    seconds: float | None = None
    exit_code: int | None = None
    run_id: str | None = None
    version: int | None = None
    report: str | None = None
    error: str | None = None
    tries: tuple[Try, ...] = ()

    def as_json(self) -> dict[str, Any]:
        document = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**document, "tries": [each.as_json() for each in self.tries]}

    @classmethod
    def begun(cls, document: Mapping[str, Any]) -> "Attempt":
        """An attempt that goes on, from its `as_json`.

        Raises:
          TypeError: that is none.
        """
        return cls(**{**document, "tries": ()})


def new_attempt_id() -> str:
    """20260131T101500Z-4f2a91: two in one second, or after a clock went back, differ."""
    moment = current_time().strftime("%Y%m%dT%H%M%SZ")
    return f"{moment}-{secrets.token_hex(3)}"
