"""Pages as HTML: every word from the data is escaped and on one line, and no sign in
it changes the direction in which the words beside it are written."""

import functools
import re
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from components.decision import Verdict
from components.pages import svg
from components.pages.page import breakable, templates
from pipeline.evidence.answer import Table, Value
from pipeline.evidence.show_answer import facts_by_section, is_figure, shown_value, shown_words
from pipeline.site import places
from pipeline.site.catalogue import NOT_CLOSED
from pipeline.site.content import Page
from pipeline.site.view import Links

FOLDER = Path(__file__).parent
MOST_ROWS = 1000  # of one table; the command has them all

# How each verdict and state is marked: by a sign as well as a colour.
_SIGNS: dict[Value, Verdict] = {
    **dict.fromkeys(
        ("PASS", "released", "serving", "passed", "joined", "already_released"), Verdict.PASS
    ),
    **dict.fromkeys(("FAIL", "blocked", "failed"), Verdict.FAIL),
    **dict.fromkeys(("INCONCLUSIVE", "inconclusive", "killed", NOT_CLOSED), Verdict.INCONCLUSIVE),
}
# Columns whose name says what their values are, whatever table they stand in.
_JUDGED = ("state", "verdict", "now")
_NAMED_BY_COLUMN = {"entry": "entry", "ledger_entry": "entry"}
_HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+Z)?|\d{8}T\d{6}\.\d+Z")

NAVIGATION = (
    ("Overview", places.HOME),
    ("Releases", places.RELEASES),
    ("Runs", places.RUNS),
    ("Compare", places.COMPARE),
    ("Case sets", places.CASE_SETS),
    ("Blocked", places.BLOCKED),
    ("Live at", places.LIVE),
    ("Search", places.SEARCH),
    ("Ledger", places.LEDGER),
    ("Verify", places.VERIFY),
)


def render(page: Page, links: Links, *, workspace: str, policy: str | None) -> str:
    """The whole page, with the content policy that is to stand in it where no server sends it."""
    template = _environment().get_template("page.html.j2")
    given = {"page": page, "links": links, "workspace": workspace, "policy": policy}
    return str(template.render(**given, navigation=NAVIGATION, style=places.STYLE))


def sign(value: Value) -> Markup:
    """The sign of a verdict or state, to stand before it; nothing for anything else."""
    verdict = _SIGNS.get(value)
    return svg.sign(verdict) if verdict else Markup("")


def cell(table: Table, column: str, value: Value, links: Links) -> dict[str, Any]:
    """What a cell shows: its words, where they lead, and what it says in full."""
    kind = table.links.get(column) or _NAMED_BY_COLUMN.get(column)
    address = links.of(kind, value) if kind and value is not None else links.guessed(value)
    return {**spelled(column, value, short=True), "href": address}


def spelled(name: str, value: Value, *, short: bool) -> dict[str, Any]:
    """The words of a value; a hash may be shortened, and then has all of it in `full`.

    Args:
      name: of the column or fact; a verdict is only one where it is called so.
    """
    words = shown_value(value)
    hashed = isinstance(value, str) and _HASH.fullmatch(value) is not None
    cut, timed = hashed and short, _TIME.fullmatch(words) is not None
    verdict = _SIGNS.get(value) if name in _JUDGED else None
    judged = verdict.value.lower() if verdict else ""
    return {
        "words": words[:12] if cut else words.replace("_", " ") if judged else words,
        "full": words if cut else None,
        "code": hashed,
        "known": value is not None,
        "breaks": isinstance(value, str) and not timed,
        "judged": judged,
        "css": "whole" if cut or timed else "figure" if is_figure(value) else "",
    }


def is_column_of_figures(table: Table, place: int) -> bool:
    """Whether a column holds numbers, and nothing else but gaps."""
    values = [row[place] for row in table.rows if row[place] is not None]
    return bool(values) and all(map(is_figure, values))


def marked(text: str) -> Markup:
    """A sentence of ours or of an answer, what stands between backquotes as code."""
    parts = shown_words(text).split("`")
    if len(parts) % 2 == 0:
        return escape(shown_words(text))
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(p) if n % 2 else p for n, p in enumerate(parts))


@functools.cache
def _environment() -> Any:
    environment = templates(FOLDER)
    shown = (breakable, cell, facts_by_section, is_column_of_figures, marked, sign, spelled)
    environment.globals |= {function.__name__: function for function in shown}
    environment.globals |= {"most_rows": MOST_ROWS, "words": shown_words}
    return environment
