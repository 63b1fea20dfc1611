"""What a person sees while a run goes on, and the verdict at its end."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from components.events import Event
from components.gate.decision import CheckResult, Verdict
from pipeline.runner import Outcome

STYLE = {"PASS": "bold green", "FAIL": "bold red", "INCONCLUSIVE": "bold yellow"}
MARKS = {"finished": ("done", "green"), "cached": ("cached", "cyan"), "failed": ("failed", "red")}


def own_stream(descriptor: int) -> IO[str]:
    """The person's own stream, kept while the run sends the process's output to its log."""
    return os.fdopen(os.dup(descriptor), "w", encoding="utf-8", buffering=1)


class Progress:
    """One live line per component on a terminal; one printed line per component elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._lines: list[dict[str, object]] = []

    @contextmanager
    def shown(self) -> Iterator["Progress"]:
        if not self._console.is_terminal:
            yield self
            return
        with Live(console=self._console, get_renderable=self._table, refresh_per_second=8) as live:
            self._live = live
            yield self

    def __call__(self, event: Event) -> None:
        if event.kind == "started":
            self._lines.append(
                {"name": event.component, "start": time.monotonic(), "state": "running"}
            )
            return
        if not self._lines:
            return
        line = self._lines[-1]
        if event.kind == "progress":
            line["detail"] = event.detail
            return
        line["state"] = event.kind
        line["seconds"] = time.monotonic() - float(line["start"])  # type: ignore[arg-type]
        if self._live is None:
            self._console.print(self._plain(line), highlight=False)

    def _plain(self, line: dict[str, object]) -> str:
        word = MARKS[str(line["state"])][0]
        return f"{line['name']!s:<18} {line['seconds']:6.1f} s  {word:<6}  {line.get('detail', '')}"

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for line in self._lines:
            state = str(line["state"])
            running = state == "running"
            seconds = (
                time.monotonic() - float(line["start"])  # type: ignore[arg-type]
                if running
                else float(line["seconds"])  # type: ignore[arg-type]
            )
            mark = (
                Spinner("dots", style="yellow")
                if running
                else Text(MARKS[state][0], style=MARKS[state][1])
            )
            table.add_row(
                str(line["name"]), f"{seconds:.1f} s", mark, Text(str(line.get("detail", "")))
            )
        return table


def show_outcome(console: Console, outcome: Outcome) -> None:
    """The verdict, a line per check, and where everything is."""
    decision = outcome.decision
    console.print()
    console.print(
        Text.assemble(
            (decision.verdict.value, STYLE[decision.verdict.value]), "  ", _sentence(outcome)
        )
    )
    console.print()
    console.print(checks_table([check for check in decision.checks]))
    for finding in decision.findings:
        console.print(Text(f"note: {finding}", style="dim"))
    console.print()
    console.print(Group(*(Text(f"{name:<9}{place}") for name, place in _places(outcome))),
                  soft_wrap=True)


def checks_table(checks: list[CheckResult]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("check", "slice", "against"):
        table.add_column(name, no_wrap=True)
    for name in ("n", "estimate", "interval", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for check in checks:
        table.add_row(
            check.metric if check.rule == "floor" else f"{check.metric} {check.rule}",
            slice_name(check),
            check.against,
            number(check.n),
            number(check.estimate),
            interval(check),
            number(check.limit),
            Text(check.verdict.value, style=STYLE[check.verdict.value]),
        )
        if check.verdict is not Verdict.PASS and check.reason:
            table.add_row(Text(f"  {check.reason}", style="dim", overflow="fold"))
    return table


def slice_name(check: CheckResult) -> str:
    return str(check.slice)


def interval(check: CheckResult) -> str:
    if check.lower is None or check.upper is None:
        return "-"
    return f"{check.lower:.3f} to {check.upper:.3f}"


def number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _sentence(outcome: Outcome) -> str:
    decision = outcome.decision
    unchanged = "nothing changed since: " if outcome.served_from_cache else ""
    if decision.verdict is Verdict.PASS:
        version = outcome.release.version if outcome.release else "?"
        word = "already released" if decision.already_released or unchanged else "released"
        return f"{unchanged}{word} as version {version}"
    if decision.verdict is Verdict.INCONCLUSIVE:
        return f"{unchanged}not released: the cases do not decide it"
    failed = sum(check.verdict is Verdict.FAIL for check in decision.checks)
    return f"{unchanged}not released: {failed} of {len(decision.checks)} checks failed"


def _places(outcome: Outcome) -> list[tuple[str, str]]:
    release = f"{outcome.release.path}" if outcome.release else "nothing is released"
    places = [("release", release), ("report", str(outcome.report))]
    return [*places, ("log", str(outcome.log))] if outcome.log else places


def terminal() -> Console:
    return Console(file=own_stream(sys.stdout.fileno()))
