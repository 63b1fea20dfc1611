"""What every page that is made here shares: templates, the look, a hash for its policy.

A page allows only its own style and script, each by its hash, and fetches nothing.
"""

import base64
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from components.records.text import one_line, spell

_BREAKS = re.compile(r"[].=/](?=\w|\[|\.)")
LOOK = Path(__file__).with_name("page.css")


def templates(folder: Path, *, escape: bool = True) -> Any:
    """A Jinja environment for the templates in `folder`: nothing may be missing.

    Args:
      escape: for HTML; not for what is no page.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=escape,  # noqa: S701 - on wherever a page is made
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_of(template: Path, style: str, **given: Any) -> str:
    """The whole page that a template makes; the same arguments give the same bytes."""
    made = _template(template).render(
        style=Markup(style),  # noqa: S704 - a file of this project
        style_hash=source_hash(style),
        **given,
    )
    return str(made).strip() + "\n"


@functools.cache
def _template(path: Path) -> Any:
    return templates(path.parent).get_template(path.name)


def text_of(template: Path, **given: Any) -> str:
    """What a template of plain text makes, in which nothing is escaped; no empty line ends it."""
    environment = templates(template.parent, escape=False)
    environment.globals |= {"one_line": one_line, "spell": spell}
    return str(environment.get_template(template.name).render(given)).rstrip("\n")


def breakable(words: str) -> Markup:
    """A name without spaces may break after its dots, brackets and slashes."""
    return Markup(_BREAKS.sub(r"\g<0><wbr>", str(escape(words))))  # noqa: S704 - escaped


def style_of(*files: Path) -> str:
    """The look of every report, and what these files add to it."""
    return "".join(file.read_text(encoding="utf-8") for file in (LOOK, *files))


def source_hash(text: str) -> str:
    """The source that a content policy names for an inline style or script of this text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
