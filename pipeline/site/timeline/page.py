"""The steps of a workspace as one page without network, for whoever was not there."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.pages.page import source_hash, style_of, templates
from components.pages.svg import element, mark
from pipeline.site.timeline.pictures import VERDICTS, pictures
from pipeline.site.timeline.steps import TimelineStep

FOLDER = Path(__file__).parent


def timeline_page(
    steps: Sequence[TimelineStep], *, workspace: str, link: Callable[[str], str]
) -> str:
    """The whole page; the same steps give the same bytes.

    Args:
      workspace: what a reader calls it.
      link: from a path in the workspace to the address that the page links to.
    """
    style = style_of(FOLDER / "page.css")
    page = _template().render(
        steps=steps,
        numbered=list(enumerate(steps, 1)),
        workspace=workspace,
        released=[step for step in steps if step.version is not None],
        held=[step for step in steps if step.only_golden],
        blocked=[step for step in steps if step.state in ("blocked", "inconclusive")],
        failed=[step for step in steps if step.state in ("failed", "killed")],
        drifts=[step for step in steps if step.kind == "drift"],
        pictures=pictures(steps),
        sign=_sign,
        links=link,
        style=Markup(style),  # noqa: S704 - a file of this package
        style_hash=source_hash(style),
    )
    return str(page).strip() + "\n"


def _sign(step: TimelineStep) -> Markup:
    """The sign of a run's verdict; nothing for what has none."""
    if step.state not in VERDICTS:
        return Markup("")
    return element("svg", mark(VERDICTS[step.state], 8, 8, 6), viewBox="0 0 16 16", class_="sign")


@functools.lru_cache(maxsize=1)
def _template() -> Any:
    environment = templates(FOLDER)
    return environment.get_template("page.html.j2")
