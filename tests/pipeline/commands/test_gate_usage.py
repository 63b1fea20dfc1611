"""What `casegate gate` refuses, and the forms in which it answers."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from components.records.errors import IntegrityError, PolicyError, SourceError, UsageError
from pipeline.settings.baselines import SHIPPED_BASELINES
from tests.pipeline.score_making import Team, casegate
from tests.refusing import refusal


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


# Usage


@pytest.mark.parametrize(
    "changed, exit_code, words",
    [
        ({"case_set": "nosuch"}, 2, "nosuch: "),
        ({"policy": "absent.yaml"}, 2, "absent.yaml: no such policy"),
        ({"champion": "absent.csv"}, 2, "absent.csv: "),
        ({"run_id": "../up"}, 2, "--run-id: got '../up'"),
        ({"created": "yesterday"}, 2, "--created: got 'yesterday'"),
        ({"created": "2025-02-30T12:00:00Z"}, 2, "--created: got '2025-02-30"),
        ({"created": "2025-03-31T12:00:00"}, 2, "--created: got '2025-03-31T12:00:00'"),
        ({"workspace": "w", "ledger": "l"}, 2, "give one"),
        ({"format": "xml"}, 2, "--format"),
        ({"output": "/proc/none/out.json", "format": "json"}, 2, "--output /proc/none/out.json"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    team: Team, changed: dict[str, Any], exit_code: int, words: str
) -> None:
    assert words in refusal(team.gate(**changed), exit_code)


def test_no_candidate_is_a_usage_error(team: Team) -> None:
    assert "--candidate" in refusal(casegate("gate", "--case-set", team.case_set), UsageError)


def test_a_folder_without_a_model_is_refused(team: Team) -> None:
    assert "no saved_model.pb in it" in refusal(team.gate(team.folder), SourceError)


def test_a_file_of_another_kind_is_refused(team: Team) -> None:
    other = team.root / "scores.xlsx"
    other.write_bytes(b"PK")
    assert "wanted scores as .csv, .parquet or .json" in refusal(team.gate(other), SourceError)


@pytest.mark.parametrize("name", ["golden", "case_set"])
def test_a_tampered_baseline_is_an_integrity_error(team: Team, name: str) -> None:
    path = getattr(team, name)
    path.write_text(path.read_text().replace("case-0007", "case-9007", 1))
    assert "IntegrityError: " in refusal(team.gate(), IntegrityError)


def test_a_misspelt_policy_is_a_usage_error(team: Team) -> None:
    team.policy.write_text(team.policy.read_text().replace("floor", "flor"))
    assert "did you mean 'floor'" in refusal(team.gate(), PolicyError)


def test_a_shipped_baseline_brings_its_policy_and_golden() -> None:
    golden = Path("baselines/pneumoniamnist/golden.json").resolve()
    result = casegate("gate", "--case-set", "pneumoniamnist", "--candidate", golden)
    assert result.exit_code == 1 and "baseline.golden: the candidate is the golden" in result.stdout


def candidate_like_golden(baseline: Path, path: Path, *, losing: float = 0.0) -> Path:
    """Golden's scores moved by nothing that counts, but for a share of what it found."""
    golden = json.loads((baseline / "golden.json").read_text())
    cases = json.loads((baseline / "case_set.json").read_text())["cases"]
    positive = {case["case_id"] for case in cases if case["label"] == 1}
    point = golden["operating_point"]
    found = [name for name, score in golden["scores"] if name in positive and score >= point]
    lost = set(found[: round(losing * len(found))])
    rows = [
        f"{name},{0.0 if name in lost else max(0.0, score - 1e-9)!r},{point}"
        for name, score in golden["scores"]
    ]
    path.write_text("\n".join(["case_id,score,operating_point", *rows]) + "\n")
    return path


@pytest.mark.parametrize("name", sorted(each.name for each in SHIPPED_BASELINES.iterdir()))
def test_a_shipped_baseline_lets_an_equal_model_pass_and_blocks_one_that_misses_cases(
    name: str, tmp_path: Path
) -> None:
    baseline = SHIPPED_BASELINES / name
    equal = candidate_like_golden(baseline, tmp_path / "equal.csv")
    told = casegate("gate", "--case-set", name, "--candidate", equal, "--format", "json")
    assert told.exit_code == 0, told.output
    worse = candidate_like_golden(baseline, tmp_path / "worse.csv", losing=0.2)
    told = casegate("gate", "--case-set", name, "--candidate", worse, "--format", "json")
    assert told.exit_code == 1, told.output
    failed = {c["check"] for c in json.loads(told.stdout)["checks"] if c["verdict"] == "FAIL"}
    assert failed >= {"sensitivity[overall].non_inferiority.golden", "negative_flips.golden"}


# Forms and places


@pytest.mark.parametrize("form", ["text", "json", "junit", "sarif", "markdown", "html"])
def test_every_form_goes_to_the_screen_or_whole_into_a_file(team: Team, form: str) -> None:
    shown = team.gate(format=form)
    output = team.root / "out" / "report"
    written = team.gate(format=form, output=output)
    assert shown.exit_code == written.exit_code == 0
    assert output.read_text() == shown.stdout
    assert written.stdout == f"PASS: {output}\n"


def test_the_forms_say_what_they_should(team: Team) -> None:
    bad = team.candidate(*range(40))
    suite = ElementTree.fromstring(team.gate(bad, format="junit").stdout)
    assert suite.findall(".//failure")
    assert json.loads(team.gate(bad, format="sarif").stdout)["runs"][0]["results"]
    assert team.gate(bad, format="markdown").stdout.startswith("# FAIL")
    assert team.gate(bad, format="html").stdout.lower().startswith("<!doctype html")


def test_github_gets_annotations_and_a_summary(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = team.root / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(team.root))
    result = team.gate(team.candidate(*range(40)), format="github")
    assert result.exit_code == 1 and result.stdout.startswith("::error title=casegate%3A FAIL")
    assert "file=chest/policy.yaml,line=6" in result.stdout
    assert summary.read_text().startswith("before\n# FAIL")


def test_a_summary_that_cannot_be_written_changes_no_verdict(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(team.root / "none" / "summary.md"))
    result = team.gate(format="github")
    assert result.exit_code == 0 and "GITHUB_STEP_SUMMARY" in result.stderr
