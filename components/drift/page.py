"""The drift report: one self-contained page, without script and without network.

Everything from the log is escaped by the template; the content policy of the page admits only its
own style, by its hash.
"""

import functools
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
from components.pages.page import source_hash, style_of, templates

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class PageContext:
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


def drift_page(drift: Drift, context: PageContext) -> str:
    """The whole page; the same comparison and context give the same bytes."""
    style = style_of(FOLDER / "page.css")
    shifts = words.moved_first(drift.shifts)
    page = _template().render(
        drift=drift,
        context=context,
        shifts=shifts,
        moved=[shift for shift in shifts if shift.state == MOVED and shift.histogram],
        others=[shift for shift in shifts if shift.state != MOVED and shift.histogram],
        style=Markup(style),  # noqa: S704 - files of this package
        style_hash=source_hash(style),
    )
    return str(page).strip() + "\n"


def css_of(state: str) -> str:
    """The class that colours a state."""
    return SIGN[state].value.lower()


@functools.cache
def _template() -> Any:
    environment = templates(FOLDER)
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
