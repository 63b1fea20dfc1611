"""What a person sees while a run goes on, and the verdict at its end."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from components.decision import CheckResult, Decision, Verdict
from components.events import Event
from pipeline.runner import Outcome

STYLE = {"PASS": "bold green", "FAIL": "bold red", "INCONCLUSIVE": "bold yellow"}
WIDE = 108
NO_GOLDEN = "baseline.golden"
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
            self._console.print(Text(self._plain(line)))

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
    headline = (decision.verdict.value, STYLE[decision.verdict.value])
    console.print()
    console.print(Text.assemble(headline, "  ", _sentence(outcome)))
    cases = decision.case_set
    console.print(
        f"judged on {cases['cases']} {'synthetic ' if outcome.synthetic else ''}cases, "
        f"{cases['positives']} positive: {cases['name']} version {cases['version']}, "
        f"policy {decision.policy}",
        highlight=False,
        markup=False,  # names come from the data
        emoji=False,
    )
    console.print()
    console.print(checks_table(decision.checks, wide=console.width >= WIDE))
    for check in decision.checks:
        if check.verdict is not Verdict.PASS:
            console.print(_worded(f"{check.check}: {check.reason}", STYLE[check.verdict.value]))
    for finding in decision.findings:
        console.print(_worded(f"note: {finding}", "dim"))
    console.print()
    for name, place in _places(outcome):
        console.print(Text(f"{name:<9}{place}"), soft_wrap=True)


def checks_table(checks: Sequence[CheckResult], *, wide: bool) -> Table:
    """A row per check; a narrow terminal does without the number of cases."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("verdict", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("slice", overflow="fold")
    for name in ("n", "estimate", "interval", "limit"):
        if wide or name != "n":
            table.add_column(name, justify="right", no_wrap=True)
    for check in checks:
        numbers = [_number(check.estimate), _interval(check), _number(check.limit)]
        table.add_row(
            Text(check.verdict.value, style=STYLE[check.verdict.value]),
            check_name(check),
            Text(check.slice or ""),
            *([str(check.n) if check.n else "", *numbers] if wide else numbers),
        )
    return table


def check_name(check: CheckResult) -> str:
    """What a person calls the check: "sensitivity floor", "specificity vs golden"."""
    if check.metric is None:
        name = check.rule.replace("_", " ")
        if check.check.startswith("baseline."):
            name = check.check.removeprefix("baseline.")
        return name if check.against == "none" else f"{name} vs {check.against}"
    return f"{check.metric} " + ("floor" if check.rule == "floor" else f"vs {check.against}")


def _interval(check: CheckResult) -> str:
    if check.lower is None or check.upper is None:
        return ""
    return f"{check.lower:.3f} to {check.upper:.3f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _worded(text: str, style: str) -> Text:
    return Text(text, style=style, overflow="fold")


def _sentence(outcome: Outcome) -> str:
    decision = outcome.decision
    unchanged = "nothing changed since: " if outcome.served_from_cache else ""
    if decision.verdict is Verdict.PASS:
        version = outcome.release.version if outcome.release else "?"
        word = "already released" if decision.already_released or unchanged else "released"
        return f"{unchanged}{word} as version {version}"
    if decision.verdict is Verdict.INCONCLUSIVE:
        if _lacks_golden(decision):
            return f"{unchanged}not released: nobody has approved golden scores yet"
        return f"{unchanged}not released: the cases do not decide it"
    failed = sum(check.verdict is Verdict.FAIL for check in decision.checks)
    return f"{unchanged}not released: {failed} of {len(decision.checks)} checks failed"


def _places(outcome: Outcome) -> list[tuple[str, str]]:
    release = f"{outcome.release.path}" if outcome.release else "nothing is released"
    places = [("release", release), ("report", str(outcome.report))]
    if outcome.log:
        places.append(("log", str(outcome.log)))
    if _lacks_golden(outcome.decision):
        workspace = outcome.report.parent.parent.parent
        approval = f"casegate baseline bootstrap --workspace {workspace} --by NAME --reason TEXT"
        places.append(("next", approval))
    return places


def _lacks_golden(decision: Decision) -> bool:
    """Whether the missing approval is all that stands between the candidate and a release."""
    open_checks = [c.check for c in decision.checks if c.verdict is not Verdict.PASS]
    return open_checks == [NO_GOLDEN]
