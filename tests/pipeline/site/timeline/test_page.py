import re
from pathlib import Path

from pipeline.site.timeline.page import timeline_page
from pipeline.site.timeline.steps import TimelineStep
from tests.pipeline.site.timeline.making import judged


def page(*steps: TimelineStep) -> str:
    return timeline_page(steps, workspace="ward <7>", link=lambda path: f"../{path}")


def test_the_head_counts_what_became_of_candidates() -> None:
    text = page(
        judged("released", 0.95, version=3),
        judged("blocked", 0.88, only_golden=True),
        judged("inconclusive", 0.91),
        judged("failed", 0.9, figures={}),
    )
    counts = dict(re.findall(r"<dt>([^<]+)</dt><dd>(\d+)</dd>", text))
    assert counts == {
        "released": "1",
        "judged and not released": "2",
        "of these stopped by golden alone": "1",
        "failed or killed": "1",
        "drift reported": "0",
    }
    assert 'Golden alone stopped step <a href="#step-2">2</a>' in text


def test_every_judged_candidate_is_drawn_with_the_sign_of_its_verdict() -> None:
    text = page(judged("released", 0.95, version=3), judged("blocked", 0.88))
    picture = text[text.index('aria-labelledby="sensitivity-title') : text.index("</svg>")]
    assert picture.count('class="mark pass"') == 1
    assert picture.count('class="mark cross fail"') == 1
    assert picture.count('class="golden"') == picture.count('class="least"') == 2
    assert "blocked: 0.880, 0.860 to 0.890" in picture


def test_without_a_judged_run_there_is_no_picture() -> None:
    text = page(judged("failed", 0.9, figures={}))
    assert "<figure>" not in text and "as it was" in text


def test_what_comes_from_data_is_escaped_and_nothing_is_fetched() -> None:
    text = page(judged("blocked", 0.9, words="<script>alert(1)</script>", why="<b>"))
    assert "<script" not in text and "&lt;script&gt;" in text and "ward &lt;7&gt;" in text
    assert "default-src 'none'" in text
    assert re.findall(r'(?:src|href)="(?!#|data:|\.\./runs/)[^"]*"', text) == []


def test_reports_are_linked_from_where_the_page_lies() -> None:
    assert '<a href="../runs/run-1/report.html">report</a>' in page(judged("released", 0.95))


def test_its_look_is_that_of_the_reports(tmp_path: Path) -> None:
    assert "--pass-wash" in page(judged("released", 0.95))
