"""The model card as one self-contained page, without script and without network."""

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.card.card import Card, Value, shown

FOLDER = Path(__file__).parent


def card_html(card: Card) -> str:
    """The whole page; everything from data is escaped by the template."""
    style = (FOLDER / "card.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _template().render(
        card=card,
        style=Markup(style),  # noqa: S704 - a file of this package
        style_hash=f"sha256-{digest}",
    )
    return str(page).strip() + "\n"


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@functools.cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    environment.tests["numeric"] = _is_number
    return environment.get_template("card.html.j2")
