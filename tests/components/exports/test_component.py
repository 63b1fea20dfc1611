"""What exporter and scorer leave for the gate, also where there is nothing to judge."""

from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf

from components.baselines.export_scores import (
    ARTEFACT,
    Measured,
    load_export_scores,
    save_export_scores,
)
from components.decision import EXIT_INCONCLUSIVE, Verdict
from components.exports import component, javascript_running
from components.exports.component import export_model, score_export
from components.exports.running import MissingRuntime, ask
from components.gate.policy import ExportRule
from components.records.errors import Unservable
from components.records.export import TFJS, export_sha256, load_export_record
from tests.components.exports.making import tuning
from tests.components.gate.test_decide import MARGIN, judged

pytestmark = [pytest.mark.tensorflow, pytest.mark.process]
ROOT = "f" * 64
CASES = tuning(20, seed=5)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = str(tmp_path_factory.mktemp("test") / "a.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for case_id, picture in zip(CASES.ids, CASES.pictures):
            features = {"case_id": case_id.encode(), "image": picture}
            example = tf.train.Example()
            for name, value in features.items():
                example.features.feature[name].bytes_list.value.append(value)
            writer.write(example.SerializeToString())
    return [path]


@pytest.fixture
def exported(int8: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / ARTEFACT).symlink_to(int8, target_is_directory=True)
    save_export_scores(folder, {}, Measured(1234))
    return folder


def test_the_scores_are_the_artefacts_own(
    exported: Path, int8: Path, records: list[str], tmp_path: Path
) -> None:
    score_export(exported, records, ["tflite"], ROOT, tmp_path / "scores")
    found = load_export_scores(tmp_path / "scores", "tflite_int8")
    assert found.sha256 == export_sha256(int8)
    assert found.record == load_export_record(int8)
    scores = found.scores["tflite"]
    assert scores.scored_case_set == ROOT
    asked = dict(zip(CASES.ids, ask(int8, "tflite", CASES.pictures).scores.tolist()))
    assert dict(zip(scores.case_ids, scores.scores.tolist())) == pytest.approx(asked, abs=1e-9)
    assert found.measured.size_bytes == 1234 and not found.measured.missing
    assert found.measured.versions["tflite"] == found.record.runtime_version
    assert found.measured.peak_memory_bytes["tflite"] > 0


def test_a_runtime_that_cannot_be_asked_is_named(
    exported: Path, records: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(folder: Path, runtime: str, pictures: object) -> None:
        raise {"node_wasm": MissingRuntime, "tflite": Unservable}[runtime](f"no {runtime} here")

    monkeypatch.setattr(component, "ask", ask)
    score_export(exported, records, ["tflite", "node_wasm"], ROOT, tmp_path / "scores")
    found = load_export_scores(tmp_path / "scores", "tflite_int8")
    assert found.scores == {} and found.record is not None
    assert found.measured.missing == {
        "tflite": "no tflite here",
        "node_wasm": "no node_wasm here",
    }


def test_a_run_that_requires_what_cannot_be_made_here_is_inconclusive(
    model: Path, records: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(javascript_running, "__file__", str(tmp_path / "a/b/c.py"))
    export_model(model, tuning(), TFJS, 0.9, tmp_path / "export")
    score_export(tmp_path / "export", records, ["node_wasm"], ROOT, tmp_path / "scores")
    rules = replace(MARGIN, exports={TFJS: ExportRule(("node_wasm",), required=True)})
    found = {TFJS: load_export_scores(tmp_path / "scores", TFJS)}
    (missing,) = (c for c in judged(rules=rules, exports=found).checks if c.rule == "export")
    assert missing.verdict is Verdict.INCONCLUSIVE and "`make tfjs`" in missing.reason
    assert judged(rules=rules, exports=found).exit_code == EXIT_INCONCLUSIVE


def test_why_there_is_no_artefact_goes_on_to_the_gate(tmp_path: Path, records: list[str]) -> None:
    (tmp_path / "export").mkdir()
    save_export_scores(tmp_path / "export", {}, Measured(missing={"export": "no signature"}))
    score_export(tmp_path / "export", records, ["tflite"], ROOT, tmp_path / "scores")
    found = load_export_scores(tmp_path / "scores", "tflite_int8")
    assert (found.record, found.scores) == (None, {})
    assert found.measured.missing == {"export": "no signature"}
