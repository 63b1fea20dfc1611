"""A decision as a person reads it in a terminal: the verdict, a line per check, and why."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.decision import CheckResult, Decision, Verdict
from components.report.words import explain, standing

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
    console.print(checks_table(decision.checks, wide=console.width >= WIDE))
    for check in decision.checks:
        if check.verdict is not Verdict.PASS:
            console.print(_worded(explain(check), _style(check)))
    for finding in decision.findings:
        console.print(_worded(f"note: {finding}", "dim"))


def checks_table(checks: Sequence[CheckResult], *, wide: bool) -> Table:
    """A row per check; a narrow terminal shows only what decides: the interval and the limit."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("verdict", no_wrap=True)
    table.add_column("check", no_wrap=True)
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


def check_name(check: CheckResult) -> str:
    """What a person calls the check: "sensitivity floor", "specificity vs golden"."""
    if check.metric is None:
        name = check.rule.replace("_", " ")
        if check.check.startswith("baseline."):
            return check.check.removeprefix("baseline.")
        return name if check.against == "none" else f"{name} vs {check.against}"
    return f"{check.metric} " + (
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


def _worded(text: str, style: str) -> Text:
    return Text(text, style=style, overflow="fold")
