"""What a person or a CI job sees of the command, up to where TensorFlow is needed."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import filelock
import pytest
from click.testing import CliRunner, Result

from components.baselines.case_set import save_case_set
from components.baselines.golden import load_golden, save_golden
from components.lineage.record import load_record
from components.records.errors import (
    CasegateError,
    ConfigError,
    IntegrityError,
    PolicyError,
    SourceError,
    WorkspaceBusy,
)
from pipeline.cli import main
from pipeline.run import runner
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import approved, check, policy, scored
from tests.pipeline.making import UNSIGNED, Small, write_run
from tests.refusing import refusal

COMMAND = str(Path(sys.executable).parent / "casegate")


@pytest.fixture(autouse=True)
def no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that gets past its inputs ends with exit code 70 here, not in minutes of training."""

    def refuse(*_: object) -> None:
        raise AssertionError("the graph was started")

    monkeypatch.setattr(runner, "_run_graph", refuse)


def casegate(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_on(small: Small, *arguments: object) -> Result:
    given = ("--data", small.data, "--workspace", small.workspace.root, "--set", UNSIGNED)
    return casegate("run", *given, *arguments)


# Usage


def test_the_installed_command_has_help() -> None:
    done = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True)
    assert "Exit codes: 0 released" in done.stdout


@pytest.mark.parametrize(
    "command", [[], ["run"], ["baseline", "bootstrap"], ["cases"], ["cases", "lock"]]
)
def test_every_command_has_help(command: list[str]) -> None:
    result = casegate(*command, "--help")
    assert result.exit_code == 0 and "Usage:" in result.stdout


# ML Metadata's own client may be there: it is small, and a run that is refused is recorded too.
HEAVY = "[name for name in ('tensorflow', 'tfx', 'keras') if name in sys.modules]"


def test_tensorflow_is_not_imported_before_it_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import main\n"
        f"print('cli', {HEAVY})\n"
        "assert CliRunner().invoke(main, ['run', '--data', 'phantm']).exit_code == 2\n"
        f"print('refused', {HEAVY})\n"
        "import pipeline.run.runner, pipeline.run.show_run, pipeline.governance.approval\n"
        f"print('run', {HEAVY})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["cli []", "refused []", "run []"]


def test_a_real_process_ends_with_one_line_and_the_exit_code(tmp_path: Path) -> None:
    command = [COMMAND, "run", "--data", "phantm", "--workspace", "ws"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("SourceError: phantm: ") and "'phantom'" in line
    assert line.endswith(" [CG2004]")


@pytest.mark.parametrize("arguments", [["--skip-bad-cases", "-1"], ["--format", "yaml"], ["--dat"]])
def test_an_option_that_cannot_be_is_a_usage_error(small: Small, arguments: list[str]) -> None:
    result = run_on(small, *arguments)
    assert result.exit_code == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("casegate run: ") and arguments[0] in line
    assert line.endswith(" [CG2001]")


def test_an_error_of_our_own_is_one_line_with_its_traceback_in_a_file(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError("by nought\nand more")

    monkeypatch.setattr(runner, "prepare", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = ("internal error: ZeroDivisionError: by nought and more", "[CG9001]")
    refusal(run_on(small), CasegateError, *words)
    (story,) = tmp_path.glob("casegate-*.log")
    assert "Traceback" in story.read_text() and 'raise ZeroDivisionError("' in story.read_text()


# Configuration


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: {epoch: 3}", ["unknown key 'model.epoch'", "did you mean 'epochs'"]),
        ("model: [", ["run.yaml:1"]),
        ("model: {epochs: many}", ["model.epochs: got 'many'", "wanted a whole number"]),
    ],
)
def test_a_broken_config_is_refused(small: Small, text: str, words: list[str]) -> None:
    path = small.data.with_name("run.yaml")
    path.write_text(text)
    refusal(run_on(small, "--config", path), ConfigError, "run.yaml", *words)


def test_an_absent_config_is_refused(small: Small) -> None:
    refusal(run_on(small, "--config", "absent.yaml"), ConfigError, "absent.yaml", "No such file")


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("model.epochs", "wanted section.key=value"),
        ("model.epochs=0", "got 0, wanted at least 1"),
        ("case_set.baseline=nope", "case_set.baseline: got 'nope'"),
    ],
)
def test_a_broken_setting_is_refused(small: Small, setting: str, wanted: str) -> None:
    refusal(run_on(small, "--set", setting), ConfigError, wanted)


# Data


def test_an_unknown_source_is_refused_with_a_suggestion(small: Small) -> None:
    result = run_on(small, "--data", small.data.with_name("chst.npz"))
    refusal(result, SourceError, "did you mean", "chest.npz")


def test_a_folder_without_splits_is_refused(small: Small, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "NORMAL").mkdir(parents=True)
    result = run_on(small, "--data", tmp_path / "pictures")
    refusal(result, SourceError, "['NORMAL']", "train/ and test/")


@pytest.mark.parametrize(
    ("arguments", "code", "fact"),
    [
        (["--format", "json", "--data", "nosuch"], "CG2004", "nosuch"),
        (["--format=json", "--dat"], "CG2001", "--dat"),
    ],
)
def test_errors_for_machines_are_an_object_on_one_line(
    small: Small, arguments: list[str], code: str, fact: str
) -> None:
    result = run_on(small, *arguments)
    refusal(result, 2, fact)
    error = json.loads(result.stderr)["error"]
    assert (error["code"], error["exit_code"]) == (code, 2) and fact in error["message"]


def test_an_error_of_our_own_is_an_object_for_machines(
    small: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = run_on(small, "--format", "json")  # ends where the graph begins
    error = json.loads(result.stderr.splitlines()[-1])["error"]
    assert (error["code"], error["exit_code"], result.exit_code) == ("CG9001", 70, 70)
    assert "the graph was started" in error["message"]


# The workspace


def test_a_file_is_no_workspace(small: Small) -> None:
    result = casegate("run", "--data", small.data, "--workspace", small.data / "below")
    refusal(result, ConfigError, small.data / "below")
    result = casegate("run", "--data", small.data, "--workspace", small.data)
    assert result.exit_code == 2 and "is a file" in result.stderr.splitlines()[-1]


def test_a_workspace_in_use_is_refused(small: Small) -> None:
    small.workspace.root.mkdir()
    with filelock.FileLock(small.workspace.root / ".lock"):
        result = run_on(small)
    refusal(result, WorkspaceBusy, small.workspace.root)


# What judges, and what is released


def test_a_run_on_good_inputs_gets_as_far_as_the_graph(small: Small) -> None:
    result = run_on(small)
    assert result.exit_code == 70 and "the graph was started" in result.stderr
    assert len(list(small.workspace.runs.iterdir())) == 1


def test_a_tampered_case_set_is_an_integrity_error(small: Small) -> None:
    path = small.prepared().case_set_path
    path.write_text(path.read_text().replace('"label":1', '"label":0', 1))
    refusal(run_on(small), IntegrityError, "case_set.json", "Merkle root")


def test_tampered_golden_scores_are_an_integrity_error(small: Small) -> None:
    path = small.prepared().golden_path
    save_golden(approved(scored(CASES)), path)
    path.write_text(path.read_text().replace('["case-0000",0.8]', '["case-0000",0.9]'))
    refusal(run_on(small), IntegrityError, "golden.json", "they hash to ")


def test_a_misspelt_policy_is_a_usage_error(small: Small) -> None:
    path = small.prepared().baseline / "policy.yaml"
    path.write_text(path.read_text().replace("floor: 0.80", "flor: 0.80"))
    refusal(run_on(small), PolicyError, "policy.yaml:", "did you mean 'floor'")


def test_a_version_put_there_by_hand_is_an_integrity_error(small: Small) -> None:
    version = small.destination / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"somebody's model")
    refusal(run_on(small), IntegrityError, version, "got SHA-256")
    (path,) = small.workspace.runs.glob("*/run.json")
    record = load_record(path)
    assert (record.state, record.exit_code) == ("failed", 4)
    assert record.error is not None and str(version) in record.error


# Approval, and locking


def first_run(small: Small, *, wrong: range = range(0)) -> None:
    scores = scored(CASES, wrong=wrong)
    floors = policy(check("sensitivity", floor=0.8))
    decision = judged(scores, rules=floors, champion=None, golden=None)
    save_case_set(CASES, small.baseline / "case_set.json")
    write_run(small.workspace, "run-1", decision, scores, small.baseline)


def bootstrap(small: Small, *arguments: str) -> Result:
    where = ("--workspace", small.workspace.root)
    return casegate(
        "baseline", "bootstrap", *where, "--by", "A. Radiologist", "--reason", "first", *arguments
    )


def test_bootstrap_says_where_the_approved_scores_are(small: Small) -> None:
    first_run(small)
    result = bootstrap(small)
    assert result.exit_code == 0 and "approved by A. Radiologist" in result.stdout
    assert load_golden(small.baseline / "golden.json").approval.by == "A. Radiologist"
    refusal(bootstrap(small), IntegrityError, "golden.json")


def test_bootstrap_of_a_failed_candidate_is_refused(small: Small) -> None:
    first_run(small, wrong=range(100))
    refusal(bootstrap(small), ConfigError, "run-1", "sensitivity[overall].floor")


def test_bootstrap_of_an_unknown_run_is_refused(small: Small) -> None:
    first_run(small)
    refusal(bootstrap(small, "--run", "run-9"), ConfigError, "--run run-9: ")


def test_locking_twice_is_an_integrity_error(small: Small, tmp_path: Path) -> None:
    given = (small.data, "--to", tmp_path / "own", "--by", "A. Radiologist", "--reason", "new set")
    result = casegate("cases", "lock", *given)
    assert result.exit_code == 0 and "160 cases, root " in result.stdout
    locked = json.loads((tmp_path / "own" / "case_set.json").read_text())
    assert (locked["author"], locked["reason"]) == ("A. Radiologist", "new set")
    refusal(casegate("cases", "lock", *given), IntegrityError, "own/case_set.json")
