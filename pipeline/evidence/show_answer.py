"""An answer as text for a person, as JSON for a program and as CSV for a spreadsheet.

Text shortens what is long in a table: hashes, fractions and rows. JSON and CSV have all of it.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pipeline.evidence.answer import Answer, Table, Value

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 200  # of a table in text
NOT_KNOWN = "not known"
_HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = 28  # characters that a column keeps on one line
_BETWEEN = 2
_LIKE_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(answer: Answer, *, width: int = 160, colour: bool = False) -> str:
    """Question, facts by section, tables, notes, and last what all of it rests on."""
    from rich.console import Console

    from components.report.terminal import print_facts, print_line

    page = io.StringIO()
    console = Console(
        file=page,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
    )
    print_line(console, shown_words(answer.question), "bold")
    for section, facts in facts_by_section(answer.facts):
        console.print()
        if section:
            print_line(console, shown_words(section))
        print_facts(console, {shown_words(n): shown_value(value) for n, value in facts.items()})
    for table in answer.tables:
        _print_table(console, table)
    if answer.notes:
        console.print()
    for note in answer.notes:
        _print_whole(console, f"note: {note}")
    if answer.evidence:
        console.print()
        print_line(console, "evidence", "dim")
    for line in answer.evidence:
        _print_whole(console, line, "dim", indent="  ")
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"


def as_json(answer: Answer) -> str:
    return json.dumps(answer.as_json(), indent=2, allow_nan=False) + "\n"


def as_csv(answer: Answer) -> str:
    """The first table as RFC 4180 has it; the facts where there is no table.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, which is how
    spreadsheets write that it is none. Nothing is an empty field.
    """
    page = io.StringIO(newline="")
    writer = csv.writer(page, lineterminator="\r\n")
    names: Iterable[Value] = ("fact", "value")
    rows: Iterable[Iterable[Value]] = answer.facts.items()
    if answer.tables:
        names, rows = answer.tables[0].columns, answer.tables[0].rows
    writer.writerows([_field(value) for value in row] for row in (names, *rows))
    return page.getvalue()


def shown_value(value: Value) -> str:
    """A value as text: never empty, so that what is not known is seen to be so."""
    if value is None:
        return NOT_KNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0") if abs(value) >= 1000 else f"{value:.4g}"
    return shown_words(str(value))


def shown_words(text: str) -> str:
    """Text from the data on one line: white space as one space, what does not print spelled out."""
    from components.records.text import spell

    return spell(" ".join(text.split()))


def _field(value: Value) -> Value:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_LIKE_A_FORMULA):
        return f"'{value}"
    return value


def facts_by_section(facts: Mapping[str, Value]) -> list[tuple[str, dict[str, Value]]]:
    """Facts whose name holds a section, 'code: commit', under it; the others first."""
    found: dict[str, dict[str, Value]] = {"": {}}
    for name, value in facts.items():
        section, colon, rest = name.partition(": ")
        found.setdefault(section if colon else "", {})[rest if colon else name] = value
    return [(section, inside) for section, inside in found.items() if inside]


def _print_table(console: "Console", table: Table) -> None:
    from components.report.terminal import print_line

    console.print()
    print_line(console, shown_words(table.title), "bold")
    if not table.rows:
        print_line(console, "  none", "dim")
        return
    cells = [[_cell(value) for value in row] for row in table.rows[:MOST_ROWS]]
    names = [shown_words(name.replace("_", " ")) for name in table.columns]
    widths = [max(map(len, column)) for column in zip(names, *cells)]
    if sum(min(width, _SHORT) + _BETWEEN for width in widths) <= console.width:
        _print_grid(console, table, names, cells, widths)
    else:
        _print_records(console, names, cells)
    if (left := len(table.rows) - MOST_ROWS) > 0:
        print_line(console, f"  and {left:,} more: --format json or csv has them all", "dim")


def _print_grid(
    console: "Console", table: Table, names: list[str], cells: list[list[str]], widths: list[int]
) -> None:
    """A row per line; short columns whole, so that ids and times are never broken."""
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    from components.report.terminal import STYLE

    grid = Grid(
        box=box.SIMPLE_HEAD, show_edge=False, padding=(0, _BETWEEN, 0, 0), collapse_padding=True
    )
    for place, name in enumerate(names):
        number = all(row[place] is None or is_figure(row[place]) for row in table.rows)
        justify = "right" if number else "left"
        whole = widths[place] <= _SHORT
        grid.add_column(name, justify=justify, overflow="fold", no_wrap=whole)  # type: ignore[arg-type]
    for row in cells:
        grid.add_row(*(Text(cell, style=STYLE.get(cell, "")) for cell in row))
    console.print(grid)


def _print_records(console: "Console", names: list[str], cells: list[list[str]]) -> None:
    """A block per row, for a terminal that the table does not fit in."""
    from components.report.terminal import print_facts

    for place, row in enumerate(cells):
        if place:
            console.print()
        print_facts(console, {name: cell for name, cell in zip(names, row) if cell})


def _print_whole(console: "Console", line: str, style: str = "", *, indent: str = "") -> None:
    """A line that a terminal may wrap and a file does not."""
    from rich.text import Text

    console.print(Text(indent + shown_words(line), style=style), soft_wrap=True)


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value[:12]
    return shown_value(value)


def is_figure(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
