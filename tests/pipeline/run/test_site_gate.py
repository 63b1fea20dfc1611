"""A hospital judges on its own cases, and only its verdict leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.attestation.envelope import verify
from components.attestation.keys import load_public, new_key
from components.attestation.statements import SITE_VERDICT_TYPE, from_bytes
from components.decision import load_decision
from components.records.ledger.ledger import Ledger
from pipeline.run import site_gate
from tests.pipeline.score_making import casegate
from tests.pipeline.site_making import BRIGHT, POLICY, RUN, Coordinator, Hospital, save_model

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
    request = coordinator.outbox / RUN
    result = casegate(*hospital.arguments(request, coordinator.inbox, coordinator.public))
    assert words in result.stderr and "\n" not in result.stderr.strip(), result.output
    answers = coordinator.inbox.rglob(f"{hospital.name}.dsse.json")
    assert all(path.is_symlink() for path in answers)
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


@pytest.mark.parametrize("until", ["2001-01-01T00:00:00.000Z", "2099-13-01T00:00:00.000Z"])
def test_a_request_that_is_out_of_date_is_refused(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path], until: str
) -> None:
    coordinator.ask(models["good"], answer_by=until)
    assert refused_without_a_look(hospital, coordinator, f"was to be answered by {until}; ask") == 2


def disclosing(hospital: Hospital) -> None:
    (hospital.folder / "golden.json").unlink()  # which is right in all cases: an empty cell
    words = "disclosure: {minimum_cell: 10, rationale: planted}\n"
    (hospital.folder / "policy.yaml").write_text(POLICY + words)


def test_figures_of_a_model_leave_once(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    disclosing(hospital)
    for run, figures, used in (("first", 2, 1), ("second", 0, 2)):
        request = coordinator.ask(models["harmful"], run)
        result = casegate(*hospital.arguments(request, coordinator.inbox, coordinator.public))
        assert f"the verdict and {figures} figures" in result.stdout, result.output
        signed = verify(coordinator.answer("north", run).read_bytes(), [], where="answer")
        said = from_bytes(signed.payload, SITE_VERDICT_TYPE, where="answer").predicate
        assert (len(said["figures"]), said["looks"]["used"]) == (figures, used)


def test_a_link_among_the_models_files_is_refused(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    part = coordinator.ask(models["good"]) / "model" / "saved_model.pb"
    part.unlink()
    part.symlink_to(models["good"] / "saved_model.pb")  # the very bytes that were signed
    assert refused_without_a_look(hospital, coordinator, "saved_model.pb: a link; wanted the") == 4


@pytest.mark.parametrize("name", [RUN, f"{RUN}/north.dsse.json"])
def test_an_answer_follows_no_link_out_of_the_inbox(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path], tmp_path: Path, name: str
) -> None:
    coordinator.ask(models["good"])
    link, elsewhere = coordinator.inbox / name, tmp_path / "elsewhere"
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    assert refused_without_a_look(hospital, coordinator, "leads through a link") == 2
    elsewhere.mkdir()
    assert refused_without_a_look(hospital, coordinator, "leads through a link") == 2


def test_an_answer_that_is_there_is_never_written_over(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    request = coordinator.ask(models["good"])
    there = coordinator.answer("north")
    there.parent.mkdir(parents=True)
    there.write_bytes(b"first")
    result = casegate(*hospital.arguments(request, coordinator.inbox, coordinator.public))
    assert (result.exit_code, "an answer is there already" in result.stderr) == (2, True)
    assert there.read_bytes() == b"first" and not (hospital.workspace / "ledger.jsonl").exists()


def test_an_inbox_that_cannot_be_written_to_costs_no_look(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    coordinator.ask(models["good"])
    coordinator.inbox.mkdir()
    (coordinator.inbox / RUN).write_text("a file, where a folder has to be")
    assert refused_without_a_look(hospital, coordinator, f"{RUN} cannot be written to") == 2


@pytest.mark.process
def test_an_inbox_of_somebody_else_costs_no_look(
    hospital: Hospital, coordinator: Coordinator, models: dict[str, Path]
) -> None:
    request = coordinator.ask(models["good"])
    coordinator.inbox.mkdir(mode=0o555)
    command = [str(Path(sys.executable).with_name("casegate"))]
    command += hospital.arguments(request, coordinator.inbox, coordinator.public)
    if os.geteuid() == 0:  # who may write everywhere, unless that is taken away
        command = ["setpriv", "--bounding-set=-dac_override", *command]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert f"{coordinator.inbox} cannot be written to; make it so" in ended.stderr
    assert not (hospital.workspace / "ledger.jsonl").exists()


def die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_verdict_that_a_crash_kept_back_is_named(
    hospital: Hospital,
    coordinator: Coordinator,
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = coordinator.ask(models["good"])
    arguments = hospital.arguments(request, coordinator.inbox, coordinator.public)
    with monkeypatch.context() as crash:
        crash.setattr(site_gate, "writing_to", die)
        assert casegate(*arguments).exit_code == 130
    again = casegate(*arguments)
    (kept,) = hospital.workspace.glob("runs/*/verdict.dsse.json")
    assert again.exit_code == 2
    assert f"not answered; copy {kept} to {coordinator.answer('north')}" in again.stderr
    assert len(Ledger(hospital.workspace / "ledger.jsonl").entries()) == 2


@pytest.mark.parametrize(
    "instant, code, words",
    [
        ("components.gate.record.decide", 1, "the verdict and 0 figures"),  # it was looked at
        ("pipeline.run.site_gate.disclose", 2, "was judged here already; "),
    ],
)
def test_no_figures_leave_after_a_crash_in_the_judgement(
    hospital: Hospital,
    coordinator: Coordinator,
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    instant: str,
    code: int,
    words: str,
) -> None:
    disclosing(hospital)
    request = coordinator.ask(models["harmful"])
    arguments = hospital.arguments(request, coordinator.inbox, coordinator.public)
    with monkeypatch.context() as crash:
        crash.setattr(instant, die)
        assert casegate(*arguments).exit_code == 130
    assert not coordinator.inbox.exists()
    again = casegate(*arguments)
    assert (again.exit_code, words in again.output) == (code, True), again.output


def test_one_key_of_the_site_and_one_of_the_coordinator_are_wanted(
    hospital: Hospital,
    coordinator: Coordinator,
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    coordinator.ask(models["good"])
    both = tmp_path / "both.pub.pem"
    both.write_bytes(hospital.public.read_bytes() + coordinator.public.read_bytes())
    monkeypatch.setattr(coordinator, "public", both)
    assert refused_without_a_look(hospital, coordinator, "holds no public key in PEM") == 2
    other, _, _ = new_key(tmp_path / "other", "other")
    monkeypatch.setenv("CASEGATE_KEY", f"{hospital.key}{os.pathsep}{other}")
    arguments = hospital.arguments(coordinator.outbox / RUN, coordinator.inbox, both)
    place = arguments.index("--key")
    result = casegate(*arguments[:place], *arguments[place + 2 :])
    assert (result.exit_code, "got 2 private keys, wanted" in result.stderr) == (2, True)
