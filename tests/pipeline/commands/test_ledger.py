"""What a person sees of the commands that write and read the ledger."""

import json
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.records.errors import ConfigError, IntegrityError, UsageError
from components.records.ledger.records import waivers
from pipeline.cli import main
from tests.components.gate.test_decide import CASES
from tests.components.planting import scored, sha
from tests.pipeline.governing import PERSON, REASON, Governed
from tests.refusing import refusal

NAMED = ("--by", PERSON, "--reason", REASON)
MARGIN_CHECK = "sensitivity[overall].non_inferiority.golden"
SOON = str(datetime.now(timezone.utc).date() + timedelta(days=90))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Governed:
    """Golden of run-1; run-2 passed; run-3 is inconclusive; versions 10 and 20 are released."""
    made = Governed(tmp_path_factory.mktemp("template"))
    made.first()
    made.run("run-2")
    made.run("run-3", scored(CASES, wrong=range(10, 18), model="run-3"))
    for version in (10, 20):
        made.released(version)
    return made


@pytest.fixture
def governed(template: Governed, tmp_path: Path) -> Governed:
    return template.copied(tmp_path)


def casegate(governed: Governed, *arguments: object) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(main, [*words, "--workspace", str(governed.root)])


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout.splitlines()


# casegate ledger


def test_verify_sums_up_in_one_line(governed: Governed) -> None:
    (line,) = lines(casegate(governed, "ledger", "verify"))
    head = governed.ledger.head()
    assert line.startswith(f"{head.seq} entries, none altered; the last: release by casegate")
    assert head.sha256 in line
    assert "decisions as recorded: 5; versions as recorded: 2" in line


def test_verify_says_what_a_crash_left(governed: Governed) -> None:
    content = governed.workspace.ledger.read_bytes()
    governed.workspace.ledger.write_bytes(content + b'{"at"')
    (line,) = lines(casegate(governed, "ledger", "verify"))
    assert "5 bytes after it were never acknowledged" in line


def test_verify_of_an_altered_ledger_names_the_entry_and_exits_4(governed: Governed) -> None:
    path = governed.workspace.ledger
    path.write_bytes(path.read_bytes().replace(b"every device", b"any devices!"))
    refusal(
        casegate(governed, "ledger", "verify"),
        IntegrityError,
        "ledger.jsonl:2: ",
    )
    refusal(casegate(governed, "ledger", "show"), IntegrityError, "ledger.jsonl:2: ")


def test_verify_of_a_served_model_that_was_altered_exits_4(governed: Governed) -> None:
    (governed.destination / "20" / "variables" / "data").write_text("other")
    refusal(casegate(governed, "ledger", "verify"), IntegrityError, "(release) ")


def test_a_workspace_without_a_ledger_says_so(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    assert lines(casegate(governed, "ledger", "verify")) == ["the ledger has no entry yet"]
    (line,) = lines(casegate(governed, "ledger", "show"))
    assert line.endswith("the ledger has no entry")


def test_show_is_a_table_with_a_row_for_each_entry(governed: Governed) -> None:
    title, *rows = lines(casegate(governed, "ledger", "show"))
    assert title.split() == ["entry", "at", "kind", "by", "what"]
    assert len(rows) == len(governed.ledger.entries())
    assert PERSON in rows[1] and "first golden" in rows[1] and REASON in rows[1]


def test_show_of_one_kind_and_as_json(governed: Governed) -> None:
    shown = json.loads(
        casegate(governed, "ledger", "show", "--kind", "release", "--format", "json").stdout
    )
    assert [entry["body"]["version"] for entry in shown] == [10, 20]
    assert {entry["kind"] for entry in shown} == {"release"}


def test_an_unknown_kind_is_a_usage_error(governed: Governed) -> None:
    refusal(casegate(governed, "ledger", "show", "--kind", "releases"), UsageError, "'release'")


# casegate waive, casegate rollback


def waive(governed: Governed, check: str = MARGIN_CHECK, second: str = "B. Statistician") -> Result:
    options = ("--run", "run-3", "--second", second, "--expires", SOON)
    return casegate(governed, "waive", check, *options, *NAMED)


def test_waive_says_what_happens_next(governed: Governed) -> None:
    done, after = lines(waive(governed))
    assert done.startswith(f"waived until {SOON} by {PERSON} and B. Statistician: {MARGIN_CHECK}")
    assert after.startswith("run again: ")
    (waiver,) = waivers(governed.ledger.entries())
    assert waiver.candidate_sha256 == sha("run-3")


def test_waive_refuses_in_one_line(governed: Governed) -> None:
    refusal(waive(governed, second=PERSON.upper()), ConfigError, "--second: got 'A. RADIO")
    refusal(waive(governed, MARGIN_CHECK[:-1]), ConfigError, f"did you mean '{MARGIN_CHECK}'?")


def test_rollback_says_what_is_served_now(governed: Governed) -> None:
    done, withdrawn = lines(casegate(governed, "rollback", "--to", 10, *NAMED))
    assert done.startswith("version 10 is the champion again, as version ")
    assert withdrawn.startswith("version 20 is withdrawn (entry ")
    lines(casegate(governed, "ledger", "verify"))


def test_rollback_to_an_unknown_version_lists_those_there(governed: Governed) -> None:
    refusal(casegate(governed, "rollback", "--to", 9, *NAMED), ConfigError, "there is 10, 20")


# casegate baseline


def test_from_proposal_to_golden(governed: Governed) -> None:
    proposed = lines(casegate(governed, "baseline", "propose", "--run", "run-2", "--by", "B"))
    assert proposed[0].startswith("proposed by B: the candidate of run run-2: ")
    assert "  sensitivity   0.9950 (199 of 200)" in proposed
    assert "  sensitivity   1.0000 (200 of 200)" in proposed
    assert proposed[-1] == "next: casegate baseline approve --by NAME --reason TEXT"
    assert "  proposed      by B on" in "\n".join(lines(casegate(governed, "baseline", "show")))
    approved = lines(casegate(governed, "baseline", "approve", *NAMED))
    assert approved[0].startswith(f"golden scores approved by {PERSON}: ")
    shown = lines(casegate(governed, "baseline", "show"))
    assert f"  model         {sha('run-2')}" in shown
    assert not any("proposed" in line for line in shown)


def test_who_proposes_is_the_login_name_where_nobody_is_named(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "statistician")
    done = lines(casegate(governed, "baseline", "propose", "--run", "run-2"))
    assert done[0].startswith("proposed by statistician: ")


def test_show_says_who_approved_when_why_and_on_which_decision(governed: Governed) -> None:
    shown = "\n".join(lines(casegate(governed, "baseline", "show")))
    approval = governed.golden.approval
    assert f"approved by {PERSON} on {approval.date}: {REASON}" in shown
    for sha256 in (
        approval.decision_sha256,
        governed.golden.golden_sha256,
        governed.golden.scores.model_sha256,
        governed.golden.scores.scores_sha256,
    ):
        assert str(sha256) in shown


def test_show_of_a_baseline_that_no_run_judged_by(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    shown = lines(casegate(governed, "baseline", "show", "--baseline", governed.baseline))
    assert "  golden        none yet; casegate baseline bootstrap approves the first" in shown
    refusal(casegate(governed, "baseline", "show"), ConfigError, governed.root)


def test_a_baseline_is_shown_without_any_workspace(governed: Governed, tmp_path: Path) -> None:
    where = ("--baseline", str(governed.baseline), "--workspace", str(tmp_path / "absent"))
    for command in ("show", "history"):
        result = CliRunner().invoke(main, ["baseline", command, *where])
        assert result.exit_code == 0 and f"{PERSON}" in result.stdout
    assert not (tmp_path / "absent").exists()


def test_a_baseline_that_cannot_be_written_is_one_line(governed: Governed) -> None:
    casegate(governed, "baseline", "propose", "--run", "run-2")
    (governed.baseline / "history").touch()
    refusal(casegate(governed, "baseline", "approve", *NAMED), ConfigError, "planted")
    lines(casegate(governed, "baseline", "show"))


def test_history_lists_approvals_and_exits_4_where_the_ledger_disagrees(governed: Governed) -> None:
    casegate(governed, "baseline", "propose", "--run", "run-2")
    casegate(governed, "baseline", "approve", *NAMED)
    listed = lines(casegate(governed, "baseline", "history"))
    assert [line for line in listed if PERSON in line] == [listed[0], listed[3]]
    assert "history/golden-0001.json, entry 2" in listed[1]
    old = governed.baseline / "history" / "golden-0001.json"
    shutil.copy(old, governed.baseline / "golden.json")
    result = casegate(governed, "baseline", "history")
    assert result.exit_code == 4
    assert "was cut short and is not in effect" in result.stderr


def test_an_approval_that_was_cut_short_is_finished_and_said(governed: Governed) -> None:
    old = (governed.baseline / "golden.json").read_bytes()
    casegate(governed, "baseline", "propose", "--run", "run-2")
    casegate(governed, "baseline", "approve", *NAMED)
    (governed.baseline / "golden.json").write_bytes(old)
    assert "  cut short     the approval by" in casegate(governed, "baseline", "show").stdout
    done, nothing_else = lines(
        casegate(governed, "baseline", "approve", "--by", "C", "--reason", "mine")
    )
    assert done.startswith(f"finished the approval by {PERSON} of ")
    assert nothing_else.startswith("nothing else was approved")


# Not ML Metadata's own client: a rollback is written down there, and it is small.
HEAVY = "[name for name in ('tensorflow', 'tfx', 'keras') if name in sys.modules]"


def test_none_of_them_needs_tensorflow(governed: Governed) -> None:
    commands = {
        ("ledger", "verify"): 0,
        ("baseline", "show"): 0,
        ("baseline", "propose", "--run", "run-2"): 0,
        # A few words in a file are no model that could be served, which is found out without it.
        ("rollback", "--to", "10", "--by", "A", "--reason", "b"): 1,
    }
    program = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import main\n"
        f"for words in {list(commands)!r}:\n"
        f"    where = ['--workspace', {str(governed.root)!r}]\n"
        "    done = CliRunner().invoke(main, [*words, *where])\n"
        f"    print(done.exit_code, {HEAVY})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{code} []" for code in commands.values()], done.stderr
