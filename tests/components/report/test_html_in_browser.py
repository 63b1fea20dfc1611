"""What a real browser makes of the page: complaints, requests, sorting, narrow screens."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.report.html import html_report
from tests.components.report import making
from tests.components.report.browser import CHROMIUM, Page, chromium
from tests.components.report.making import NASTY, case_set, decision, evidence

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

FIRST_CELLS = "[...document.querySelectorAll('.cases tbody tr')].filter(r => !r.hidden)"
IDS = f"{FIRST_CELLS}.map(r => r.querySelector('th').textContent)"
SCORES = f"{FIRST_CELLS}.map(r => Number(r.querySelector('[data-value]').dataset.value))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    page = html_report(decision(), evidence(case_set()), synthetic=True)
    path.write_text(page, encoding="utf-8")
    return path


def click(page: Page, heading: str) -> str:
    """Clicks the worklist's heading; what it then says of its order."""
    found = f"[...document.querySelectorAll('.cases th')].find(h => h.textContent === '{heading}')"
    return page.run(f"{found}.querySelector('button').click(), {found}.getAttribute('aria-sort')")


def choose(page: Page, name: str, value: str) -> None:
    page.run(
        f"(s => {{ s.value = '{value}'; s.dispatchEvent(new Event('change')); }})"
        f"(document.querySelector('[data-filter={name}]'))"
    )


def test_the_page_complains_of_nothing_and_asks_for_nothing(browser: Page, written: Path) -> None:
    browser.open(written)
    assert browser.complaints == []
    assert browser.requests == [written.resolve().as_uri()]
    assert browser.run("document.querySelector('h1').innerText").startswith("FAIL")
    pictures = "[...document.images].map(i => i.complete && i.naturalWidth)"
    assert browser.run(pictures) == [24] * 5


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(
    browser: Page, written: Path
) -> None:
    browser.open(written)
    assert click(browser, "case") == "ascending"
    assert browser.run(IDS) == ["case-0001", "case-0002", "case-0004", "case-0010", "case-0011"]
    assert click(browser, "case") == "descending"
    assert browser.run(IDS)[0] == "case-0011"
    click(browser, "score, candidate")
    found = browser.run(SCORES)
    assert found == sorted(found)
    marks = "[...document.querySelectorAll('.cases th')].map(h => h.getAttribute('aria-sort'))"
    assert browser.run(marks).count("ascending") == 1


def test_the_worklist_can_be_narrowed_to_a_baseline(browser: Page, written: Path) -> None:
    browser.open(written)
    choose(browser, "against", "golden")
    choose(browser, "change", "lost")
    assert browser.run(IDS) == ["case-0002", "case-0001"]
    assert browser.run("document.querySelector('output').textContent") == "2 of 5 rows"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("made", ["fail", "first", "unfit", "hostile"])
def test_a_phone_never_scrolls_sideways(
    browser: Page, tmp_path: Path, made: str, dark: bool
) -> None:
    given = {
        "fail": (decision(), evidence(case_set())),
        "first": (making.first_run(), evidence(case_set(), models=["candidate"])),
        "unfit": (making.unfit(), None),
        "hostile": making.hostile(),
    }[made]
    path = tmp_path / "report.html"
    path.write_text(html_report(*given, synthetic=False), encoding="utf-8")
    browser.open(path, width=390, dark=dark)
    assert browser.run("innerWidth") == 390
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert browser.complaints == []


def test_text_from_data_runs_nothing_and_is_shown_as_it_is(browser: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html_report(*making.hostile(), synthetic=False), encoding="utf-8")
    browser.open(path)
    assert browser.complaints == [] and browser.run("document.scripts.length") == 1
    wanted = [" ".join(f"{NASTY}{end}".split()) for end in ("2", "")]
    assert [" ".join(name.split()) for name in browser.run(IDS)] == wanted


def test_the_content_policy_stops_a_script_that_got_in(browser: Page, written: Path) -> None:
    page = written.read_text(encoding="utf-8")
    written.write_text(page.replace("</main>", "<script>window.bad = 1</script></main>"))
    browser.open(written)
    assert browser.run("window.bad") is None
    assert re.search("Content Security Policy", " ".join(browser.complaints))


@pytest.mark.parametrize("width", [1280, 390])
def test_the_maps_stand_beside_the_pictures_under_their_scale_and_their_warning(
    browser: Page, tmp_path: Path, width: int
) -> None:
    cases = case_set()
    heat = {case.case_id: np.eye(4, dtype=np.float32) for case in cases.cases}
    shown = replace(evidence(cases), maps={"candidate": heat, "champion": heat})
    path = tmp_path / "report.html"
    path.write_text(html_report(decision(), shown, synthetic=False), encoding="utf-8")
    browser.open(path, width=width)
    assert browser.complaints == [] and browser.requests == [path.resolve().as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    across = browser.run(
        "[...document.querySelector('.cases tbody tr').querySelectorAll('img')]"
        ".map(i => [i.getBoundingClientRect().left, i.naturalWidth])"
    )
    assert len(across) == 3 and sorted(across) == across and {w for _, w in across} == {24}
    scale = "document.querySelector('.scale')"
    assert "not where the disease is" in browser.run(f"{scale}.innerText")
    assert browser.run(f"{scale}.querySelector('img').naturalWidth") == 160
    above = f"document.querySelector('.cases').getBoundingClientRect().top - {scale}"
    assert browser.run(f"{above}.getBoundingClientRect().bottom") >= 0
    assert browser.run(CONTRAST) == []


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_has_enough_contrast(browser: Page, written: Path, dark: bool) -> None:
    browser.open(written, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.run(CONTRAST) == []


# WCAG 2.2, 1.4.3: the relative luminances of text and of the first opaque ground behind it.
CONTRAST = """(() => {
  const parse = (c) => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length || e.closest('option, title, desc, script')) continue;
    const style = getComputedStyle(e);
    const ink = light(parse(e.closest('svg') ? style.fill : style.color));
    const paper = light(ground(e));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 4.5) bad.push(`${e.tagName}.${e.getAttribute('class')}: ${ratio.toFixed(2)}`);
  }
  return bad;
})()"""
