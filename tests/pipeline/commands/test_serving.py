"""`casegate serving`: a model is held to its contract, and files are written for servers."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from components.records.errors import IntegrityError, Unservable
from components.scoring import contract
from components.scoring.contract import KeptContract
from pipeline.commands.serving import serving
from pipeline.serving import vouched
from pipeline.serving.vouched import VouchedRelease
from pipeline.settings.workspace import Workspace
from tests.foreign import answer, complaint, needs

SCHEMA = Path(__file__).resolve().parents[3] / "schemas" / "serving_contract.json"
STRINGS, SCORES = {"dtype": "string", "shape": [-1]}, {"dtype": "float32", "shape": [-1]}
SAID = {"probability": SCORES, "label": {"dtype": "int64", "shape": [-1]}}
SIGNATURES: dict[str, Any] = {
    "serving_default": {"inputs": {"image": STRINGS}, "outputs": SAID},
    "serve_examples": {"inputs": {"examples": STRINGS}, "outputs": SAID},
}


def check(folder: Path, *given: str) -> Any:
    return CliRunner().invoke(serving, ["check", str(folder), *given])


def kept(monkeypatch: pytest.MonkeyPatch, requests: int) -> None:
    found = KeptContract("a loader", SIGNATURES, requests)
    monkeypatch.setattr(contract, "check_contract", lambda model: found)


@pytest.mark.parametrize("requests, said", [(3, "3 warm-up requests"), (0, "no warm-up requests")])
def test_a_model_that_keeps_it_ends_with_0(
    requests: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(monkeypatch, requests)
    done = check(tmp_path)
    assert done.exit_code == 0
    assert "serving_default, serve_examples answered" in done.stdout and said in done.stdout


def test_one_that_does_not_ends_with_1_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: Path) -> None:
        raise Unservable(f"{model}: no signature serve_examples")

    monkeypatch.setattr(contract, "check_contract", broken)
    done = check(tmp_path)
    assert done.exit_code == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "[CG1004]" in done.stderr and "no signature serve_examples" in done.stderr
    assert check(tmp_path / "none").exit_code == 2


@pytest.mark.process
def test_check_jsonschema_holds_the_answer_to_the_published_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [needs("check-jsonschema", "the group dev"), "--schemafile", SCHEMA]
    kept(monkeypatch, 3)
    said = json.loads(check(tmp_path, "--format", "json").stdout)
    (tmp_path / "good.json").write_text(json.dumps(said))
    answer(*command, tmp_path / "good.json")
    said["signatures"]["serving_default"]["inputs"]["image"]["shape"] = [1]
    (tmp_path / "bad.json").write_text(json.dumps(said))
    assert "-1 was expected" in complaint(*command, tmp_path / "bad.json")


def test_configuration_is_written_of_what_is_vouched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = VouchedRelease("chest", 7, tmp_path / "serving" / "chest" / "7", "0" * 64, "r", 0.5)
    asked: list[Any] = []
    monkeypatch.setattr(vouched, "vouch", lambda *given: asked.append(given) or release)
    given = ["config", "--out", str(tmp_path / "out"), "--workspace", str(tmp_path)]
    done = CliRunner().invoke(serving, [*given, "--set", "serving.model_name=chest"])
    assert done.exit_code == 0
    ((config, workspace),) = asked
    assert config.serving.model_name == "chest" and workspace == Workspace(tmp_path)
    assert sorted(done.stdout.split()) == sorted(map(str, (tmp_path / "out").iterdir()))
    assert "versions: 7 " in (tmp_path / "out" / "models.config").read_text()


def test_nothing_is_written_of_what_nobody_vouches_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any) -> None:
        raise IntegrityError("it was rolled back")

    monkeypatch.setattr(vouched, "vouch", refuse)
    given = ["config", "--out", str(tmp_path / "out"), "--workspace", str(tmp_path)]
    done = CliRunner().invoke(serving, given)
    assert done.exit_code == 4 and "rolled back" in done.stderr and done.stdout == ""
    assert not (tmp_path / "out").exists()
