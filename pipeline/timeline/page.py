"""The steps of a workspace as one page without network, for whoever was not there."""

import base64
import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.svg import element, mark
from pipeline.config import REPOSITORY
from pipeline.timeline.pictures import VERDICTS, pictures
from pipeline.timeline.steps import Step

FOLDER = Path(__file__).parent
# The look of every report; this page adds to it only what it alone has.
LOOK = REPOSITORY / "components" / "page.css"


def timeline_page(steps: Sequence[Step], *, workspace: str, link: Callable[[str], str]) -> str:
    """The whole page; the same steps give the same bytes.

    Args:
      workspace: what a reader calls it.
      link: from a path in the workspace to the address that the page links to.
    """
    style = LOOK.read_text(encoding="utf-8") + (FOLDER / "page.css").read_text(encoding="utf-8")
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
        style_hash=_source_hash(style),
    )
    return str(page).strip() + "\n"


def _sign(step: Step) -> Markup:
    """The sign of a run's verdict; nothing for what has none."""
    if step.state not in VERDICTS:
        return Markup("")
    return element("svg", mark(VERDICTS[step.state], 8, 8, 6), viewBox="0 0 16 16", class_="sign")


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@functools.lru_cache(maxsize=1)
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html.j2")
