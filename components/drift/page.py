"""The drift report: one self-contained page, without script and without network.

Everything from the log is escaped by the template; the content policy of the page admits only its
own style, by its hash.
"""

import base64
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.drift import page_words as words
from components.drift.findings import MOVED, Drift
from components.drift.page_chart import MOST_PERIODS, control_chart
from components.drift.page_pictures import (
    SIGN,
    distribution,
    limit_strip,
    rate_strip,
    sign,
)

FOLDER = Path(__file__).parent
# The look of every report; this page adds to it only what it alone has.
LOOK = FOLDER.parent / "page.css"


@dataclass(frozen=True)
class Context:
    """What a page says beside the comparison.

    Attributes:
      model: such as `pneumonia, version 3`.
      facts: name -> value, for the head of the page.
      consequence: what follows, in one sentence.
      warnings: what has to be read first.
      notes: what was found about the log.
      problems: lines that could not be used.
      record: name -> hash or path, for the end of the page.
    """

    model: str
    facts: Mapping[str, str]
    consequence: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    record: Mapping[str, str]


def drift_page(drift: Drift, context: Context) -> str:
    """The whole page; the same comparison and context give the same bytes."""
    style = LOOK.read_text(encoding="utf-8") + (FOLDER / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    shifts = words.moved_first(drift.shifts)
    page = _template().render(
        drift=drift,
        context=context,
        shifts=shifts,
        moved=[shift for shift in shifts if shift.state == MOVED and shift.histogram],
        others=[shift for shift in shifts if shift.state != MOVED and shift.histogram],
        style=Markup(style),  # noqa: S704 - files of this package
        style_hash=f"sha256-{digest}",
    )
    return str(page).strip() + "\n"


def css_of(state: str) -> str:
    """The class that colours a state."""
    return SIGN[state].value.lower()


@functools.cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "words": words,
        "shown_periods": MOST_PERIODS,
        "css_of": css_of,
        "sign": sign,
        "limit_strip": limit_strip,
        "distribution": distribution,
        "rate_strip": rate_strip,
        "control_chart": control_chart,
    }
    return environment.get_template("page.html.j2")
