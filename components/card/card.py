"""A model card: what a reader outside has to know of a model, section by section.

Everything in it is on record or was stated by a person; a card knows the difference between a
fact that is not known and one that nobody stated, and shows both.
"""

import functools
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.pages.page import source_hash, templates

Value = str | int | float | bool | None

NOT_KNOWN = "not known"
NOT_STATED = "not stated"

FOLDER = Path(__file__).parent
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~])")


@dataclass(frozen=True)
class CardTable:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class CardSection:
    """Attributes:
    texts: paragraphs, as somebody stated them or as a fact demands.
    facts: name -> value; None is shown as not known.
    """

    title: str
    texts: tuple[str, ...] = ()
    facts: Mapping[str, Value] = field(default_factory=dict)
    tables: tuple[CardTable, ...] = ()


@dataclass(frozen=True)
class Card:
    """Attributes:
    lead: one sentence on what the model is and whether it was released.
    warnings: what has to be read first, such as that the images are synthetic.
    """

    title: str
    lead: str
    warnings: tuple[str, ...]
    sections: tuple[CardSection, ...]


def shown(value: Value) -> str:
    """A value as both forms of the card write it."""
    if value is None:
        return NOT_KNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else f"{value:,}"


def card_html(card: Card) -> str:
    """The whole page; everything from data is escaped by the template."""
    style = (FOLDER / "card.css").read_text(encoding="utf-8")
    page = _template("card.html.j2").render(
        card=card,
        style=Markup(style),  # noqa: S704 - a file of this package
        style_hash=source_hash(style),
    )
    return str(page).strip() + "\n"


def card_markdown(card: Card) -> str:
    """The whole card; nothing in it is read as markup but its own headings and tables."""
    return str(_template("card.md.j2").render(card=card)).rstrip() + "\n"


@functools.cache
def _template(name: str) -> Any:
    environment = templates(FOLDER)
    environment.filters |= {"shown": shown, "plain": _plain}
    environment.tests["numeric"] = lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool)
    )
    return environment.get_template(name)


def _plain(text: str) -> Markup:
    """One line, with everything escaped that Markdown or HTML would take for more than text."""
    line = html.escape(" ".join(text.split()), quote=False)
    return Markup(_SPECIAL.sub(r"\\\1", line))  # noqa: S704 - escaped above
