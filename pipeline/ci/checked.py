"""What was asked of a check of a commit, and what came of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from components.records.text import printable
from pipeline.ci.changes import Changes
from pipeline.ci.plan import CommitPlan
from pipeline.ci.provider import CiJob

if TYPE_CHECKING:
    from components.decision import Decision, Flips
    from components.records.errors import CasegateError
    from components.records.events import Event
    from pipeline.ci.limits import LimitChange
    from pipeline.ci.registry import Registry
    from pipeline.run.score_gate import Gated
    from pipeline.settings.config import Config

# Given a run, shows it while it lasts.
Watching = Callable[[], "AbstractContextManager[Callable[[Event], None]]"]

# Of several results the gravest decides: broken, integrity, nothing judged, failed, not proven.
GRAVEST = (70, 4, 5, 2, 1, 3, 0)
CANDIDATE = "the candidate"


class Steps:
    """Says each step as it ends; the same line on a terminal and in a log, without colour."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[SimpleNamespace]:
        """Times a step, which may set the `detail` that its line says."""
        began, step, word = time.monotonic(), SimpleNamespace(detail=""), "failed"
        try:
            yield step
            word = "done"
        finally:
            taken = time.monotonic() - began
            self.seconds[name] = round(taken, 3)
            line = f"{name:<18} {taken:6.1f} s  {word:<6}  {step.detail}"
            self.say(printable(line).rstrip())


@dataclass(frozen=True)
class CheckRequest:
    """What was asked on the command line; None where it was left out.

    Attributes:
      config_path: relative to the folder the command was given in.
    """

    folder: Path
    config: "Config"
    config_path: Path | None
    base: str | None
    head: str | None
    release: bool
    registry: str | None
    cache: Path | None
    out: Path

    @property
    def address(self) -> str | None:
        """Of the registry."""
        return self.registry or self.config.ci.registry

    @property
    def ours(self) -> list[Path]:
        """The folders that hold no change of anybody's, wherever they lie."""
        address = self.address
        registry = [Path(address)] if address and "://" not in address else []
        return [self.out, *([self.cache] if self.cache else []), *registry]


@dataclass(frozen=True, eq=False)
class Compared:
    """Attributes:
    name: what it is compared with, for a person.
    decision: on that, by the same case set.
    flips: the cases that turned, where those scores are known.
    """

    name: str
    decision: "Decision"
    flips: "Flips | None" = None


@dataclass(frozen=True, eq=False)
class JudgedBaseline:
    """A decision on one baseline.

    Attributes:
      whose: whose scores were judged: the candidate's, or those of the released model.
      compared: what the figures stand beside; None where there is nothing.
      remark: on that comparison, for a person; may be empty.
      report: the page that a run made; None where one has still to be made.
      from_cache: an earlier run on the same inputs answers.
    """

    name: str
    whose: str
    gated: "Gated"
    compared: Compared | None
    remark: str = ""
    limits: "tuple[LimitChange, ...]" = ()
    report: Path | None = None
    from_cache: bool = False


@dataclass(frozen=True, eq=False)
class CheckedCommit:
    """Attributes:
    judged: by baseline; empty where nothing had to be judged, or an error came first.
    notes: what a reader has to know of how this came about: registry, cache, workspace.
    error: what ended the check without a verdict; None where nothing did.
    """

    plan: CommitPlan
    changes: Changes
    job: CiJob
    judged: tuple[JudgedBaseline, ...]
    notes: Mapping[str, str]
    seconds: Mapping[str, float]
    error: "CasegateError | None" = None

    @property
    def exit_code(self) -> int:
        codes = {one.gated.decision.exit_code for one in self.judged}
        if self.error:
            codes.add(self.error.exit_code)
        return min(codes, key=lambda x: GRAVEST.index(x) if x in GRAVEST else -1, default=0)


@dataclass(frozen=True, eq=False)
class Work:
    """What the steps of one check share."""

    asked: CheckRequest
    plan: CommitPlan
    changes: Changes
    steps: Steps
    registry: "Registry | None"
    notes: dict[str, str]
