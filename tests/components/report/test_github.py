import re
from dataclasses import replace

import pytest

from components.decision import Decision
from components.report.context import ReportContext
from components.report.github import SHOWN, github
from tests.components.report import making
from tests.components.report.making import decision

HERE = ReportContext(False, "baselines/planted/policy.yaml", {"sensitivity[device=Boreal]": 12})
COMMAND = re.compile(r"::(error|warning|notice) ((?:[a-z]+=[^,:]*)(?:,[a-z]+=[^,:]*)*)::(.*)")


def commands(
    decided: Decision, context: ReportContext = HERE
) -> list[tuple[str, dict[str, str], str]]:
    """Each line as GitHub reads it."""
    read = []
    for line in github(decided, context).split("\n")[:-1]:
        found = COMMAND.fullmatch(line)
        assert found, line
        pairs = dict(pair.split("=", 1) for pair in found[2].split(","))
        read.append((found[1], pairs, found[3]))
    return read


@pytest.mark.parametrize(
    ("made", "kind"),
    [(decision(), "error"), (making.first_run(), "warning"), (making.waived(), "notice")],
)
def test_the_first_annotation_is_the_verdict(made: Decision, kind: str) -> None:
    first, properties, said = commands(made)[0]
    assert (first, properties["title"]) == (kind, f"casegate%3A {made.verdict.value}")
    assert "candidate" in said


def test_what_does_not_pass_is_annotated_at_its_line() -> None:
    found = {said.split(": ")[0]: (kind, where) for kind, where, said in commands(decision())[1:]}
    assert set(found) == {making.MARGIN.check, making.SENTINEL.check, making.BRIER.check}
    kind, where = found[making.MARGIN.check]
    assert (kind, where["file"], where["line"]) == ("error", HERE.policy_path, "12")
    assert (
        found[making.BRIER.check][0] == "notice" and "line" not in found[making.SENTINEL.check][1]
    )


def test_a_waived_check_is_a_notice_that_says_so() -> None:
    kind, properties, _ = commands(making.waived())[1]
    assert kind == "notice" and properties["title"].startswith("FAIL%2C waived%3A ")


def test_more_checks_than_github_keeps_are_counted() -> None:
    many = [replace(making.SENTINEL, check=f"sentinels.{i}") for i in range(30)]
    found = [said for kind, _, said in commands(decision(*many)) if kind == "error"]
    assert len(found) == SHOWN and found[-1] == "22 more checks: see the report"


def test_text_from_data_can_neither_end_a_command_nor_begin_one() -> None:
    made, _ = making.hostile()
    evil = replace(made.checks[0], reason="50% of a\r\n::error::b", slice="a,file=x::c")
    kind, properties, said = commands(replace(made, checks=(evil,)))[1]
    assert kind == "error" and set(properties) == {"file", "title"}
    assert said.endswith("50%25 of a ::error::b") and "a%2Cfile=x%3A%3Ac" in properties["title"]
    assert len(commands(made)) == 5


def test_synthetic_images_are_said_to_be_so() -> None:
    said = commands(decision(), ReportContext(synthetic=True))[0][2]
    assert "synthetic" in said
