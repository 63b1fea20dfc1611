from pathlib import Path

import pytest

from components.cases.spans import parse_spans, resolve_spans, span_pattern
from components.records.errors import SourceError
from tests.refusing import refused


def make(folder: Path, *names: str) -> str:
    """Empty folders of these names; returns the pattern of four digits."""
    for name in names:
        (folder / name).mkdir(parents=True)
    return f"{folder}/span-{{SPAN:4}}"


def resolved(pattern: str, window: str = "expanding", window_spans: int = 4) -> tuple[int, ...]:
    return resolve_spans(pattern, window=window, window_spans=window_spans).numbers


@pytest.mark.parametrize("text", ["d/span-{SPAN}", "d/{SPAN:4}.npz", "d/{VERSION}", "d/{span}"])
def test_a_placeholder_makes_a_pattern(text: str) -> None:
    assert span_pattern(text)


@pytest.mark.parametrize("text", ["phantom:n=3", "data/x", "spans:d/span-{SPAN}@1-3", "data/{}"])
def test_other_sources_are_no_pattern(text: str) -> None:
    assert not span_pattern(text)


def test_an_expanding_window_holds_every_span_in_the_order_of_numbers(tmp_path: Path) -> None:
    make(tmp_path, "span-10", "span-9", "span-1")
    spans = resolve_spans(f"{tmp_path}/span-{{SPAN}}", window="expanding", window_spans=1)
    assert spans.numbers == (1, 9, 10) and spans.names == ("span-1", "span-9", "span-10")


def test_a_rolling_window_holds_the_newest_and_takes_fewer_where_there_are_fewer(
    tmp_path: Path,
) -> None:
    pattern = make(tmp_path, "span-0001", "span-0002", "span-0003", "span-0005")
    assert resolved(pattern, "rolling", 2) == (3, 5)
    assert resolved(pattern, "rolling", 9) == (1, 2, 3, 5)
    only = resolve_spans(pattern, window="rolling", window_spans=1)
    assert (only.names, only.notice) == (("span-0005",), "")


def test_a_gap_is_told_and_stops_nothing(tmp_path: Path) -> None:
    pattern = make(tmp_path, "span-0001", "span-0003", "span-0007")
    spans = resolve_spans(pattern, window="expanding", window_spans=1)
    assert spans.missing == ((2, 2), (4, 6))
    assert spans.notice == f"{pattern}: no span 2, 4-6; went on without"


def test_a_span_is_there_once_it_has_its_full_name(tmp_path: Path) -> None:
    pattern = make(tmp_path, "span-0001", ".span-0002.tmp", "span-0003.tmp", "xspan-0004", "notes")
    assert resolved(pattern) == (1,)
    (tmp_path / ".span-0002.tmp").rename(tmp_path / "span-0002")
    assert resolved(pattern) == (1, 2)


def test_files_are_named_without_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "span-0002.npz").touch()
    make(tmp_path, "span-0001")
    spans = resolve_spans(f"{tmp_path}/span-{{SPAN:4}}.npz", window="expanding", window_spans=1)
    assert spans.names == ("span-0002",)


def test_the_spec_is_these_spans_even_after_another_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "x", *(f"span-000{number}" for number in (3, 4, 5, 7)))
    monkeypatch.chdir(tmp_path)
    spans = resolve_spans("./x/../x//span-{SPAN:4}", window="expanding", window_spans=1)
    assert spans.spec == "spans:x/span-{SPAN:4}@3-5,7"
    make(tmp_path / "x", "span-0008")
    again = parse_spans("spans:x/span-{SPAN:4}@7,3-5,4")
    assert again == spans and [span.path.name for span in again.spans] == list(spans.names)


@pytest.mark.parametrize(
    ("pattern", "facts"),
    [
        ("d/span-{VERSION}", ["{VERSION}", "{SPAN}", "{SPAN:4}"]),
        ("d/{YYYY}-{MM}-{DD}", ["{YYYY}"]),
        ("d/span-{SPAN}-{VERSION:2}", ["{VERSION:2}"]),
        ("d/span-{SPN}", ["{SPN}", "did you mean 'SPAN'"]),
        ("d/span-{span}", ["{span}"]),
        ("d/span-{SPAN:0}", ["{SPAN:0}"]),
        ("d/span-{SPAN:x}", ["{SPAN:x}"]),
        ("d/{SPAN}-{SPAN}", ["once, in the last part"]),
        ("d/span-{SPAN}/train", ["once, in the last part"]),
        ("d/span", ["once, in the last part"]),
        ("d/span-{SPAN}\0", ["once, in the last part"]),
        ("absent/span-{SPAN}", ["absent", "No such file"]),
    ],
)
def test_a_wrong_pattern_is_refused_in_one_line(pattern: str, facts: list[str]) -> None:
    with refused(SourceError, *facts) as caught:
        resolved(pattern)
    assert "\0" not in str(caught.value)


def test_no_span_says_what_was_looked_for_and_what_is_there(tmp_path: Path) -> None:
    pattern = make(tmp_path, "week-0001")
    with refused(SourceError, "span-0001", "['week-0001']"):
        resolved(pattern)


def test_two_spans_of_one_number_are_both_named(tmp_path: Path) -> None:
    make(tmp_path, "span-7", "span-0007")
    with refused(SourceError, "span-0007", "span-7 "):
        resolved(f"{tmp_path}/span-{{SPAN}}")


def test_a_span_that_nobody_would_ever_see_is_refused(tmp_path: Path) -> None:
    pattern = make(tmp_path, "span-0001", "span-12")
    with refused(SourceError, "span-12: ", "4 digits"):
        resolved(pattern)


@pytest.mark.parametrize(
    ("numbers", "facts"),
    [
        ("@1-3", ["2-3", "1,4"]),
        ("", ["numbers of spans"]),
        ("@", ["numbers of spans"]),
        ("@4-", ["numbers of spans"]),
        ("@²", ["numbers of spans"]),
        ("@4-1", ["4-1", "range"]),
        ("@1-999999999999", ["1-999999999999", "range"]),
    ],
)
def test_a_spec_of_spans_that_are_not_there_is_refused(
    tmp_path: Path, numbers: str, facts: list[str]
) -> None:
    pattern = make(tmp_path, "span-0001", "span-0004")
    with refused(SourceError, *facts):
        parse_spans(f"spans:{pattern}{numbers}")


@pytest.mark.parametrize(("window", "spans"), [("sliding", 1), ("rolling", 0)])
def test_an_unknown_window_is_refused(tmp_path: Path, window: str, spans: int) -> None:
    with refused(SourceError, "window"):
        resolved(make(tmp_path, "span-0001"), window, spans)
