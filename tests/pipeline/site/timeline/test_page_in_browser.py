"""The time line in a real browser: it fits, complains of nothing and asks for nothing."""

from pathlib import Path

import pytest

from pipeline.site.timeline.page import timeline_page
from tests.components.report.browser import CHROMIUM, chromium
from tests.pipeline.site.timeline.making import judged

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: install chromium"),
]


def test_the_page_shows_each_step_and_asks_for_nothing(tmp_path: Path) -> None:
    steps = [judged("released", 0.95, version=3), judged("blocked", 0.88, words="<b>bad</b>")]
    path = tmp_path / "timeline.html"
    path.write_text(timeline_page(steps, workspace="ward <7>", link=str), encoding="utf-8")
    with chromium(tmp_path / "profile") as page:
        page.open(path, width=390)
        assert page.complaints == [] and page.requests == [path.resolve().as_uri()]
        assert page.run("document.documentElement.scrollWidth") == 390
        assert "<b>bad</b>" in page.run("document.body.innerText")
        assert page.run("document.querySelectorAll('svg .mark.pass, svg .mark.cross').length") >= 2
