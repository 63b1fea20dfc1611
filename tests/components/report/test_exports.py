"""Every form of report says what became of each artefact, in each of its runtimes."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from components.decision import CheckResult, Decision, ExportDecision, Flips, RuntimeFindings
from components.report.context import ReportContext
from components.report.exports import export_faults, export_rows
from components.report.formats import FORMATS
from components.report.terminal import page_text, show_decision
from tests.components.planting import sha
from tests.components.report.making import (
    FAIL,
    FLOOR,
    INCONCLUSIVE,
    NASTY,
    PASS,
    case_set,
    decision,
    evidence,
)

NODE = RuntimeFindings("22.1", sha("node"), 400, 398, 0.0312, "case 7", {"p95": 9.7}, 10**8)
LOST = CheckResult(
    "node_wasm:sentinels.candidate", "sentinel", FAIL, f"turned wrong: {NASTY}", against="candidate"
)
ALIKE = replace(FLOOR, check="node_wasm:agreement.candidate", rule="alike", metric=None)
TFJS = ExportDecision(
    kind="tfjs",
    verdict=FAIL,
    required=True,
    sha256=sha("tfjs"),
    operating_point=0.5,
    size_bytes=123_400,
    runtimes={"node_wasm": NODE, "chromium_wasm": RuntimeFindings()},
    checks=(
        ALIKE,
        LOST,
        CheckResult("chromium_wasm:scores", "export", INCONCLUSIVE, "no Chromium here"),
    ),
    flips=(Flips("node_wasm", (), ("case 7", "case 8"), ("case 7",)),),
)
INT8 = ExportDecision("tflite_int8", INCONCLUSIVE, False, None, None, None, {}, ())
FACTS = ("tfjs", "tflite_int8", "node_wasm 22.1", "398 of 400", "2 (1 never-miss)", "123 kB")


@pytest.fixture
def judged() -> Decision:
    check = CheckResult("exports[tfjs]", "export", FAIL, f"node_wasm:sentinels: {NASTY}")
    made = decision()
    return replace(made, exports=(TFJS, INT8), checks=(*made.checks, check))


def test_a_row_for_each_runtime_and_one_where_nothing_was_asked(judged: Decision) -> None:
    rows = [(row.kind, row.standing, row.runtime, *row.figures) for row in export_rows(judged)]
    assert rows == [
        (
            *("tfjs", "FAIL, required", "node_wasm 22.1", "398 of 400", "0.912 to 0.975"),
            *("0.031", "2 (1 never-miss)", "9.700", "123 kB"),
        ),
        ("tfjs", "FAIL, required", "chromium_wasm", "-", "-", "-", "-", "-", "123 kB"),
        ("tflite_int8", "INCONCLUSIVE", "-", "-", "-", "-", "-", "-", "-"),
    ]


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_a_page_names_every_artefact_its_figures_and_its_faults(
    judged: Decision, form: str
) -> None:
    page = FORMATS[form](judged, evidence(case_set()), ReportContext())
    plain = page.replace("\\", "")
    for fact in (*FACTS, "no Chromium here", "0.912 to 0.975"):
        assert fact in plain
    assert "<script>alert" not in page
    before = FORMATS[form](decision(), evidence(case_set()), ReportContext())
    assert "xported artefacts" in page
    assert "xported artefacts" not in before


@pytest.mark.parametrize("width", [120, 80])
def test_a_terminal_shows_them_in_a_table_of_their_own(judged: Decision, width: int) -> None:
    text = page_text(lambda page: show_decision(page, judged, sentence=""), width=width)
    for fact in FACTS if width == 120 else FACTS[:4]:
        assert fact in text
    assert "tfjs, chromium_wasm:scores: no Chromium here" in text
    assert "exports[tfjs]" not in text


def test_a_ci_server_is_told_of_each_and_fails_only_for_what_gates(judged: Decision) -> None:
    suite = ElementTree.fromstring(FORMATS["junit"](judged, None, ReportContext())).find("*")
    assert suite is not None
    facts = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert (facts["exports.tfjs"], facts["exports.tflite_int8"]) == ("FAIL", "INCONCLUSIVE")
    failed = [
        case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None
    ]
    assert "exports[tfjs]" in failed
    assert "tfjs: INCONCLUSIVE: chromium_wasm:scores: no Chromium here" in "".join(suite.itertext())


def test_github_and_code_scanning_name_the_required_one(judged: Decision) -> None:
    lines = FORMATS["github"](judged, None, ReportContext()).splitlines()
    assert any(line.startswith("::error") and "Exported artefact tfjs" in line for line in lines)
    found = FORMATS["sarif"](judged, None, ReportContext())
    assert "exports[tfjs]" in found.replace("\\", "")
    assert sha("tfjs") in found


def test_only_what_does_not_pass_has_a_place_among_faults(judged: Decision) -> None:
    page = FORMATS["html"](
        replace(judged, exports=(replace(TFJS, verdict=PASS, checks=(ALIKE,)),)),
        evidence(case_set()),
        ReportContext(),
    )
    assert "What stands in the way of tfjs" not in page
    assert "Every check of tfjs" in page


def test_what_the_model_does_not_pass_either_is_one_line(judged: Decision) -> None:
    missed = replace(FLOOR, verdict=FAIL)
    theirs = [replace(missed, check=f"node_wasm:{missed.check}"), LOST]
    export = replace(TFJS, checks=tuple(theirs))
    faults = export_faults(replace(judged, checks=(missed,)), export)
    assert [fault.check for fault in faults] == [LOST.check, "node_wasm:as the candidate"]
    assert FLOOR.check in faults[1].reason
    assert export_faults(replace(judged, checks=()), export) == theirs
