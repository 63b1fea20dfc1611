"""The drift report as a page: what it says, in which order, and what it never lets in."""

import base64
import hashlib
import html
import re
from dataclasses import replace

import pytest

from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, Chart, DriftReading, Histogram
from components.drift.page import MOST_PERIODS, MOST_VALUES, drift_page
from tests.components.drift.page_making import (
    NASTY,
    chart,
    drift,
    number_shift,
    record,
    word_shift,
)


def section(page: str, name: str) -> str:
    """The section's text without its tags."""
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found is not None
    return text(found.group())


def text(markup: str) -> str:
    """Without tags and pictures."""
    plain = re.sub("<[^>]*>", " ", re.sub("<svg.*?</svg>", " ", markup, flags=re.DOTALL))
    return " ".join(html.unescape(plain).split())


@pytest.mark.parametrize(
    ("state", "css", "words"),
    [
        (MOVED, "fail", "MOVED What is served has moved A new device appeared"),
        (STEADY, "pass", "STEADY No shift that matters Nothing moved."),
        (NOT_ENOUGH, "inconclusive", "NOT ENOUGH DATA Not enough data to tell 12 cases are fewer"),
    ],
)
def test_the_state_and_what_it_points_to_stand_first(state: str, css: str, words: str) -> None:
    page = drift_page(drift(state), record())
    header = page[page.index("<header") : page.index("</header>")]
    assert f'<header class="{css}">' in header and words in text(header)
    assert "No retraining is started" in text(header)


def test_warnings_stand_in_the_head() -> None:
    page = drift_page(drift(), record(warnings=("The newest prediction is 60 days old.",)))
    assert "60 days old" in page[: page.index("</header>")]


def test_shifts_are_listed_moved_first_by_how_far_with_their_figures() -> None:
    found = section(drift_page(drift(), record()), "shifts")
    order = [found.index(f" {name} ") for name in ("sharpness", "device", "mean", "score", "site")]
    assert order == sorted(order)
    first = "moved sharpness image quality, Jensen-Shannon sharpness words"
    assert first in found and "0.410 0.150 <0.0001 400 1,200" in found
    assert "Chance may raise a false alarm in 1 % of the reports" in found


def test_what_could_not_be_told_stands_last_without_figures() -> None:
    missing = replace(number_shift("entropy_bits", NOT_ENOUGH, value=None), histogram=None)
    shifts = (missing, *drift(STEADY).shifts)
    found = section(drift_page(replace(drift(STEADY), shifts=shifts), record()), "shifts")
    assert found.index("entropy bits") > found.index("site")
    assert "entropy_bits words - 0.150 - 400 1,200" in found


def test_distributions_of_what_moved_come_first_and_the_others_are_folded() -> None:
    page = drift_page(drift(), record())
    start = page.index('<section id="spreads"')
    moved, others = page[start : page.index("</section>", start)].split("<details>")
    assert "sharpness" in text(moved) and "device" in text(moved)
    assert "mean" not in text(moved) and "mean" in text(others) and "site" in text(others)
    assert "<summary>3 that did not move</summary>" in others
    assert page.count('id="spread-') == 2 * 5


def test_a_distribution_is_told_in_words_too() -> None:
    page = drift_page(drift(), record())
    found = re.search(r'<desc id="spread-2-text">(.*?)</desc>', page)
    assert found is not None
    said = found.group(1).replace("\u00a0", " ")
    parts = ["Aster: 33.3 % then, 10 % now", "Boreal: 33.3 % then, 45 % now"]
    assert said == f"{'; '.join(parts)}; Cirrus: 33.3 % then, 45 % now."


def test_rare_values_are_summed() -> None:
    values = tuple(f"device-{i}" for i in range(MOST_VALUES + 8))
    page = drift_page(
        replace(drift(), shifts=(word_shift("device", MOVED, values=values),)), record()
    )
    assert (
        "8 others" in page and len(re.findall(r'class="fill candidate"', page)) == MOST_VALUES + 1
    )


@pytest.mark.parametrize(
    ("edges", "label"),
    [((0.0, 10.0, 11.0, 12.0, 90.0), ">90<"), ((3.0, 3.0), ">3<"), ((0.0, 1.0), ">1<")],
)
def test_bins_of_any_width_are_drawn(edges: tuple[float, ...], label: str) -> None:
    bins = len(edges) - 1
    histogram = Histogram(("bin",) * bins, edges, (1 / bins,) * bins, (1.0, *(0.0,) * (bins - 1)))
    shift = replace(number_shift("mean", MOVED), histogram=histogram)
    page = drift_page(replace(drift(), shifts=(shift,)), record())
    assert label in page and "nan" not in page.lower() and "inf" not in text(page)


def test_rates_stand_beside_the_models_own_with_intervals() -> None:
    found = section(drift_page(drift(), record()), "rates")
    assert "positive rate served 43 % 40.2 to 45.8 % 516 of 1,200" in found
    assert "own data 45 % 40.0 to 50.0 % 180 of 400" in found
    assert "sensitivity" not in found  # of no case


def test_control_charts_show_their_source_their_limits_and_their_signals() -> None:
    page = drift_page(drift(), record())
    found = section(page, "charts")
    assert "Sensitivity signal" in found and "Specificity in control" in found
    assert "A p-chart with exact binomial limits (Shewhart 1931)." in found
    assert "what the model reached on its own data, 94 %" in found
    assert "2026-02-22 70 100 70 % 86 % to 99 % signal" in found
    assert "2026-01-15 95 100 95 % - not enough data" in found
    first = page[page.index('id="chart-1-title"') : page.index('id="chart-2-title"')]
    assert first.count("mark cross fail") == 1 and first.count("hollow candidate") == 1


def test_long_charts_draw_the_newest_periods_and_say_so() -> None:
    long = chart("sensitivity", periods=MOST_PERIODS + 30)
    page = drift_page(replace(drift(), charts=(long,)), record())
    drawn = page[page.index('id="chart-1-title"') : page.index("</svg>", page.index('id="chart-1'))]
    assert len(re.findall("<circle|mark cross", drawn)) == MOST_PERIODS
    assert f"from {long.points[-1].start}" in drawn and long.points[0].start not in drawn
    assert f"the newest {MOST_PERIODS} of {MOST_PERIODS + 30} periods" in text(page)


@pytest.mark.parametrize("charts", [(), (Chart("sensitivity", None, (), "p-chart", False),)])
def test_without_labels_the_page_says_how_they_arrive(charts: tuple[Chart, ...]) -> None:
    page = drift_page(replace(drift(), charts=charts), record())
    assert "Nobody has told labels of served cases yet" in section(page, "charts")


def test_unusable_lines_are_listed() -> None:
    page = drift_page(drift(), record(problems=("log.jsonl:3: not JSON",)))
    assert "log.jsonl:3: not JSON" in section(page, "log")
    assert "Every line could be used" in section(drift_page(drift(), record()), "log")


def test_a_comparison_of_nothing_is_a_page_too() -> None:
    empty = replace(drift(NOT_ENOUGH, charts=False), shifts=(), rates=(), first=None, last=None)
    page = drift_page(empty, record())
    assert "Nothing was compared." in text(page) and "No case was counted." in text(page)


def test_text_from_the_log_makes_no_element() -> None:
    shifts = (
        replace(word_shift("device", MOVED, values=("Aster", NASTY, "x" * 400)), words=NASTY),
        number_shift(f"mean in device={NASTY}", MOVED),
    )
    found = replace(drift(), shifts=shifts, reading=DriftReading("mixed", (NASTY,), NASTY))
    given = record(problems=(NASTY,), warnings=(NASTY,))
    given["log"] |= {"path": NASTY, "notes": (NASTY,)}
    given["model"]["name"] = given["reference"]["run_id"] = NASTY
    given["retraining"]["words"] = NASTY
    page = drift_page(found, given)
    assert "<script" not in page and NASTY not in page and page.count("&lt;script&gt;") > 8


def test_the_policy_admits_the_pages_own_style_and_nothing_else() -> None:
    page = drift_page(drift(), record())
    style = page[page.index("<style>") + 7 : page.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri" in page
    assert " style=" not in page and "http" not in page.replace("http-equiv", "")


def test_the_same_findings_give_the_same_bytes() -> None:
    assert drift_page(drift(), record()) == drift_page(drift(), record())


def test_every_picture_has_a_title_and_ids_are_unique() -> None:
    page = drift_page(drift(), record())
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    pictures = re.findall(r'<svg [^>]*role="img"[^>]*>', page)
    assert len(pictures) > 12 and all("aria-labelledby" in picture for picture in pictures)


def test_the_head_says_when_how_many_and_against_what() -> None:
    page = drift_page(drift(), record())
    header = text(page[page.index("<header") : page.index("</header>")])
    assert "window 2026-01-01 00:00 UTC to 2026-01-07 23:59 UTC" in header
    assert "1,200, of which 300 with a label" in header
    assert "compared with 400 tuning cases of run run-3" in header
