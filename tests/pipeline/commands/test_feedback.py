"""`casegate feedback` as a person types it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.records.errors import ConfigError, IntegrityError, SourceError
from pipeline.commands.feedback import feedback
from tests.pipeline.feedback.making import Clinic
from tests.refusing import refusal


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clinic")
    clinic = Clinic(root)
    clinic.settled("agreed", "positive")
    clinic.settled("missed", "positive", score=0.125)
    return root


@pytest.fixture
def clinic(once: Path, tmp_path: Path) -> Clinic:
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    return Clinic(tmp_path)


def ran(clinic: Clinic, *words: str) -> Result:
    given = ["--workspace", str(clinic.workspace.root)]
    if words[0] == "promote":
        given += ["--set", f"data.source={clinic.spans}/span-{{SPAN:4}}"]
        given += ["--set", f"case_set.source={clinic.locked}", "--by", "A. B.", "--reason", "r"]
    return CliRunner().invoke(feedback, [*words, *given])


def test_add_says_what_was_recorded(clinic: Clinic) -> None:
    words = ["add", "--case", "missed", "--label", "negative", "--by", "dr one"]
    result = ran(clinic, *words, "--note", "artefact", "--adjudicates")
    assert result.exit_code == 0
    assert result.stdout == (
        "entry 5: case missed is negative by Dr. One, opinion 2 of this reader, which settles it; "
        "the model said negative (0.125)\n"
    )


def test_an_unknown_case_is_refused_in_one_line(clinic: Clinic) -> None:
    result = ran(clinic, "add", "--case", "nope", "--label", "positive", "--by", "X")
    refusal(result, ConfigError, "case 'nope'")


def test_a_log_can_be_named(clinic: Clinic) -> None:
    words = ["add", "--case", "agreed", "--label", "positive", "--by", "X", "--log"]
    refusal(ran(clinic, *words, str(clinic.root / "none")), SourceError, "none")
    other = clinic.root / "other.jsonl"
    shutil.copy(clinic.workspace.root / "predictions" / "log.jsonl", other)
    assert ran(clinic, *words, str(other)).exit_code == 0
    setting = ["--set", f"monitoring.log={clinic.root / 'none'}"]
    refusal(ran(clinic, *words[:-1], *setting), SourceError, "none")


def test_report_shows_shares_with_intervals_and_a_warning(clinic: Clinic) -> None:
    result = ran(clinic, "report")
    assert result.exit_code == 0
    for words in ("2 of 4", "0.500", "95 %", "kappa", "WARNING: feedback is no random sample"):
        assert words in result.stdout
    assert "sensitivity" in result.stdout and "not enough" in result.stdout
    assert "nan" not in result.stdout.lower()


def test_report_gives_json_and_the_worklist_as_csv(clinic: Clinic) -> None:
    said = json.loads(ran(clinic, "report", "--format", "json").stdout)
    assert said["sensitivity"]["count"] == 1 and said["specificity"]["estimate"] is None
    lines = ran(clinic, "report", "--format", "csv").stdout.splitlines()
    assert lines[0].startswith("why,case_id,") and len(lines) == 2 and "missed" in lines[1]


def test_promote_says_what_it_did_and_what_to_type_next(clinic: Clinic) -> None:
    words = ["promote", "--images", str(clinic.pictures)]
    dry = ran(clinic, *words, "--dry-run")
    assert "would be promoted: 1 case to training" in dry.stdout and "cp -R" not in dry.stdout
    result = ran(clinic, *words)
    assert result.exit_code == 0, result.output
    assert "promoted: 1 case to training" in result.stdout
    (command,) = (line for line in result.stdout.splitlines() if line.startswith("casegate "))
    assert "--add missed --sentinel missed" in command and "--by NAME" in command
    said = json.loads(ran(clinic, *words, "--format", "json").stdout)
    assert (said["sent_before"], said["span"], said["training"]) == (2, None, [])


def test_promote_lists_what_it_left_out_and_why(clinic: Clinic) -> None:
    result = ran(clinic, "promote")
    assert "promoted: 0 cases to training" in result.stdout
    assert "its pixels" in " ".join(result.stdout.split())


def test_verify_finds_what_was_altered(clinic: Clinic) -> None:
    good = ran(clinic, "verify")
    assert good.exit_code == 0 and "4 entries, unaltered" in good.stdout
    path = clinic.places.record.path
    path.write_bytes(path.read_bytes().replace(b'"missed"', b'"messed"'))
    refusal(ran(clinic, "verify"), IntegrityError, "feedback.jsonl:3: entry 3 ")
    for words in (
        ["report"],
        ["promote"],
        ["add", "--case", "agreed", "--label", "positive", "--by", "X"],
    ):
        refusal(ran(clinic, *words), IntegrityError, "feedback.jsonl:3: entry 3 ")


def test_serve_refuses_what_is_not_safe(clinic: Clinic) -> None:
    tokens = clinic.root / "tokens"
    tokens.write_text(f"A:{'1' * 32}\n")
    tokens.chmod(0o644)
    refusal(ran(clinic, "serve", "--token-file", str(tokens)), ConfigError, "chmod 600")
    tokens.chmod(0o600)
    words = ["serve", "--token-file", str(tokens), "--host", "0.0.0.0"]
    refusal(ran(clinic, *words), ConfigError, "--allow-remote")
