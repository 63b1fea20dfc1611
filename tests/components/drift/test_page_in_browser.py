"""What a real browser makes of the drift report, on a desk and on a telephone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.drift.findings import MOVED, NOT_ENOUGH, STEADY
from components.drift.page import drift_page
from tests.components.drift.page_making import NASTY, drift, record
from tests.components.report.browser import CHROMIUM, Page, chromium

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BLACK = (
    "[...document.querySelectorAll('svg[role=img] :is(rect, polyline, circle, line)')]"
    ".filter(e => (s => (s.fill === 'rgb(0, 0, 0)' && e.tagName !== 'line' "
    "&& !s.stroke.startsWith('rgb')) || (e.tagName === 'line' && s.stroke === 'none'))"
    "(getComputedStyle(e))).length"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.parametrize("state", [MOVED, STEADY, NOT_ENOUGH])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_asks_for_nothing(
    browser: Page, tmp_path: Path, state: str, width: int
) -> None:
    path = tmp_path / "report.html"
    path.write_text(drift_page(drift(state), record(problems=(NASTY,))), encoding="utf-8")
    browser.open(path, width=width)
    assert browser.complaints == [] and browser.requests == [path.resolve().as_uri()]
    assert browser.run(OVERFLOW) == 0
    assert browser.run("document.querySelector('h1').innerText").startswith(state.upper())
    assert browser.run(BLACK) == 0  # every mark has a colour of the page


def test_in_the_dark_the_page_is_dark(browser: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(drift_page(drift(), record()), encoding="utf-8")
    browser.open(path, dark=True)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert browser.run(colour) == "rgb(17, 20, 23)"
    assert browser.run(BLACK) == 0
