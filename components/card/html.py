"""The model card as one self-contained page, without script and without network."""

import functools
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.card.card import Card, Value, shown
from components.pages.page import source_hash, templates

FOLDER = Path(__file__).parent


def card_html(card: Card) -> str:
    """The whole page; everything from data is escaped by the template."""
    style = (FOLDER / "card.css").read_text(encoding="utf-8")
    page = _template().render(
        card=card,
        style=Markup(style),  # noqa: S704 - a file of this package
        style_hash=source_hash(style),
    )
    return str(page).strip() + "\n"


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@functools.cache
def _template() -> Any:
    environment = templates(FOLDER)
    environment.filters["shown"] = shown
    environment.tests["numeric"] = _is_number
    return environment.get_template("card.html.j2")
