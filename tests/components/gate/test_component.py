"""What the component takes from files, before and after the decision that is tested beside it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.baselines.export_scores import ARTEFACT, ExportScores
from components.baselines.scores import load_scores, save_scores
from components.decision import save_decision
from components.gate import component
from components.records.errors import IntegrityError
from components.records.export import export_sha256
from components.records.files import sha256_file
from components.records.run_files import DECISION, REQUEST, SCORES
from tests.components.exporting import exported
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored, sha
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


def kept(runs: Path, name: str, training: str | None) -> None:
    """A run that judged the model `name`, and says what it was trained from."""
    (runs / name).mkdir()
    save_decision(judged(scored(CASES, model=name)), runs / name / DECISION)
    if training:
        request = json.dumps({"training_sha256": sha(training), "fingerprint": ""})
        (runs / name / REQUEST).write_text(request, encoding="utf-8")


def test_only_a_baseline_from_the_same_training_data_has_the_same_inputs(tmp_path: Path) -> None:
    kept(tmp_path, "champion", "these images")
    kept(tmp_path, "golden", "other images")
    kept(tmp_path, "unknown", None)
    asked = {"run_folder": str(tmp_path / "now"), "training_sha256": sha("these images")}
    models = {name: sha(name) for name in ("champion", "golden", "unknown")}
    assert component._same_inputs(asked, models) == {"champion"}
    assert component._same_inputs(asked, {"champion": None, "golden": None}) == set()


def test_a_file_that_changed_during_the_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("before", encoding="utf-8")
    named = [str(path), sha256_file(path)]
    assert component._verified(named) == path
    path.write_text("after", encoding="utf-8")
    with refused(IntegrityError, path):
        component._verified(named)


def test_the_champion_is_scored_by_this_run_or_kept_by_somebody_or_not_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / SCORES
    save_scores(scored(CASES, model="ch"), path)
    kept_scores = component._champion_scores({"champion": [str(path), sha256_file(path)]}, None)
    assert kept_scores.model_sha256 == sha("ch")
    folder = ModelBlessing()  # any artifact will do
    folder.uri = str(tmp_path)
    assert component._champion_scores({}, folder).model_sha256 == sha("ch")
    assert component._champion_scores({"champion": ["", ""]}, None) is None


@pytest.mark.parametrize("blessed, name", [(True, "BLESSED"), (False, "NOT_BLESSED")])
def test_pusher_finds_the_blessing_in_a_file_and_a_property(
    blessed: bool, name: str, tmp_path: Path
) -> None:
    artifact = ModelBlessing()
    artifact.uri = str(tmp_path)
    component._bless(artifact, blessed)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert artifact.get_int_custom_property("blessed") == int(blessed)


def test_an_artefact_is_judged_as_it_lies_in_the_runs_folder(tmp_path: Path) -> None:
    made = Model()  # any artifact will do
    made.uri = str(tmp_path / "exports" / "tflite_int8")
    exported(tmp_path, sha("candidate"))
    kept = tmp_path / "run" / "tflite_int8"
    found = component._kept_export(kept, made)
    assert isinstance(found, ExportScores)
    assert found.sha256 == export_sha256(kept / ARTEFACT)
    assert isinstance(component._kept_export(tmp_path / "tfjs", None), IntegrityError)


@pytest.mark.parametrize("fault", ["cut", "of another kind", "scored at another point"])
def test_an_artefact_with_a_fault_is_named_and_ends_no_run(tmp_path: Path, fault: str) -> None:
    made, kind = Model(), "tflite_int8"
    made.uri = str(tmp_path / "exports" / kind)
    exported(tmp_path, sha("candidate"))
    model = Path(made.uri) / ARTEFACT / "model.tflite"
    facts = ["model.tflite", "cut short"]
    if fault == "cut":
        model.write_bytes(model.read_bytes()[:-1])
    elif fault == "of another kind":
        kind, facts = "tflite_float", ["tflite_int8", "tflite_float"]
    else:
        scores = Path(made.uri) / "scores.tflite.json"
        save_scores(replace(load_scores(scores), operating_point=0.25), scores)
        facts = ["0.25", "0.5"]
    found = component._kept_export(tmp_path / "run" / kind, made)
    assert isinstance(found, IntegrityError)
    assert str(tmp_path) not in str(found)
    assert all(fact in str(found) for fact in facts)
