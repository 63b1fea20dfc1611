"""DecisionAttestor on planted files, called as TFX's executor calls it."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.artifacts import Attestation, CaseIndex, DecisionArtifact
from components.attestation.component import DecisionAttestor
from components.attestation.keys import VARIABLE
from components.attestation.statements import CHAMPION, TRAINING
from components.decision import Verdict, load_decision, save_decision
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_file, sha256_tree
from components.records.problems import read_problem
from components.records.run_files import DECISION
from tests.components.attestation.making import PlantedRun, person, planted_run
from tests.components.planting import sha
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

REPORTER = f"{__name__}.reported"


def reported(folder: Path, arguments: dict[str, Any]) -> dict[str, str]:
    """Stands for the pipeline's: writes both reports, and knows what trained the model."""
    (folder / "report.html").write_text(f"<p>{arguments['title']}")
    (folder / "report.md").write_text(f"{arguments['training_index']} {arguments['candidate']}")
    return {TRAINING: sha("training")}


def attest(
    run: PlantedRun, *, unsigned: bool = False, blessed: bool = True, gate: Path | None = None
) -> Attestation:
    """The component's output; `gate` is where the gate's own decision lies."""
    decision, blessing, index = DecisionArtifact(), ModelBlessing(), CaseIndex()
    decision.uri, blessing.uri, index.uri = str(gate or run.folder), str(run.root), "index"
    model = Model()
    model.uri = str(run.root / "trained")
    blessing.set_int_custom_property("blessed", int(blessed))
    attestation = Attestation()
    attestation.uri = str(run.root / "attestation")
    subjects = {
        name: [str(it), sha256_tree(it) if name == CHAMPION else sha256_file(it)]
        if isinstance(it, Path)
        else ["", it]
        for name, it in run.there.items()
        if name != TRAINING
    }
    request = {
        "run_folder": str(run.folder),
        "subjects": subjects,
        "report": {"title": "made by the run"},
        "signing": {"unsigned": unsigned, "why": "the configuration allows unsigned releases"},
    }
    DecisionAttestor.EXECUTOR_SPEC.executor_class._FUNCTION(
        decision=decision,
        blessing=blessing,
        training_index=index,
        model=model,
        attestation=attestation,
        request=json.dumps(request),
        report_fn=REPORTER,
        problems=str(run.root / "problem.json"),
    )
    return attestation


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlantedRun:
    made = planted_run(tmp_path)
    person(made, "Ann")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "private" / "Ann.key.pem"))
    return made


def test_the_report_is_written_and_signed_with_the_rest(run: PlantedRun) -> None:
    made = attest(run)
    assert (run.folder / "report.html").read_text() == "<p>made by the run"
    candidate = run.root / "trained" / "Format-Serving"
    assert (run.folder / "report.md").read_text() == f"index {candidate}"
    assert run.check_releasable().signers == ("Ann",)
    assert (Path(made.uri) / "decision.dsse.json").read_bytes() == run.envelope.read_bytes()
    assert made.get_int_custom_property("signed") == 1
    assert made.get_string_custom_property("signers") == "Ann"


def test_a_refusal_is_signed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = planted_run(tmp_path, verdict=Verdict.FAIL, exit_code=1)
    person(made, "Ann")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "private" / "Ann.key.pem"))
    attest(made, blessed=False)
    assert made.envelope.exists()


def test_without_a_key_the_run_stops(run: PlantedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    with refused(ConfigError, VARIABLE, "signing.unsigned"):
        attest(run)
    assert isinstance(read_problem(run.root / "problem.json"), ConfigError)


def test_without_a_key_a_refusal_releases_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = planted_run(tmp_path, verdict=Verdict.FAIL, exit_code=1)
    monkeypatch.delenv(VARIABLE, raising=False)
    made = attest(refusal, blessed=False)
    said = json.loads((Path(made.uri) / "unsigned.json").read_text())
    assert said["signed"] is False and "nothing to release" in said["why"]


def test_an_unsigned_decision_is_marked_where_it_is_allowed(
    run: PlantedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    made = attest(run, unsigned=True)
    assert json.loads((Path(made.uri) / "unsigned.json").read_text())["signed"] is False
    assert made.get_int_custom_property("signed") == 0
    assert not run.envelope.exists()


def test_a_blessing_against_the_decision_is_noticed(run: PlantedRun) -> None:
    with refused(IntegrityError, run.folder / DECISION):
        attest(run, blessed=False)


def test_a_decision_that_the_gate_did_not_write_is_not_signed(run: PlantedRun) -> None:
    gate, path = run.root / "gate", run.folder / DECISION
    gate.mkdir()
    shutil.copy(path, gate)
    save_decision(replace(load_decision(path), created="2026-01-02T00:00:00Z"), path)
    with refused(IntegrityError, path):
        attest(run, gate=gate)
    assert not run.envelope.exists()


def test_a_policy_that_changed_during_the_run_is_not_signed(
    run: PlantedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edits_the_policy(folder: Path, arguments: dict[str, Any]) -> dict[str, str]:
        (run.root / "baseline" / "policy.yaml").write_text("another")
        return {}

    monkeypatch.setattr(sys.modules[__name__], "reported", edits_the_policy)
    with refused(IntegrityError, run.root / "baseline" / "policy.yaml"):
        attest(run)
