"""`casegate hook` as git, pre-commit and CI meet it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.records.ledger.ledger import Ledger
from pipeline.commands.hooks import hook
from tests.components.planting import sha
from tests.pipeline.ci.hooks.making import BASELINE, POLICY, Repo

PNG = b"\x89PNG\r\n\x1a\n0000"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    made = Repo(tmp_path / "repo").with_baseline()
    monkeypatch.chdir(made.root)
    return made


def asked(*words: str, **environ: str) -> Result:
    return CliRunner(env=environ).invoke(hook, words)


@pytest.mark.parametrize("name", ["policy", "case-set", "no-pixels", "baselines-alone", "all"])
def test_with_nothing_staged_nothing_is_said(repo: Repo, name: str) -> None:
    result = asked(name)
    assert (result.exit_code, result.output) == (0, "")


def test_each_fault_is_a_line_and_the_gravest_decides_the_exit_code(repo: Repo) -> None:
    repo.stage(f"{BASELINE}/policy.yaml", POLICY.replace("floor:", "flor:"))
    result = asked("all")
    assert result.exit_code == 2 and "did you mean 'floor'" in result.stderr
    repo.stage(f"{BASELINE}/scan.txt", PNG)
    result = asked("all")
    assert result.exit_code == 4
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{BASELINE}/policy.yaml:")
    assert second.startswith(f"{BASELINE}/scan.txt: ") and "PNG" in second
    assert asked("policy").exit_code == 2 and asked("no-pixels").exit_code == 4


def test_a_graver_fault_of_an_earlier_commit_decides_too(repo: Repo) -> None:
    repo.stage(f"{BASELINE}/scan.txt", PNG)
    repo.commit()
    repo.stage(f"{BASELINE}/policy.yaml", POLICY.replace("floor:", "flor:"))
    repo.commit()
    result = asked("all", "--from-ref", "HEAD~2", "--to-ref", "HEAD")
    assert result.exit_code == 4 and len(result.stderr.splitlines()) == 2


def test_pre_commit_names_the_range_by_its_own_variables(repo: Repo) -> None:
    repo.stage(f"{BASELINE}/scan.txt", PNG)
    bad = repo.commit()
    said = asked("no-pixels", PRE_COMMIT_FROM_REF="HEAD~1", PRE_COMMIT_TO_REF="HEAD")
    assert said.exit_code == 4 and said.stderr.startswith(f"commit {bad[:12]}: ")


def test_other_folders_can_hold_the_baselines(repo: Repo) -> None:
    repo.stage("ml/baselines/chest/scan.txt", PNG)
    assert asked("no-pixels").exit_code == 0
    assert asked("no-pixels", "--baselines", "ml/baselines/").exit_code == 4


def test_the_message_in_a_file_is_read(repo: Repo) -> None:
    repo.stage(f"{BASELINE}/policy.yaml", POLICY.replace("0.60", "0.65"))
    message = repo.write(".git/COMMIT_EDITMSG", "Raise the floor")
    assert asked("approver", str(message)).exit_code == 4
    message.write_text("Raise the floor\n\nApproved by: Dr. Ito")
    assert asked("approver", str(message)).exit_code == 0


def test_control_characters_of_a_file_name_do_not_reach_the_terminal(repo: Repo) -> None:
    repo.stage(f"{BASELINE}/\x1b[31mred", PNG)
    result = asked("no-pixels")
    assert result.exit_code == 4 and "\x1b" not in result.stderr


def test_outside_of_a_checkout_one_line_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = asked("all")
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 2 and "not a git repository" in line


# The ledger


def approve(ledger: Path, golden_sha256: str) -> None:
    hashes = ("decision_sha256", "model_sha256", "scores_sha256", "case_set_root")
    body = {**dict.fromkeys(hashes, sha("x")), "baseline": "/b", "run_id": "r", "reason": "better"}
    moved = {"from_golden_sha256": None, "to_golden_sha256": golden_sha256, "proposed_by": None}
    Ledger(ledger).append("approval", {**body, **moved}, by="Dr. Ito", at="2026-01-01T00:00:00Z")


def test_golden_needs_its_entry_in_the_ledger_that_is_given(repo: Repo, tmp_path: Path) -> None:
    from components.baselines.golden import load_golden

    ledger = tmp_path / "ledger.jsonl"
    repo.keep("golden.json", "golden-0001.json")
    repo.stage_golden(wrong=(1,))
    approve(ledger, sha("another golden"))
    said = asked("baselines-alone", "--ledger", str(ledger))
    assert said.exit_code == 4 and "which no entry of" in said.stderr
    approve(ledger, load_golden(repo.root / BASELINE / "golden.json").golden_sha256)
    assert asked("baselines-alone", "--ledger", str(ledger)).exit_code == 0


def test_an_amendment_needs_its_entry_too(repo: Repo, tmp_path: Path) -> None:
    from tests.pipeline.ci.hooks.making import CASES
    from tests.pipeline.ci.hooks.test_rules import NEXT, amend

    ledger = tmp_path / "ledger.jsonl"
    approve(ledger, sha("some golden"))
    amend(repo)
    said = asked("baselines-alone", "--ledger", str(ledger))
    assert "is version 2, an amendment that no entry of" in said.stderr
    versions = {"from_version": 1, "from_root": CASES.merkle_root}
    versions |= {"to_version": 2, "to_root": NEXT.merkle_root}
    body = {"case_set": "planted", **versions, "reason": "blur", "retired": ["case-0001"]}
    Ledger(ledger).append("amendment", body, by="A. Radiologist", at="2026-02-01T00:00:00Z")
    said = asked("baselines-alone", "--ledger", str(ledger))
    assert "an amendment that no entry" not in said.stderr


def test_a_ledger_that_is_not_there_or_was_altered_is_refused(repo: Repo, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    said = asked("baselines-alone", "--ledger", str(ledger))
    assert said.exit_code == 2 and "no such file" in said.stderr
    approve(ledger, sha("golden"))
    ledger.write_bytes(ledger.read_bytes().replace(b"better", b"worse!"))
    assert asked("baselines-alone", "--ledger", str(ledger)).exit_code == 4
