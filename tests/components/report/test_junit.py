import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest

from components.decision import Decision
from components.report.context import ReportContext
from components.report.junit import junit
from tests.components.report import making
from tests.components.report.making import NASTY, decision
from tests.foreign import needs


def suite(decided: Decision) -> ElementTree.Element:
    root = ElementTree.fromstring(junit(decided, ReportContext()).encode())
    (found,) = root
    return found


def case(decided: Decision, name: str) -> ElementTree.Element:
    return next(c for c in suite(decided).iter("testcase") if c.get("name") == name)


def test_each_check_is_one_test_case_under_its_metric_or_rule() -> None:
    made = decision()
    cases = [(c.get("classname"), c.get("name")) for c in suite(made).iter("testcase")]
    assert cases == [(f"casegate.{c.metric or c.rule}", c.check) for c in made.checks]


def test_a_failed_check_is_a_failure_with_its_reason_and_figures() -> None:
    (failure,) = case(decision(), making.MARGIN.check)
    assert (failure.tag, failure.get("type")) == ("failure", "fail")
    assert failure.get("message") == making.MARGIN.reason
    assert "lower: -0.19\n" in (failure.text or "")


def test_an_estimate_of_0_is_among_the_figures() -> None:
    (failure,) = case(decision(replace(making.MARGIN, estimate=0.0)), making.MARGIN.check)
    assert "estimate: 0.0\n" in (failure.text or "")


def test_inconclusive_is_a_failure_and_never_skipped() -> None:
    made = making.first_run()
    (failure,) = case(made, "baseline.golden")
    assert (failure.tag, failure.get("type")) == ("failure", "inconclusive")
    assert suite(made).find(".//skipped") is None and suite(made).get("skipped") == "0"


@pytest.mark.parametrize("rule", ["scores", "self_test"])
def test_what_could_not_be_judged_is_an_error(rule: str) -> None:
    made = decision(replace(making.MISALIGNED, rule=rule))
    (error,) = case(made, making.MISALIGNED.check)
    assert (error.tag, error.get("type")) == ("error", rule)


@pytest.mark.parametrize(
    ("made", "check", "word"),
    [
        (making.waived(), making.MARGIN.check, "FAIL, waived"),
        (decision(), making.BRIER.check, "INCONCLUSIVE, supporting"),
    ],
)
def test_what_does_not_block_passes_and_says_so(made: Decision, check: str, word: str) -> None:
    (said,) = case(made, check)
    assert said.tag == "system-out" and (said.text or "").startswith(f"{word}, does not block: ")


def test_the_counts_are_those_of_the_cases() -> None:
    made = decision(making.FLOOR, making.MARGIN, making.SENTINEL, making.MISALIGNED, making.BRIER)
    found = suite(made)
    assert [found.get(key) for key in ("tests", "failures", "errors")] == ["5", "2", "1"]
    assert len(found.findall("testcase/failure")) == 2


def test_every_hash_and_waiver_is_a_property() -> None:
    made = making.waived()
    found = {p.get("name"): p.get("value") for p in suite(made).iter("property")}
    assert found["sha256.decision"] == made.decision_sha256
    assert all(found[f"sha256.{name}"] == value for name, value in made.hashes.items())
    assert found[f"waived.{making.MARGIN.check}"] == "FAIL"


def test_its_structure_is_what_the_schemas_of_jenkins_and_ant_ask_for() -> None:
    for made in (decision(), making.waived(), making.first_run(), making.unfit()):
        found = suite(made)
        kinds = [child.tag for child in found]
        cases = ["testcase"] * len(made.checks)
        assert kinds == ["properties", *cases, "system-out", "system-err"]
        assert {"name", "tests", "failures", "errors", "time", "timestamp", "hostname"} <= set(
            found.keys()
        )
        assert found.get("timestamp") == "2025-03-31T12:00:00"  # Ant allows no time zone
        for test_case in found.iter("testcase"):
            assert set(test_case.keys()) == {"name", "classname", "time"}
            assert [child.tag for child in test_case] in (
                [],
                ["failure"],
                ["error"],
                ["system-out"],
            )


def test_text_from_data_stays_text() -> None:
    made, _ = making.hostile()
    found = suite(made)
    assert found.find(".//script") is None
    assert (found.findall("testcase")[0].get("name") or "").split() == NASTY.split()


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    made = decision(replace(making.FLOOR, check="a\x00\x1b\ufffe\U0001f600"))
    assert suite(made)[1].get("name") == "a\ufffd\ufffd\ufffd\U0001f600"


DECISIONS = [making.decision(), making.waived(), making.first_run(), making.unfit()]


@pytest.mark.parametrize("made", [*DECISIONS, making.hostile()[0]])
def test_junitparser_counts_what_blocks_as_the_decision_does(made: Decision) -> None:
    read = junitparser.JUnitXml.fromstring(junit(made, ReportContext()).encode())
    (found,) = read
    bad = [case for case in found if not case.is_passed]
    assert len(bad) == len([check for check in made.checks if check.open])
    assert (found.tests, found.failures + found.errors) == (len(made.checks), len(bad))


@pytest.mark.process
@pytest.mark.parametrize("made", DECISIONS)
def test_junitparsers_own_command_fails_where_the_gate_does(made: Decision, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(junit(made, ReportContext()), encoding="utf-8")
    command = [needs("junitparser", "the group dev"), "verify", str(path)]
    assert subprocess.run(command).returncode == (made.verdict is not making.PASS)
