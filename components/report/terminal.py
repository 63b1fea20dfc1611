"""What a person reads in a terminal: a decision, and plain tables and lines of text from the data.

Text from the data is never read as markup, and never breaks a table.
"""

import io
import os
from collections.abc import Callable, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.decision import CheckResult, Decision, Verdict
from components.records.text import spell
from components.report.exports import COLUMNS, export_faults, export_rows
from components.report.words import explain, site_name, standing

MOST_ROWS = 50  # of cases; --format json has them all
NAMED = 5
PAGE = 120  # columns, where nobody's terminal says otherwise
STYLE = {"PASS": "bold green", "FAIL": "bold red", "INCONCLUSIVE": "bold yellow"}
WIDE = 108
COUNTS = ("coverage", "looks", "sentinel")  # their limits are numbers of something


def show_decision(
    console: Console, decision: Decision, *, sentence: str, synthetic: bool = False
) -> None:
    """The verdict with a sentence on it, what was judged, the checks, and what does not pass.

    Args:
      synthetic: whether the judged images are.
    """
    headline = (decision.verdict.value, STYLE[decision.verdict.value])
    console.print()
    console.print(Text.assemble(headline, "  ", sentence))
    cases = decision.case_set
    console.print(
        f"judged on {cases['cases']} {'synthetic ' if synthetic else ''}cases, "
        f"{cases['positives']} positive: {cases['name']} version {cases['version']}, "
        f"policy {decision.policy}",
        highlight=False,
        markup=False,  # names come from the data
        emoji=False,
    )
    console.print()
    checks = [check for check in decision.checks if check.rule != "export"]
    console.print(checks_table(checks, wide=console.width >= WIDE))
    for check in checks:
        if check.verdict is not Verdict.PASS:
            print_line(console, explain(check), _style(check))
    if decision.exports:
        _show_exports(console, decision)
    for finding in decision.findings:
        print_line(console, f"note: {finding}", "dim")


def _show_exports(console: Console, decision: Decision) -> None:
    """A row for each runtime of each artefact, and the checks that stand in their way."""
    table = bare_table(*COLUMNS[:2])
    table.add_column(COLUMNS[2], overflow="fold")
    shown = (0, 2, 3, 4, 5) if console.width >= WIDE else (0,)
    for place in shown:
        table.add_column(COLUMNS[3 + place], justify="right", no_wrap=True)
    for row in export_rows(decision):
        cells = [cell(text) for text in (row.kind, row.runtime, *(row.figures[i] for i in shown))]
        table.add_row(Text(row.standing, style=STYLE[row.verdict.value]), *cells)
    console.print()
    console.print(table)
    for export in decision.exports:
        for check in export_faults(decision, export):
            print_line(console, f"{export.kind}, {explain(check)}", _style(check))


def checks_table(checks: Sequence[CheckResult], *, wide: bool) -> Table:
    """A row per check; a narrow terminal shows only what decides: the interval and the limit."""
    table = bare_table("verdict", "check")
    table.add_column("slice", overflow="fold")
    for name in ("n", "estimate", "interval", "limit") if wide else ("interval", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    for check in checks:
        digits = 0 if check.rule in COUNTS else 3
        size = [str(check.n) if check.n else "", _number(check.estimate, digits)]
        table.add_row(
            Text(standing(check), style=_style(check)),
            check_name(check),
            Text(check.slice or ""),
            *(size if wide else []),
            _interval(check),
            _number(check.limit, digits),
        )
    return table


def bare_table(*columns: str) -> Table:
    """A table without lines, whose first columns these are; they are never wrapped."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(name, no_wrap=True)
    return table


def check_name(check: CheckResult) -> str:
    """What a person calls the check: "sensitivity floor", "specificity vs golden"."""
    if check.metric is None:
        name = check.rule.replace("_", " ")
        if check.rule == "site":
            return f"site {site_name(check)}"
        if check.check.startswith("baseline."):
            return check.check.removeprefix("baseline.")
        return name if check.against == "none" else f"{name} vs {check.against}"
    about = f"{check.metric} at {site_name(check)} " if check.rule == "site" else f"{check.metric} "
    return about + (
        f"vs {check.against}" if check.against != "none" else check.rule.replace("_", "-")
    )


def _style(check: CheckResult) -> str:
    blocks = check.open or check.verdict is Verdict.PASS
    return STYLE[check.verdict.value] if blocks else "yellow"


def _interval(check: CheckResult) -> str:
    if check.lower is None or check.upper is None:
        return ""
    return f"{check.lower:.3f} to {check.upper:.3f}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def page_text(
    show: Callable[[Console], None], *, terminal: bool = False, width: int | None = None
) -> str:
    """What `show` prints; coloured and as wide as the terminal where it is to stand in one."""
    page = io.StringIO()
    if width is None and not terminal and "COLUMNS" not in os.environ:
        width = PAGE
    show(Console(file=page, width=width, force_terminal=terminal or None, highlight=False))
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()).lstrip("\n") + "\n"


def plain_table(*columns: str, numbers: int = 0) -> Table:
    """A plain table, whose last `numbers` columns are flush right."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), header_style="bold")
    for place, name in enumerate(columns):
        right = place >= len(columns) - numbers
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    return table


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Each fact on a line of its own, its name dim before it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(f"  {name}", cell(" ".join(value.split())))
    console.print(grid)


def few(ids: Sequence[str]) -> str:
    """How many, and the first ids."""
    if not ids:
        return "none"
    more = ", ..." if len(ids) > NAMED else ""
    return f"{len(ids):,}: {', '.join(spell(name) for name in ids[:NAMED])}{more}"


def print_more(console: Console, rows: int) -> None:
    """How many rows a table left out, if any."""
    if rows > MOST_ROWS:
        print_line(console, f"  and {rows - MOST_ROWS:,} more: --format json lists all", "dim")


def cell(text: str) -> Text:
    """Text from the data, never read as markup, on one line."""
    return Text(spell(text))


def print_line(console: Console, text: str, style: str = "") -> None:
    """Text in one style, never read as markup."""
    console.print(Text(text, style=style))
