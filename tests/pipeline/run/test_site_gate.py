"""A hospital judges on its own cases, and only its verdict leaves."""

import json
from pathlib import Path

import pytest

from components.attestation.envelope import verify
from components.attestation.keys import load_public, new_key
from components.attestation.statements import SITE_VERDICT_TYPE, from_bytes
from components.decision import load_decision
from components.records.ledger.ledger import Ledger
from tests.pipeline.score_making import casegate
from tests.pipeline.site_making import BRIGHT, Coordinator, Hospital, save_model

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "golden": save_model(root / "golden", 25),
        "good": save_model(root / "good", 26),
        "harmful": save_model(root / "harmful", 26, harmed=100),
    }


@pytest.fixture
def hospital(tmp_path: Path, models: dict[str, Path]) -> Hospital:
    return Hospital(tmp_path / "north", "north", models["golden"], background=BRIGHT)


@pytest.fixture
def coordinator(tmp_path: Path) -> Coordinator:
    return Coordinator(tmp_path / "coordinator")


def test_a_verdict_leaves_and_all_else_stays(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    request = coordinator.ask(models["good"])
    result = casegate(*hospital.arguments(request, coordinator.inbox, coordinator.public))
    assert result.exit_code == 0, result.output
    answer = coordinator.answer("north")
    assert [p for p in coordinator.inbox.rglob("*") if p.is_file()] == [answer]
    signed = verify(answer.read_bytes(), [load_public(hospital.public)], where="answer")
    signed.require(1)
    said = from_bytes(signed.payload, SITE_VERDICT_TYPE, where="answer").predicate
    assert (said["verdict"], said["figures"]) == ("PASS", [])
    (folder,) = hospital.workspace.glob("runs/*")
    decision = load_decision(folder / "decision.json")
    assert said["decision_sha256"] == decision.decision_sha256
    assert "<html" in (folder / "report.html").read_text()
    kinds = [entry.kind for entry in Ledger(hospital.workspace / "ledger.jsonl").entries()]
    assert kinds == ["look", "decision"]
    assert said["looks"] == {"used": 1, "planned": 5}


def test_a_model_that_harms_here_is_a_fail(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    request = coordinator.ask(models["harmful"])
    result = casegate(*hospital.arguments(request, coordinator.inbox, coordinator.public))
    assert result.exit_code == 1, result.output
    payload = json.loads(coordinator.answer("north").read_bytes())
    assert payload["signatures"]


def refused_without_a_look(hospital: Hospital, coordinator: Coordinator, words: str) -> int:
    request = coordinator.outbox / "20260101T000000.000000Z"
    result = casegate(*hospital.arguments(request, coordinator.inbox, coordinator.public))
    assert words in result.stderr and "\n" not in result.stderr.strip(), result.output
    assert not coordinator.inbox.exists()
    assert not (hospital.workspace / "ledger.jsonl").exists()
    return result.exit_code


def test_another_model_than_was_signed_is_refused(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    request = coordinator.ask(models["good"])
    (request / "model" / "added").write_bytes(b"x")
    assert refused_without_a_look(hospital, coordinator, "the signed request is about") == 4


def test_a_request_of_another_key_is_refused(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path], tmp_path: Path
) -> None:
    _, _, stranger = new_key(tmp_path / "stranger", "coordinator")
    coordinator.ask(models["good"], signer=stranger)
    assert refused_without_a_look(hospital, coordinator, "signatures, wanted 1") == 4


def test_a_request_without_a_model_is_refused(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    request = coordinator.ask(models["good"])
    (request / "model").rename(request / "gone")
    assert refused_without_a_look(hospital, coordinator, "wanted the candidate's SavedModel") == 2


def test_a_request_is_judged_once(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    request = coordinator.ask(models["good"])
    arguments = hospital.arguments(request, coordinator.inbox, coordinator.public)
    assert casegate(*arguments).exit_code == 0
    again = casegate(*arguments)
    assert (again.exit_code, "judged here already" in again.stderr) == (2, True)
    assert len(Ledger(hospital.workspace / "ledger.jsonl").entries()) == 2


def test_the_first_model_waits_for_a_person_and_passes_when_it_comes_again(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    (hospital.folder / "golden.json").unlink()
    request = coordinator.ask(models["good"])
    first = casegate(*hospital.arguments(request, coordinator.inbox, coordinator.public))
    assert first.exit_code == 3, first.output
    words = ("--by", "A. Radiologist", "--reason", "report read")
    approved = casegate("baseline", "bootstrap", "--workspace", hospital.workspace, *words)
    assert approved.exit_code == 0, approved.output
    request = coordinator.ask(models["good"], "20260102T000000.000000Z")
    again = casegate(*hospital.arguments(request, coordinator.inbox, coordinator.public))
    assert again.exit_code == 0, again.output
