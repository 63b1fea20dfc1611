"""`casegate policy check`: what a person, a narrow terminal and a machine see of the pre-flight."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.pipeline.score_making import POLICY, Team, casegate

SHIPPED = Path("baselines/pneumoniamnist/policy.yaml").resolve()
REAL = """\
name: real
leakage: stop
planned_looks: 10
checks:
  - {metric: specificity, slice: overall, margin: MARGIN, rationale: planted}
"""


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


def checked(team: Team, text: str, *more: object) -> Result:
    team.policy.write_text(text)
    return casegate("policy", "check", team.policy, "--case-set", team.case_set, *more)


def real(tmp_path: Path, margin: str, *more: object) -> Result:
    """A margin for specificity, on the shipped 624 cases of PneumoniaMNIST."""
    path = tmp_path / "policy.yaml"
    path.write_text(REAL.replace("MARGIN", margin))
    return casegate("policy", "check", path, "--case-set", "pneumoniamnist", *more)


def row(result: Result, name: str) -> list[str]:
    return next(line.split() for line in result.stdout.splitlines() if line.startswith(name))


@pytest.mark.parametrize("margin, lost", [("0.02", "0"), ("0.03", "1"), ("0.05", "5")])
def test_what_the_negatives_of_pneumoniamnist_tolerate(
    tmp_path: Path, margin: str, lost: str
) -> None:
    result = real(tmp_path, margin)
    assert result.exit_code == 0
    assert row(result, "specificity margin")[3:7] == [margin, "234", lost, "lost"]


def test_a_check_that_can_never_pass_is_shown_and_refused(tmp_path: Path) -> None:
    result = real(tmp_path, "0.01")
    assert result.exit_code == 2 and row(result, "specificity margin")[-1] != "1.00"
    assert "not even an unchanged model passes on 234 negative cases, it needs 381" in result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("PolicyError: ") and "234 negative cases" in line and "381" in line


def test_a_check_that_seldom_passes_is_warned_of(tmp_path: Path) -> None:
    result = real(tmp_path, "0.02")
    words = " ".join(result.stdout.split())
    assert "an equally good model passes with probability 0.27 on 234 negative cases" in words
    assert "866 give 0.8" in words


def test_margins_that_are_the_same_share_a_row(team: Team) -> None:
    result = checked(team, POLICY)
    assert result.exit_code == 0
    assert sum(line.startswith("sensitivity margin") for line in result.stdout.splitlines()) == 1
    two = checked(team, POLICY.replace("margin: 0.05", "margin: {champion: 0.1, golden: 0.05}"))
    assert "sensitivity margin, golden" in two.stdout


def test_golden_beside_the_case_set_is_where_floors_start_from(team: Team) -> None:
    assert "a true value of 0.995, golden's" in checked(team, POLICY).stdout
    team.golden.unlink()
    assert "unknown without golden" in checked(team, POLICY).stdout


def test_more_differing_calls_give_less_power(team: Team) -> None:
    def power(share: str) -> float:
        result = checked(team, POLICY, "--discordant", share, "--format", "json")
        found = json.loads(result.stdout)
        assert found["discordance"] == float(share)
        return next(c for c in found["checks"] if c["check"].endswith("golden"))["power"]

    assert power("0.02") > power("0.1") > power("0.3")


def test_a_machine_gets_every_figure(team: Team) -> None:
    found = json.loads(checked(team, POLICY, "--format", "json").stdout)
    assert (found["cases"], found["positives"], found["patients"]) == (400, 200, "independent")
    floor = found["checks"][0]
    assert floor["check"] == "sensitivity[overall].floor" and floor["hopeless"] is False
    assert floor["possible"] is True and floor["tolerates"] > 0 and floor["fewest"] == 17
    assert len(found["checks"]) == 7  # a floor, two margins against two, flips against two


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(
    team: Team, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = checked(team, POLICY).stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert ("the power assumes" in lines[2]) == (width == 120)


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "nan", "many"])
def test_a_share_that_cannot_be_is_a_usage_error(team: Team, share: str) -> None:
    result = checked(team, POLICY, "--discordant", share)
    assert result.exit_code == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "--discordant" in line


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["absent.yaml", "--case-set", "phantom"], "absent.yaml: "),
        ([str(SHIPPED), "--case-set", "fantom"], "fantom"),
        ([str(SHIPPED)], "--case-set"),
        (["--case-set", "phantom"], "POLICY"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(arguments: list[str], words: str) -> None:
    result = casegate("policy", "check", *arguments)
    assert result.exit_code == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert words in line


def test_a_tampered_case_set_is_an_integrity_error(team: Team) -> None:
    team.case_set.write_text(team.case_set.read_text().replace('"label":1', '"label":0', 1))
    assert checked(team, POLICY).exit_code == 4
