import re

from pipeline.site.pages.overview import Lane, TimelineMoment, timeline
from tests.pipeline.site.making import NASTY

DAY = "2026-01-{:02}T00:00:00Z"


def drawn(*moments: TimelineMoment, until: str = DAY.format(9)) -> str:
    return str(timeline([Lane("serving/chest", moments)], until=until))


def test_each_release_is_a_named_link() -> None:
    found = drawn(
        TimelineMoment(DAY.format(1), "release", "release of version 7", "release/7/index.html")
    )
    assert 'href="release/7/index.html" aria-label="release of version 7"' in found
    assert "<title>release of version 7</title>" in found


def test_what_serves_now_reaches_the_right_edge() -> None:
    found = drawn(
        TimelineMoment(DAY.format(1), "release", "a"),
        TimelineMoment(DAY.format(5), "rollback", "b"),
    )
    bars = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]* class="(\w+)"', found)
    assert [css for _, _, css in bars] == ["served", "now"]
    (first, width, _), (second, last, _) = bars
    assert float(first) + float(width) < float(second)
    assert float(second) + float(last) == 1096 - 1  # the line's right end


def test_marks_at_one_time_lie_beside_each_other() -> None:
    found = drawn(*(TimelineMoment(DAY.format(1), "release", f"v{n}") for n in range(3)))
    places = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', found)
    assert len(set(places)) == 3


def test_one_release_at_this_moment_can_be_drawn() -> None:
    assert "<circle" in drawn(TimelineMoment(DAY.format(1), "release", "v"), until=DAY.format(1))


def test_the_picture_says_what_it_is_and_escapes_what_it_names() -> None:
    found = drawn(TimelineMoment(DAY.format(1), "release", NASTY, NASTY))
    assert "1 releases and rollbacks" in found and "Releases on a time line" in found
    assert "<script" not in found


def test_a_long_place_keeps_its_end() -> None:
    found = str(
        timeline(
            [Lane("a" * 40 + "/chest", (TimelineMoment(DAY.format(1), "release", "v"),))],
            until=DAY.format(2),
        )
    )
    assert "/chest</text>" in found
