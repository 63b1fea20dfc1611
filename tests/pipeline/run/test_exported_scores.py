"""Real artefacts given to the gate: asked in their own runtime, and judged with their faults."""

import shutil
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.export_scores import ExportScores, Measured
from components.baselines.scores import CaseScores
from components.cases.lock import apply_lock, lock_source, usable_cases
from components.cases.sources import open_source
from components.decision import ExportDecision, Verdict, decision_from_json
from components.exports import javascript_running, tflite
from components.exports.exporting import Converted, export_artefact
from components.exports.pixels import prepared_batch
from components.exports.running import Asked
from components.exports.source import TuningCases
from components.records.errors import IntegrityError, Unservable
from components.records.export import export_sha256, load_export_record, save_export_record
from components.records.files import sha256_file, sha256_tree
from components.scoring.operating_point import choose_operating_point
from pipeline.run.exported_scores import is_export, read_export, score_exports
from pipeline.run.score_gate import is_saved_model
from tests.components.cases.making import encoded, picture, write_npz
from tests.components.gate.test_decide import judged
from tests.components.planting import approved, check, policy
from tests.pipeline.score_making import casegate
from tests.refusing import refused

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

ROWS, SIDE = 400, 8
INT8 = "tflite_int8"
POLICY = """\
name: planted
leakage: stop
planned_looks: 3
checks: [{metric: sensitivity, slice: overall, floor: 0.5, rationale: planted}]
"""
RULES = policy(check(floor=0.5, margin=0.1))


class Bright(tf.Module):
    """Calls a picture positive that is brighter than grey."""

    def __init__(self, *, sigmoid: bool) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.fill([SIDE * SIDE, 1], 24.0 / SIDE**2))
        self._last: Callable[[tf.Tensor], tf.Tensor] = tf.sigmoid if sigmoid else tf.identity

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 1], tf.float32, name="pixels")])
    def score_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logit": self._last(tf.reshape(pixels, [-1, SIDE * SIDE]) @ self.weights - 12.0)}


def pictures(seed: int) -> np.ndarray:
    """Every second one is bright."""
    noise = picture(seed, (ROWS, SIDE, SIDE)).astype(int)
    bright = np.arange(ROWS)[:, None, None] % 2
    return np.clip(40 + noise // 2 + 45 * bright, 0, 255).astype(np.uint8)


TUNING = TuningCases(
    [f"t{i}" for i in range(ROWS)], [encoded(one) for one in pictures(1)], np.arange(ROWS) % 2
)
AIM = 0.95


def probabilities(images: Sequence[bytes]) -> np.ndarray:
    """What the model itself says of pictures."""
    means = prepared_batch(images, SIDE).mean(axis=(1, 2, 3), dtype=np.float64)
    return np.asarray(1 / (1 + np.exp(12 - 24 * means)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "chest.npz"
    return write_npz(path, rows=ROWS, val_images=pictures(1), test_images=pictures(2))


@pytest.fixture(scope="module")
def place(data: Path) -> Path:
    path = data.parent / "baseline" / "case_set.json"
    lock_source(open_source(str(data)), path, author="A. Radiologist", reason="test")
    (path.parent / "policy.yaml").write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def cases(place: Path) -> CaseSet:
    return load_case_set(place)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("bright"), sigmoid=False)


def saved(folder: Path, *, sigmoid: bool) -> Path:
    module = Bright(sigmoid=sigmoid)
    tf.saved_model.save(module, str(folder), {"score_pixels": module.score_pixels})
    return folder


def made(
    model: Path, folder: Path, *, kind: str = INT8, calibration: np.ndarray | None = None
) -> Path:
    """The artefact of a model, in `folder`; calibrated on other pixels where they are given."""

    def convert(model: Path, size: int, out: Path, drawn: np.ndarray | None) -> Converted:
        return tflite.convert(kind, model, size, out, drawn if calibration is None else calibration)

    folder.mkdir(parents=True)
    export_artefact(model, TUNING, kind, folder, target_sensitivity=AIM, convert=convert)
    return folder


@pytest.fixture(scope="module")
def honest(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(model, tmp_path_factory.mktemp("honest") / INT8)


@pytest.fixture
def copied(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / INT8))


def scores_of(folder: Path, cases: CaseSet, data: Path) -> CaseScores:
    given = read_export(folder)
    assert given.operating_point is not None
    points = {"candidate": given.operating_point}
    return score_exports({"candidate": given}, points, cases, open_source(str(data)))["candidate"]


def verdict_on(folder: Path, model: Path, cases: CaseSet, data: Path) -> ExportDecision:
    """What the gate says of an artefact, beside the model itself."""
    found = list(usable_cases(apply_lock(open_source(str(data)), cases)))
    ids = tuple(case.case_id for case in found)
    scores = probabilities([case.image for case in found])
    tuned = probabilities(TUNING.pictures)
    point = choose_operating_point(tuned, TUNING.labels, target_sensitivity=AIM)
    ours = CaseScores(ids, scores, point, sha256_tree(model), cases.merkle_root)
    export = ExportScores(
        INT8,
        load_export_record(folder),
        export_sha256(folder),
        {"tflite": scores_of(folder, cases, data)},
        Measured(),
    )
    golden = approved(replace(ours, model_sha256="0" * 64))
    decision = judged(
        ours,
        rules=RULES,
        case_set=cases,
        champion=None,
        golden=golden,
        exports={INT8: export},
        scores_only=True,
        evaluator=None,
    )
    return decision.exports[0]


def failed(decision: ExportDecision) -> set[str]:
    return {one.check for one in decision.checks if one.verdict is Verdict.FAIL}


def test_an_honest_int8_file_passes(honest: Path, model: Path, cases: CaseSet, data: Path) -> None:
    found = verdict_on(honest, model, cases, data)
    assert (found.verdict, failed(found)) == (Verdict.PASS, set())
    assert 0 < (found.runtimes["tflite"].largest_difference or 0) < 0.1


def test_one_calibrated_on_noise_is_blocked(
    model: Path, cases: CaseSet, data: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).normal(0.2, 0.01, (64, SIDE, SIDE, 1)).astype(np.float32)
    found = verdict_on(made(model, tmp_path / INT8, calibration=noise), model, cases, data)
    assert found.verdict is Verdict.FAIL
    assert "tflite:difference.candidate" in failed(found)


def test_one_with_the_sigmoid_inside_is_blocked(cases: CaseSet, data: Path, tmp_path: Path) -> None:
    model = saved(tmp_path / "model", sigmoid=True)
    found = verdict_on(made(model, tmp_path / INT8), model, cases, data)
    assert found.verdict is Verdict.FAIL
    assert "tflite:scores.logits" in failed(found)


def edited_scale(folder: Path) -> None:
    """Doubles the scales of the weights and of what is added to their products.

    Of an input or an output alone the interpreter would make up for it.
    """
    from ai_edge_litert.interpreter import Interpreter

    path = folder / "model.tflite"
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    content = path.read_bytes()
    outside = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    known = {tensor["index"] for tensor in outside}
    scales = {
        float(scale)
        for tensor in interpreter.get_tensor_details()
        if tensor["index"] not in known
        for scale in tensor["quantization_parameters"]["scales"]
    } - {float(tensor["quantization"][0]) for tensor in outside}
    assert scales
    for scale in scales:
        content = content.replace(struct.pack("<f", scale), struct.pack("<f", 2 * scale))
    path.write_bytes(content)


def test_one_whose_scale_was_edited_is_refused_and_blocked_where_its_record_was_too(
    copied: Path, model: Path, cases: CaseSet, data: Path
) -> None:
    record = load_export_record(copied)
    edited_scale(copied)
    with refused(IntegrityError, "model.tflite", "altered"):
        read_export(copied)
    save_export_record(
        replace(record, files={"model.tflite": sha256_file(copied / "model.tflite")}), copied
    )
    found = verdict_on(copied, model, cases, data)
    assert found.verdict is Verdict.FAIL
    assert failed(found)


def test_one_of_another_version_is_blocked(
    copied: Path, model: Path, cases: CaseSet, data: Path
) -> None:
    save_export_record(replace(load_export_record(copied), model_sha256="1" * 64), copied)
    found = verdict_on(copied, model, cases, data)
    assert (found.verdict, failed(found)) == (Verdict.FAIL, {"artefact"})


def test_a_truncated_file_is_refused(
    copied: Path, cases: CaseSet, data: Path, tmp_path: Path
) -> None:
    whole = (copied / "model.tflite").read_bytes()
    (copied / "model.tflite").write_bytes(whole[: len(whole) // 3])
    with refused(IntegrityError, "model.tflite", "cut short"):
        read_export(copied)
    alone = tmp_path / "alone.tflite"
    alone.write_bytes(whole[: len(whole) // 3])
    with refused(Unservable, "alone.tflite"):
        given = read_export(alone)
        assert given.operating_point is None
        score_exports({"candidate": given}, {"candidate": 0.5}, cases, open_source(str(data)))


def test_a_file_alone_has_the_operating_point_that_it_says_itself(
    honest: Path, cases: CaseSet, data: Path, tmp_path: Path
) -> None:
    alone = Path(shutil.copy(honest / "model.tflite", tmp_path / "tablet.tflite"))
    given, whole = read_export(alone), read_export(honest)
    assert given.record is None
    assert given.operating_point == whole.operating_point
    assert is_export(alone) and is_export(honest) and not is_saved_model(honest)
    ours, theirs = scores_of(alone, cases, data), scores_of(honest, cases, data)
    assert (ours.scores == theirs.scores).all()
    assert ours.model_sha256 == sha256_file(alone)
    assert theirs.model_sha256 == export_sha256(honest)


def test_the_gate_judges_an_artefact_by_its_own_point(
    honest: Path, place: Path, data: Path
) -> None:
    command = ("gate", "--case-set", place, "--images", data, "--format", "json", "--candidate")
    result = casegate(*command, honest / "model.tflite")
    decision = decision_from_json(result.stdout)
    assert result.exit_code == decision.exit_code == 3  # as nobody approved golden scores
    assert decision.hashes["candidate"] == export_sha256(honest)
    assert decision.operating_points["candidate"] == load_export_record(honest).operating_point
    assert any("tflite_int8 in tflite" in finding for finding in decision.findings)
    assert {one.check: one.verdict for one in decision.checks}[
        "sensitivity[overall].floor"
    ] is Verdict.PASS


def test_a_point_that_contradicts_the_artefact_is_refused(
    honest: Path, place: Path, data: Path
) -> None:
    result = casegate(
        *("gate", "--case-set", place, "--images", data, "--candidate", honest),
        *("--operating-point", "candidate=0.25"),
    )
    assert result.exit_code == 2
    assert "--operating-point" in result.stderr


def test_a_tensorflow_js_folder_is_asked_in_node_and_needs_a_point_where_it_says_none(
    place: Path, cases: CaseSet, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tfjs"
    folder.mkdir()
    (folder / "model.json").write_text("{}", encoding="utf-8")
    command = ("gate", "--case-set", place, "--images", data, "--format", "json", "--candidate")
    refusal = casegate(*command, folder)
    assert refusal.exit_code == 2
    assert "--operating-point candidate=VALUE" in refusal.stderr
    asked = []

    def ask(folder: Path, runtime: str, pictures: Iterable[bytes]) -> Asked:
        scores = np.asarray(probabilities(list(pictures)))
        asked.append((folder, runtime, scores.size))
        return Asked(scores, "22.1", {"p95": 1.5}, 0)

    monkeypatch.setattr(javascript_running, "ask_graph_model", ask)
    result = casegate(*command, folder, "--operating-point", "candidate=0.5")
    decision = decision_from_json(result.stdout)
    assert asked == [(folder, "node_wasm", len(cases.cases))]
    assert decision.hashes["candidate"] == sha256_tree(folder)
    assert decision.operating_points["candidate"] == 0.5
    assert any("tfjs" in finding for finding in decision.findings)


def test_a_folder_of_neither_kind_is_refused(place: Path, tmp_path: Path) -> None:
    result = casegate("gate", "--case-set", place, "--candidate", tmp_path)
    assert result.exit_code == 2
    assert "saved_model.pb" in result.stderr and "artefact" in result.stderr
