import re
from dataclasses import replace
from pathlib import Path

import pytest

from components.decision import Decision, Flips, Verdict
from components.report.markdown import LISTED, report, write_report
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import check, policy, scored

RULES = policy(check(floor=0.8, margin=0.05), check("specificity", margin=0.05))
DECISION = judged(scored(CASES, wrong=range(40)), rules=RULES, findings=("a finding",))
NASTY = 'a|b <img src=x onerror="y"> [click](http://example.org) `c` \\| d\n\n# e'


def cells(line: str) -> list[str]:
    """A table row's cells, as Markdown splits them: at every pipe that is not escaped."""
    return re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]


def tables(text: str) -> list[list[list[str]]]:
    blocks = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    return [[cells(line) for line in block.splitlines()] for block in blocks]


def shown(decision: Decision = DECISION, *, synthetic: bool = False) -> str:
    return report(decision, synthetic=synthetic)


def test_the_headline_is_the_verdict() -> None:
    assert shown().startswith("# FAIL: run run-1\n")
    assert "400 cases (200 positive) of case set planted version 1 by policy planted" in shown()


def test_every_check_is_a_row_with_its_numbers_and_reason() -> None:
    rows = tables(shown())[0][2:]
    assert len(rows) == len(DECISION.checks)
    (row,) = [row for row in rows if row[0].strip() == r"sensitivity\[overall\].floor"]
    assert row[3].strip() == "0.800" and row[6].strip() in ("**FAIL**", "**INCONCLUSIVE**")
    assert all(f"**{check.verdict.value}**" in shown() for check in DECISION.checks)


def test_changed_cases_are_listed_by_id() -> None:
    flips = Flips("golden", gained=("case-0001",), lost=("case-0002", "case-0003"))
    text = shown(replace(DECISION, flips=(flips,)))
    assert "## Changed against golden" in text
    assert "2 lost (right before, wrong now): case-0002, case-0003\n" in text
    assert "1 gained (wrong before, right now): case-0001\n" in text


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
    rows = {row[0].strip(): row[1].strip() for row in tables(shown())[-1][2:]}
    assert rows["candidate"] == DECISION.hashes["candidate"]
    assert rows["this decision"] == DECISION.decision_sha256
    without = shown(judged(golden=None, champion=None))
    assert {row[1].strip() for row in tables(without)[-1] if row[0].strip() == "golden"} == {"none"}


def test_no_findings_are_said() -> None:
    assert "## Findings\n\nnone\n" in shown(replace(DECISION, findings=()))


def nasty() -> Decision:
    """A decision in which every text that comes from data is markup."""
    first = replace(DECISION.checks[0], check=NASTY, reason=NASTY, verdict=Verdict.FAIL)
    return replace(
        DECISION,
        policy=NASTY,
        case_set={**DECISION.case_set, "name": NASTY},
        checks=(first, *DECISION.checks[1:]),
        slices=tuple(replace(piece, slice=f"device={NASTY}") for piece in DECISION.slices),
        flips=(Flips("golden", (NASTY,), (NASTY,)),),
        findings=(NASTY,),
    )


def test_text_from_data_cannot_break_a_table() -> None:
    honest, spoilt = tables(shown()), tables(shown(nasty()))
    assert [len(table) for table in spoilt] == [len(table) for table in honest]
    for table in spoilt:
        assert {len(row) for row in table} == {len(table[0])}


@pytest.mark.parametrize("mark", ["<", ">", "[", "]", "`"])
def test_text_from_data_cannot_become_markup(mark: str) -> None:
    text = shown(nasty())
    found = [match.start() for match in re.finditer(re.escape(mark), text)]
    assert found
    for place in found:
        before = text[:place]
        assert (len(before) - len(before.rstrip("\\"))) % 2 == 1, text[place - 20 : place + 20]


def test_text_from_data_cannot_begin_a_line() -> None:
    headings = [line for line in shown(nasty()).splitlines() if line.startswith("#")]
    assert "# e" not in headings
    assert len(headings) == len([line for line in shown().splitlines() if line.startswith("#")]) - (
        len(DECISION.flips) - 1
    )


def test_the_report_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "report.md"
    assert write_report(DECISION, path, synthetic=False) == path
    assert path.read_text(encoding="utf-8") == shown()
