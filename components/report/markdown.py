"""The report of a run as Markdown: what a reviewer reads first, in a pull request or an editor."""

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from components.decision import Decision
from components.pages.page import templates
from components.records.files import write_atomically
from components.records.text import one_line
from components.report import words
from components.report.exports import COLUMNS, export_faults, export_rows

LISTED = 50
SLICES = 20
MOST_CHARACTERS = 60_000  # a pull request's comment holds 65,536
LONGEST = 240  # characters of one text from data
FOLD = "\f"  # parts, in the template, what may be cut from what is always there
CUT = "*Cut here to fit a comment: the decision holds the rest.*"


def write_report(decision: Decision, path: Path, *, synthetic: bool) -> Path:
    """Writes the report; returns `path`."""
    write_atomically(path, report(decision, synthetic=synthetic).encode())
    return path


def report(decision: Decision, *, synthetic: bool) -> str:
    """The decision as one Markdown text of at most MOST_CHARACTERS, the most urgent first."""
    comparisons = words.regressed_first(decision)
    regressed = sum(row.regressed for row in comparisons)
    filled = _template().render(
        decision=decision,
        cases=decision.case_set,
        synthetic=synthetic,
        open_checks=open_checks(decision),
        exports=export_rows(decision),
        export_columns=COLUMNS,
        export_faults=export_faults,
        comparisons=comparisons,
        compared=min(LISTED, max(regressed, SLICES)),
        most=LISTED,
        fold=FOLD,
        listed=listed,
        words=words,
    )
    head, middle, tail = filled.split(f"\n{FOLD}\n")
    room = MOST_CHARACTERS - len(head) - len(tail) - len(CUT) - 12
    return "\n".join([head, *fitting(middle.split("\n"), room, CUT), tail]) + "\n"


@functools.cache
def _template() -> Any:
    environment = templates(Path(__file__).parent, escape=False)
    environment.filters["text"] = lambda value: safe(str(value))
    return environment.get_template("report.md.j2")


def open_checks(decision: Decision) -> list[str]:
    """A line for each check that stands in the way."""
    return [
        f"- **{check.verdict.value}** {safe(words.title(check))}: {safe(check.reason)}"
        for check in words.blocking(decision)
    ]


def fitting(lines: Iterable[str], room: int, cut: str) -> list[str]:
    """The first lines that fit into `room` characters, and `cut` where there were more."""
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return [*kept, "", cut]
        kept.append(line)
    return kept


def listed(what: str, ids: Sequence[str], most: int = LISTED) -> str:
    """How many there are, and the first of them."""
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return f"{len(ids)} {what}: {', '.join(safe(name) for name in ids[:most]) or '-'}{more}"


def table_lines(head: list[str], rows: list[list[str]]) -> list[str]:
    """`rows` hold Markdown: whatever comes from data has been through `safe`."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def safe(text: str) -> str:
    """Text from data on one line, which cannot become markup, a link, a mention or a new cell."""
    text = one_line(text, " ")
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    text = re.sub(r"([\\`|<>\[\]*~&]|^[#+=-])", r"\\\1", text)
    text = re.sub(r"^(\d+)([.)])", r"\1\\\2", text)
    # GitHub links bare addresses and names whatever is escaped around them; an empty comment parts
    # them and shows nothing.
    return re.sub(r"@(?=\w)|:(?=//)|www(?=\.)", lambda found: f"{found[0]}<!-- -->", text)
