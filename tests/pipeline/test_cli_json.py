"""What commands print for programs, on a terminal that is set to something else than UTF-8."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.baselines.scores import save_scores
from tests.foreign import answer, needs
from tests.pipeline.ci.making import candidate
from tests.pipeline.score_making import Team

pytestmark = pytest.mark.process

CASEGATE = [sys.executable, "-c", "from pipeline.cli import main; main()"]


@pytest.fixture
def team(tmp_path: Path) -> Team:
    """Its policy has a name that no ASCII and no half of Latin-1 can hold."""
    made = Team(tmp_path)
    made.policy.write_text(made.policy.read_text().replace("name: ", "name: Größe 胸部 "), "utf-8")
    save_scores(candidate(), tmp_path / "candidate.json")
    return made


def printed(*words: object) -> bytes:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    command = [*CASEGATE, *map(str, words)]
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode in (0, 1, 3), done.stderr.decode()
    return done.stdout


def gate(team: Team, form: str) -> bytes:
    scores = team.root / "candidate.json"
    given = ("--case-set", team.case_set, "--candidate", scores, "--policy", team.policy)
    return printed("gate", *given, "--format", form)


def test_jq_reads_the_policy_and_the_decision(team: Team) -> None:
    jq = needs("jq", "Debian's jq")
    text = printed("policy", "check", team.policy, "--case-set", team.case_set, "--format", "json")
    assert answer(jq, "-r", ".policy", given=text).startswith("Größe 胸部 ")
    assert answer(jq, "-r", ".policy", given=gate(team, "json")).startswith("Größe 胸部 ")


def test_jq_reads_the_code_of_an_error(tmp_path: Path) -> None:
    jq = needs("jq", "Debian's jq")
    words = ("policy", "check", str(tmp_path / "Größe.yaml"), "--case-set", "phantom")
    done = subprocess.run([*CASEGATE, *words, "--format", "json"], capture_output=True)
    assert (done.returncode, done.stdout) == (2, b"")
    code, _, message = answer(jq, "-r", ".error|.code,.message", given=done.stderr).partition("\n")
    assert code == "CG2003" and "Größe.yaml" in message


def test_xmllint_reads_the_junit_that_says_it_is_utf_8(team: Team) -> None:
    xmllint = needs("xmllint", "Debian's libxml2-utils")
    xpath = "string(//testsuite/@name)"
    assert "Größe 胸部" in answer(xmllint, "--xpath", xpath, "-", given=gate(team, "junit"))


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_a_report_is_utf_8_too(team: Team, form: str) -> None:
    assert "Größe 胸部" in gate(team, form).decode("utf-8")
