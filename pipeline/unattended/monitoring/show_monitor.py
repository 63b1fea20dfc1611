"""What a monitoring found, as a person reads it in a terminal: moved first, then the rest."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.drift import page_words as words
from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, Chart, Drift, ObservedRate, Shift
from components.records.text import spell
from components.report.terminal import bare_table, page_text
from pipeline.unattended.monitoring.monitor import Monitored

WIDE = 100
STYLE = {MOVED: "bold red", STEADY: "bold green", NOT_ENOUGH: "bold yellow"}


def as_text(monitored: Monitored, *, terminal: bool = False) -> str:
    """The whole answer, for a terminal or for a file."""
    return page_text(lambda console: show_monitored(console, monitored), terminal=terminal)


def show_monitored(console: Console, monitored: Monitored) -> None:
    drift, found = monitored.drift, monitored.found
    headline = (drift.state.upper(), STYLE[drift.state])
    console.print(Text.assemble(headline, "  ", spell(drift.reading.words)))
    model, reference = found["model"], found["reference"]
    window = f"{words.time_words(drift.first)} to {words.time_words(drift.last)}"
    console.print(
        Text(
            f"{drift.cases:,} cases served by {model['name']} version {model['version']}"
            + (f", {window}" if drift.cases else "")
            + f", compared with {reference['cases']:,} of its own (run {reference['run_id']})"
        )
    )
    for warning in found["log"]["warnings"]:
        console.print(Text(f"warning: {spell(warning)}", style="bold yellow"))
    console.print()
    console.print(shifts_table(drift, wide=console.width >= WIDE))
    for line in _rate_lines(drift.rates) + _chart_lines(drift.charts):
        console.print(line)
    for note in found["log"]["notes"]:
        console.print(Text(f"note: {spell(note)}", style="dim"))
    for problem in found["log"]["problems"]:
        console.print(Text(f"not used: {spell(problem)}", style="yellow"))
    console.print()
    if drift.state == MOVED:
        console.print(Text(found["retraining"]["words"]))
    console.print(Text(f"report  {monitored.report}"), soft_wrap=True)


def shifts_table(drift: Drift, *, wide: bool) -> Table:
    """A row per shift; a narrow terminal shows only what decides: the value and the limit."""
    table = bare_table("state", "feature")
    for name in ("measure", "value", "limit", "p", "own", "served") if wide else ("value", "limit"):
        table.add_column(name, justify="left" if name == "measure" else "right", no_wrap=True)
    if wide:
        table.add_column("what it is", overflow="fold")
    for shift in words.moved_first(drift.shifts):
        table.add_row(*_cells(shift, wide=wide))
    return table


def _cells(shift: Shift, *, wide: bool) -> Sequence[str | Text]:
    state = Text(shift.state, style=STYLE[shift.state])
    name = Text(words.feature(spell(shift.name)))
    figures = [words.number(shift.value), words.number(shift.limit)]
    if not wide:
        return [state, name, *figures]
    figures += [words.p_value(shift.p_value)]
    figures += [f"{shift.reference_cases:,}", f"{shift.current_cases:,}"]
    return [state, name, words.measure(shift.measure), *figures, Text(spell(shift.words))]


def _rate_lines(rates: Sequence[ObservedRate]) -> list[Text]:
    lines = []
    for name, served, own in words.rate_pairs(rates):
        text = f"{words.feature(name)}: {_rate(served)}"
        lines.append(Text(f"{text}; own {_rate(own)}" if own and own.cases else text))
    return lines


def _rate(rate: ObservedRate) -> str:
    return f"{words.share(rate.estimate)} ({words.interval(rate)}, {rate.cases:,} cases)"


def _chart_lines(charts: Sequence[Chart]) -> list[Text]:
    lines = []
    for chart in charts:
        known = [point for point in chart.points if point.estimate is not None]
        if not known:
            continue
        signals = [point.start[:10] for point in known if point.state == "signal"]
        if chart.signal:
            where = f" ({', '.join(signals[-3:])})" if signals else ""
            lines.append(Text(f"{chart.name}: outside its control limits{where}", "bold red"))
        else:
            lines.append(Text(f"{chart.name}: in control in {len(known):,} periods"))
    return lines
