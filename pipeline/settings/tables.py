"""Plain tables of text from the data, at the width of the terminal: never markup, never broken."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.records.text import spell

MOST_ROWS = 50  # of cases; --format json has them all
NAMED = 5


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


def many(count: int, noun: str) -> str:
    """A count with its noun: 1 case, 2 cases."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
