"""What a person sees while a run goes on, and the verdict at its end."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from components.decision import Decision, Verdict
from components.records.events import Event
from components.report.terminal import show_decision
from pipeline.run.runner import RunOutcome

NO_GOLDEN = "baseline.golden"
# Seconds. Some CI services end a job that says nothing for ten minutes.
LONGEST_SILENCE = 60.0
MARKS = {"finished": ("done", "green"), "cached": ("cached", "cyan"), "failed": ("failed", "red")}


def own_stream(descriptor: int) -> IO[str]:
    """The person's own stream, kept while the run sends the process's output to its log."""
    return os.fdopen(os.dup(descriptor), "w", encoding="utf-8", buffering=1)


class RunProgress:
    """One live line per component on a terminal; elsewhere one printed line for each at its end.

    What takes longer is printed from time to time.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._lines: list[_Line] = []
        self._printed = time.monotonic()

    @contextmanager
    def display(self) -> Iterator["RunProgress"]:
        if not self._console.is_terminal:
            yield self
            return
        # Left to itself, Live shows on the terminal what the run sends to its log.
        with Live(
            console=self._console,
            get_renderable=self._table,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live:
            self._live = live
            yield self

    def __call__(self, event: Event) -> None:
        if event.kind == "notice":
            self._console.print(Text(event.detail), soft_wrap=True)
        elif event.kind == "started":
            self._lines.append(_Line(event.component, time.monotonic()))
        elif self._lines:
            self._lines[-1].update(event)
            silent = time.monotonic() - self._printed
            if self._live is None and (event.kind != "progress" or silent >= LONGEST_SILENCE):
                self._console.print(Text(self._lines[-1].plain()))
                self._printed = time.monotonic()

    def _table(self) -> RenderableType:
        table, running = Table.grid(padding=(0, 2)), Spinner("dots", style="yellow")
        for line in self._lines:
            mark = running if line.state == "running" else Text(*MARKS[line.state])
            table.add_row(line.name, f"{line.spent():.1f} s", mark, Text(line.detail))
        return table


@dataclass
class _Line:
    """What is shown of one component; `seconds` once it has ended."""

    name: str
    start: float
    state: str = "running"
    detail: str = ""
    seconds: float | None = None

    def update(self, event: Event) -> None:
        if event.kind == "progress":
            self.detail = event.detail
        else:
            self.state, self.seconds = event.kind, time.monotonic() - self.start

    def spent(self) -> float:
        return time.monotonic() - self.start if self.seconds is None else self.seconds

    def plain(self) -> str:
        word, _ = MARKS.get(self.state, ("...", ""))
        return f"{self.name:<18} {self.spent():6.1f} s  {word:<6}  {self.detail}"


def show_outcome(console: Console, outcome: RunOutcome) -> None:
    """The verdict, a line per check, and where everything is."""
    words = _sentence(outcome)
    show_decision(console, outcome.decision, sentence=words, synthetic=outcome.synthetic)
    console.print()
    for name, place in _places(outcome):
        console.print(Text(f"{name:<9}{place}"), soft_wrap=True)


def _sentence(outcome: RunOutcome) -> str:
    unchanged = "nothing changed since: " if outcome.served_from_cache else ""
    return f"{unchanged}{_came_to(outcome)}"


def _came_to(outcome: RunOutcome) -> str:
    decision, release = outcome.decision, outcome.release
    if decision.verdict is Verdict.PASS:
        if release is None:
            return "passed; this run releases nothing"
        already = "already " if outcome.already_released else ""
        return f"{already}released as version {release.version}"
    if _lacks_golden(decision):
        return "not released: nobody has approved golden scores yet"
    if decision.verdict is Verdict.INCONCLUSIVE:
        return "not released: the cases do not decide it"
    failed = sum(check.verdict is Verdict.FAIL for check in decision.checks)
    return f"not released: {failed} of {len(decision.checks)} checks failed"


def _places(outcome: RunOutcome) -> list[tuple[str, str]]:
    release = f"{outcome.release.path}" if outcome.release else "nothing is released"
    places = [("release", release), ("report", str(outcome.report))]
    if outcome.log:
        places.append(("log", str(outcome.log)))
    if outcome.policy:
        places.append(("policy", f"{outcome.policy}: edit it before you approve a model"))
    if _lacks_golden(outcome.decision):
        workspace = outcome.report.parent.parent.parent
        approval = f"casegate baseline bootstrap --workspace {workspace} --by NAME --reason TEXT"
        places.append(("next", approval))
    return places


def _lacks_golden(decision: Decision) -> bool:
    """Whether the missing approval is all that stands between the candidate and a release."""
    open_checks = [c.check for c in decision.checks if c.verdict is not Verdict.PASS]
    return open_checks == [NO_GOLDEN]
