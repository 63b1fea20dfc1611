import base64
import hashlib
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from components.pages.page import LOOK, source_hash, style_of, templates


def test_templates_escape_and_miss_nothing_silently(tmp_path: Path) -> None:
    (tmp_path / "page.j2").write_text("<p>{{ words }}</p>")
    page = templates(tmp_path).get_template("page.j2")
    assert page.render(words="<b>&") == "<p>&lt;b&gt;&amp;</p>"
    with pytest.raises(UndefinedError):
        page.render()


def test_a_page_adds_to_the_look_of_all(tmp_path: Path) -> None:
    (tmp_path / "own.css").write_text("h1 { display: block; }")
    assert style_of(tmp_path / "own.css") == f"{LOOK.read_text()}h1 {{ display: block; }}"


def test_the_policy_names_the_hash_of_the_very_text() -> None:
    digest = base64.b64encode(hashlib.sha256("ü".encode()).digest()).decode()
    assert source_hash("ü") == f"sha256-{digest}"
