import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from components.decision import Comparison, Decision, Flips, Looks, SliceEstimate
from components.records.text import one_line
from components.report.markdown import CUT, LISTED, MOST_CHARACTERS, report, write_report
from components.report.words import sentence
from tests.components.report import making
from tests.components.report.making import NASTY

DECISION = making.decision()


def cells(line: str) -> list[str]:
    """A table row's cells, as Markdown splits them: at every pipe that is not escaped."""
    return [cell.strip() for cell in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]]


def tables(text: str) -> list[list[list[str]]]:
    blocks = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    return [[cells(line) for line in block.splitlines()] for block in blocks]


def shown(decision: Decision = DECISION, *, synthetic: bool = False) -> str:
    return report(decision, synthetic=synthetic)


def part(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_headline_is_the_verdict_and_its_sentence() -> None:
    assert shown().startswith(f"# FAIL: run run-1\n\n{sentence(making.decision())}")
    assert "400 cases (200 positive) of case set planted version 1 by policy planted" in shown()


def test_every_check_is_a_row_with_its_numbers_and_reason() -> None:
    rows = tables(part(shown(), "Checks"))[0][2:]
    assert len(rows) == len(DECISION.checks)
    (row,) = [row for row in rows if row[0] == r"sensitivity\[overall\].floor"]
    assert row[2:7] == ["200", "0.950", "0.912 to 0.975", "0.900", "**PASS**"]
    assert row[7] == making.FLOOR.reason


def test_what_blocks_is_said_first_and_what_fails_before_what_is_unproven() -> None:
    unproven = replace(making.FLOOR, verdict=making.INCONCLUSIVE)
    lines = part(
        shown(making.decision(unproven, making.MARGIN, making.BRIER)), "What stands in the way"
    )
    assert re.findall(r"^- \*\*(\w+)\*\*", lines, flags=re.MULTILINE) == ["FAIL", "INCONCLUSIVE"]
    assert "What stands in the way" not in shown(making.waived())


def test_supporting_and_waived_checks_say_so() -> None:
    assert "**INCONCLUSIVE, supporting**" in shown()
    text = shown(making.waived())
    assert "**FAIL, waived**" in text
    (row,) = tables(part(text, "Waivers"))[0][2:]
    assert row[1:5] == ["applied", "A. Radiologist", "B. Physicist", "2025-04-30"]


def test_looks_are_said() -> None:
    assert "Looks at these cases: 3 of 20 planned." in shown()
    assert "21 of 20 planned, more" in shown(replace(DECISION, looks=Looks(21, 20)))


def test_regressed_slices_come_first() -> None:
    rows = tables(part(shown(), "Where it changed (decides nothing)"))[0][2:]
    assert [(row[0], row[-1]) for row in rows] == [
        ("device=Boreal", "**regressed**"),
        ("device=Aster", ""),
    ]
    assert rows[0][3:8] == ["0", "12", "-0.120", "0.0005", "0.0019"]


def test_changed_cases_are_listed_by_id_and_lost_sentinels_apart() -> None:
    text = part(shown(), "Changed against champion")
    assert "**1 lost that must never be missed: case-0002**\n" in text
    assert "3 lost (right before, wrong now): case-0001, case-0002, case-0004\n" in text
    assert "1 gained (wrong before, right now): case-0010" in text


def test_a_long_list_is_cut_and_says_by_how_much() -> None:
    lost = tuple(f"case-{i:04d}" for i in range(LISTED + 7))
    text = shown(replace(DECISION, flips=(Flips("golden", (), lost),)))
    assert f"{LISTED + 7} lost" in text and " and 7 more\n" in text
    assert lost[LISTED - 1] in text and lost[LISTED] not in text
    assert "0 gained (wrong before, right now): -\n" in text


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_images_are_said_to_be_so(synthetic: bool) -> None:
    assert ("**All images are synthetic.**" in shown(synthetic=synthetic)) == synthetic


def test_every_hash_is_there_and_an_absent_one_is_said() -> None:
    rows = {row[0]: row[1] for row in tables(shown())[-1][2:]}
    assert rows["candidate"] == DECISION.hashes["candidate"]
    assert rows["this decision"] == DECISION.decision_sha256
    without = {row[0]: row[1] for row in tables(shown(making.first_run()))[-1]}
    assert without["golden"] == "none"


def test_no_findings_are_said() -> None:
    assert part(shown(replace(DECISION, findings=())), "Findings").strip() == "none"


def test_text_from_data_cannot_break_a_table() -> None:
    honest, spoilt = tables(shown()), tables(shown(making.hostile()[0]))
    assert len(spoilt) == len(honest) + 1  # the waiver
    for table in spoilt:
        assert {len(row) for row in table} == {len(table[0])}


@pytest.mark.parametrize("mark", ["<", ">", "[", "]", "`", "&", "~"])
def test_text_from_data_cannot_become_markup(mark: str) -> None:
    made = replace(making.hostile()[0], findings=(f"{NASTY} &lt; ~~x~~",))
    text = shown(made).replace("<!-- -->", "")
    found = [match.start() for match in re.finditer(re.escape(mark), text)]
    assert found
    for place in found:
        before = text[:place]
        assert (len(before) - len(before.rstrip("\\"))) % 2 == 1, text[place - 20 : place + 20]


def test_text_from_data_calls_nobody_and_links_nowhere() -> None:
    made = replace(DECISION, findings=("@org/team see http://x.example and www.x.example",))
    text = shown(made)
    assert re.search(r"@\w|://|www\.", text) is None
    assert "@org/team see http://x.example" in text.replace("<!-- -->", "")


@pytest.mark.parametrize("start", ["# a", "- a", "+ a", "1. a", "7) a", "> a", "* a", "---", "==="])
def test_text_from_data_cannot_begin_a_block(start: str) -> None:
    (line,) = part(shown(replace(DECISION, findings=(start,))), "Findings").strip().splitlines()
    assert re.match(r"- (\\|\d+\\)", line), line


def test_one_text_cannot_fill_the_report() -> None:
    assert len(shown(replace(DECISION, findings=("a" * 10_000,)))) < len(shown()) + 500


def test_it_fits_a_comment_however_much_changed() -> None:
    ids = tuple(f"{'x' * 40}-{i:06d}" for i in range(100_000))
    row = making.decision().comparisons[1]
    made = replace(
        DECISION,
        checks=tuple(
            replace(making.MARGIN, check=f"{NASTY}{i}", reason=NASTY * 9) for i in range(99)
        ),
        flips=(Flips("champion", ids, ids, ids), Flips("golden", ids, ids, ids)),
        comparisons=tuple(replace(row, slice=f"{NASTY}{i}") for i in range(500)),
        slices=tuple(
            SliceEstimate("auc", f"{NASTY}{i}", 9, 0.5, 0.4, 0.6, "x") for i in range(999)
        ),
        findings=(NASTY,) * 5000,
    )
    text = shown(made)
    assert len(text) <= MOST_CHARACTERS and CUT in text
    assert made.decision_sha256 in text and "What stands in the way" in text


def test_many_slices_without_a_regression_are_not_all_listed() -> None:
    row = Comparison("golden", "sensitivity", "a", 9, 0, 0, 0, 1, 1, 1, 1, False)
    made = replace(DECISION, comparisons=tuple(replace(row, slice=f"s{i}") for i in range(60)))
    assert "and 40 more in the decision" in part(shown(made), "Where it changed (decides nothing)")


def test_the_report_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "report.md"
    assert write_report(DECISION, path, synthetic=False) == path
    assert path.read_text(encoding="utf-8") == shown()


@pytest.mark.parametrize("made", [DECISION, making.waived(), making.hostile()[0]])
def test_markdown_it_finds_each_reason_whole_in_a_cell_and_no_markup_from_data(
    made: Decision,
) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(shown(made))
    inside = [token for outer in tokens for token in outer.children or ()]
    assert not {token.type for token in [*tokens, *inside]} & {"html_block", "image", "link_open"}
    assert {token.content for token in inside if token.type == "html_inline"} <= {"<!-- -->"}
    cells = [tokens[at + 1] for at, token in enumerate(tokens) if token.type == "td_open"]
    texts = {
        "".join(one.content for one in cell.children or () if one.type != "html_inline")
        for cell in cells
    }
    assert {one_line(check.reason) for check in made.checks} <= texts
