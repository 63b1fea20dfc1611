import csv
import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from components.decision import Decision
from components.report.context import ReportContext
from components.report.sarif import HELP, sarif
from tests.components.report import making
from tests.components.report.making import decision
from tests.foreign import answer, needs

HERE = ReportContext(False, "baselines/planted/policy.yaml", {"sensitivity[device=Boreal]": 12})
DECISIONS = {
    "everything": decision(),
    "waived": making.waived(),
    "first run": making.first_run(),
    "unfit": making.unfit(),
    "hostile": making.hostile()[0],
}


def run(decided: Decision, context: ReportContext = HERE) -> dict[str, Any]:
    (found,) = json.loads(sarif(decided, context))["runs"]
    return found


def result(decided: Decision, check: str) -> dict[str, Any]:
    return next(r for r in run(decided)["results"] if f"({check})" in r["message"]["text"])


def test_only_what_does_not_pass_is_a_result() -> None:
    made = decision()
    assert len(run(made)["results"]) == sum(c.verdict is not making.PASS for c in made.checks) == 3
    assert run(decision(making.FLOOR))["results"] == []


@pytest.mark.parametrize(
    ("made", "check", "level"),
    [
        (decision(), making.MARGIN.check, "error"),
        (making.first_run(), "baseline.golden", "warning"),
        (decision(), making.BRIER.check, "note"),
        (making.waived(), making.MARGIN.check, "note"),
    ],
)
def test_the_level_is_what_the_check_weighs(made: Decision, check: str, level: str) -> None:
    assert result(made, check)["level"] == level


def test_a_waiver_is_an_accepted_suppression_with_its_names() -> None:
    (found,) = result(making.waived(), making.MARGIN.check)["suppressions"]
    assert (found["kind"], found["status"]) == ("external", "accepted")
    assert "A. Radiologist and B. Physicist until 2025-04-30" in found["justification"]


def test_a_result_points_to_the_line_of_the_policy_where_it_is_known() -> None:
    (place,) = result(decision(), making.MARGIN.check)["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "baselines/planted/policy.yaml"},
        "region": {"startLine": 12},
    }
    (place,) = result(decision(), making.SENTINEL.check)["locations"]
    assert "region" not in place["physicalLocation"]
    assert "locations" not in run(decision(), ReportContext())["results"][0]


def test_a_path_is_an_address() -> None:
    (place, *_) = run(decision(), ReportContext(policy_path="my data\\a#b.yaml"))["results"]
    address = place["locations"][0]["physicalLocation"]["artifactLocation"]
    assert address == {"uri": "my%20data/a%23b.yaml"}


def test_every_result_has_a_rule_with_help() -> None:
    found = run(decision())
    rules = found["tool"]["driver"]["rules"]
    for row in found["results"]:
        rule = rules[row["ruleIndex"]]
        assert rule["id"] == row["ruleId"] and len(rule["help"]["text"]) > 20


def test_a_fingerprint_is_the_check_and_outlives_the_run() -> None:
    again = decision(run_id="run-2", created="2026-01-01T00:00:00Z")
    prints = [
        [row["partialFingerprints"]["casegateCheck/v1"] for row in run(made)["results"]]
        for made in (decision(), again)
    ]
    assert prints[0] == prints[1] and len(set(prints[0])) == 3


def test_a_broken_gate_is_an_execution_that_failed() -> None:
    (call,) = run(replace(making.unfit(), exit_code=70))["invocations"]
    assert (call["executionSuccessful"], call["exitCode"]) == (False, 70)


def test_text_from_data_is_no_link_and_no_placeholder() -> None:
    said = run(DECISIONS["hostile"])["results"][0]["message"]["text"]
    assert re.search(r"(?<!\\)\]\s*\(", said) is None and re.search(r"(?<!\{)\{\d", said) is None


@pytest.mark.parametrize("name", DECISIONS)
def test_its_structure_is_what_sarif_requires(name: str) -> None:
    document = json.loads(sarif(DECISIONS[name], HERE))
    assert document["version"] == "2.1.0" and document["$schema"].endswith(
        "sarif-schema-2.1.0.json"
    )
    for found in document["runs"]:
        assert found["tool"]["driver"]["name"] == "casegate"
        assert all(isinstance(call["executionSuccessful"], bool) for call in found["invocations"])
        for row in found["results"]:
            assert row["message"]["text"] and row["level"] in ("error", "warning", "note")
            assert all(isinstance(v, str) for v in row["partialFingerprints"].values())
            for place in row["locations"]:
                region = place["physicalLocation"].get("region", {"startLine": 1})
                assert region["startLine"] >= 1


@pytest.mark.skipif(
    "CASEGATE_SARIF_SCHEMA" not in os.environ,
    reason="CASEGATE_SARIF_SCHEMA names no copy of OASIS' sarif-schema-2.1.0.json",
)
@pytest.mark.parametrize("name", DECISIONS)
def test_it_validates_against_the_published_schema(name: str) -> None:
    schema = json.loads(Path(os.environ["CASEGATE_SARIF_SCHEMA"]).read_text(encoding="utf-8"))
    document = json.loads(sarif(DECISIONS[name], HERE))
    jsonschema.Draft4Validator(schema).validate(document)


@pytest.mark.process
@pytest.mark.parametrize("name", DECISIONS)
def test_sarif_tools_lists_each_check_with_its_level_and_line(name: str, tmp_path: Path) -> None:
    path, table = tmp_path / "casegate.sarif", tmp_path / "table.csv"
    path.write_text(sarif(DECISIONS[name], HERE), encoding="utf-8")
    answer(needs("sarif", "sarif-tools, of the group dev"), "csv", "--output", table, path)
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = sorted(
            (row["Severity"], row["Code"], row["Location"]) for row in csv.DictReader(file)
        )
    wanted = [
        (row["level"], row["ruleId"], HERE.policy_path) for row in run(DECISIONS[name])["results"]
    ]
    assert rows == sorted(wanted)


@pytest.mark.process
def test_sarif_tools_fails_a_job_on_a_check_that_failed_and_not_on_a_waived_one(
    tmp_path: Path,
) -> None:
    program = needs("sarif", "sarif-tools, of the group dev")
    for name, code in (("everything", 2), ("waived", 0)):
        path = tmp_path / f"{name}.sarif"
        path.write_text(sarif(DECISIONS[name], HERE), encoding="utf-8")
        done = subprocess.run([program, "--check", "error", "summary", path], capture_output=True)
        assert done.returncode == code, done.stdout


@pytest.mark.process
@pytest.mark.parametrize("name", DECISIONS)
def test_microsofts_multitool_finds_no_error_and_no_name_that_is_an_id(
    name: str, tmp_path: Path
) -> None:
    program = needs("sarif-multitool", "npm's @microsoft/sarif-multitool")
    path = tmp_path / "casegate.sarif"
    path.write_text(sarif(DECISIONS[name], HERE), encoding="utf-8")
    said = answer(program, "validate", path)
    assert "Analysis completed successfully" in said
    assert not re.search(r"\): error |SARIF1001", said), said


ROOT = Path(__file__).resolve().parents[3]


def test_every_rule_of_the_schema_has_its_help() -> None:
    schema = json.loads((ROOT / "schemas" / "gate_decision.json").read_text(encoding="utf-8"))
    rules = schema["$defs"]["check"]["properties"]["rule"]["enum"]
    assert set(rules) <= HELP.keys()
