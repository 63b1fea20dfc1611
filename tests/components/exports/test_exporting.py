"""Artefacts give the model's scores in their own runtime, and what is wrong with one shows."""

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from components.exports import tflite
from components.exports.exporting import export_artefact
from components.exports.pixels import prepared_batch
from components.exports.running import ask, probabilities
from components.exports.tflite_running import ask_file
from components.records.errors import IntegrityError, NothingEvaluated, Unservable
from components.records.export import ExportRecord, load_export_record, save_export_record
from components.records.files import sha256_file, sha256_tree
from tests.components.exports.conftest import Exporting
from tests.components.exports.making import SIZE, Bright, logits, saved, tuning
from tests.refusing import refused

pytestmark = [pytest.mark.tensorflow, pytest.mark.process]
CASES = tuning(40, seed=9)


def wanted(model: Path) -> np.ndarray:
    return probabilities(logits(model, prepared_batch(CASES.pictures, SIZE)))


@pytest.mark.parametrize(("kind", "apart"), [("tflite_float", 1e-5), ("tflite_float16", 5e-3)])
def test_floats_give_the_models_scores(
    kind: str, apart: float, model: Path, export: Exporting, tmp_path: Path
) -> None:
    record = export(model, kind, tmp_path / "artefact")
    asked = ask(tmp_path / "artefact", "tflite", CASES.pictures)
    np.testing.assert_allclose(asked.scores, wanted(model), atol=apart)
    assert record.representative is None and not record.heatmap
    assert asked.version == record.runtime_version and asked.version.split()[1][0].isdigit()
    assert 0 < asked.latency_ms["median"] <= asked.latency_ms["p95"]
    assert 1 << 20 < asked.peak_memory_bytes < 1 << 28


def test_whole_numbers_give_nearly_the_models_scores(model: Path, int8: Path) -> None:
    record = load_export_record(int8)
    scores = ask(int8, "tflite", CASES.pictures).scores
    assert np.abs(scores - wanted(model)).mean() < 0.02
    assert record.model_sha256 == sha256_tree(model) and record.image_size == SIZE
    assert record.representative is not None and record.representative.cases == 48
    # It calls as it should at a point of its own: 24 tuning positives, of which .9 are 22.
    asked, drawn = ask(int8, "tflite", tuning().pictures).scores, tuning().labels
    assert (asked[drawn == 1] >= record.operating_point).sum() >= 22


def test_the_same_inputs_give_the_same_files(
    model: Path, int8: Path, export: Exporting, tmp_path: Path
) -> None:
    """Each conversion is a process of its own."""
    export(model, "tflite_int8", tmp_path / "again")
    assert sha256_tree(tmp_path / "again") == sha256_tree(int8)


def test_a_case_has_the_same_score_whatever_is_asked_beside_it(int8: Path) -> None:
    alone = [ask(int8, "tflite", [picture]).scores[0] for picture in CASES.pictures[:3]]
    assert ask(int8, "tflite", iter(CASES.pictures * 2)).scores[:3].tolist() == alone


def planted(folder: Path, model: Path, content: bytes) -> None:
    """Another file in the artefact's place, with a record that vouches for it."""
    (folder / "model.tflite").write_bytes(content)
    files = {"model.tflite": sha256_file(folder / "model.tflite")}
    record = ExportRecord(
        "tflite_int8", sha256_tree(model), SIZE, 0.5, "tflite", "1", "planted", files
    )
    save_export_record(record, folder)


def test_calibration_on_noise_moves_the_scores(model: Path, tmp_path: Path) -> None:
    faint = np.random.default_rng(3).random((32, SIZE, SIZE, 1), np.float32) * 0.05
    tflite.convert("tflite_int8", model, SIZE, tmp_path, faint)
    planted(tmp_path, model, (tmp_path / "model.tflite").read_bytes())
    scores = ask(tmp_path, "tflite", CASES.pictures).scores
    assert np.abs(scores - wanted(model)).mean() > 0.1


def test_a_sigmoid_inside_moves_the_scores(tmp_path: Path, export: Exporting) -> None:
    inside = saved(tmp_path / "model", Bright(sigmoid=True))
    export(inside, "tflite_int8", tmp_path / "artefact")
    scores = ask(tmp_path / "artefact", "tflite", CASES.pictures).scores
    outside = wanted(saved(tmp_path / "outside"))
    assert np.abs(scores - outside).mean() > 0.1
    assert scores.min() >= 0.49  # the sigmoid of a probability


def rescaled(model: bytes) -> bytes:
    """The file with twice the scale of the single numbers in it."""
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    edited = 0
    for tensor in tree.subgraphs[0].tensors:
        data = tree.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.INT8 and data is not None and len(data) == 1:
            tensor.quantization.scale = tensor.quantization.scale * 2
            edited += 1
    assert edited
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_an_edited_scale_is_refused_and_would_move_the_scores(
    model: Path, int8: Path, tmp_path: Path
) -> None:
    edited = rescaled((int8 / "model.tflite").read_bytes())
    for name in ("export.json", "labels.txt", "release.json"):
        (tmp_path / name).write_bytes((int8 / name).read_bytes())
    (tmp_path / "model.tflite").write_bytes(edited)
    with refused(IntegrityError, "model.tflite", "export.json"):
        ask(tmp_path, "tflite", CASES.pictures)
    planted(tmp_path, model, edited)
    scores = ask(tmp_path, "tflite", CASES.pictures).scores
    assert np.abs(scores - wanted(model)).mean() > 0.1


@pytest.mark.parametrize("kept", [0, 3, 1000, 4000])
def test_a_file_that_was_cut_short_is_refused(
    kept: int, model: Path, int8: Path, tmp_path: Path
) -> None:
    cut = (int8 / "model.tflite").read_bytes()[:kept]
    with refused(Unservable, "model.tflite"):
        planted(tmp_path, model, cut)
        ask(tmp_path, "tflite", CASES.pictures)
    for name in ("export.json", "labels.txt", "release.json"):
        (tmp_path / name).write_bytes((int8 / name).read_bytes())
    with refused(IntegrityError, "model.tflite"):
        load_export_record(tmp_path)


def test_a_picture_of_another_size_is_refused(int8: Path) -> None:
    with refused(Unservable, "size 16", "28"):
        ask_file(int8 / "model.tflite", CASES.pictures, size=28)


def test_the_first_layers_stay_in_floats_and_the_others_do_not(int8: Path) -> None:
    tree = schema.ModelT.InitFromPackedBuf((int8 / "model.tflite").read_bytes(), 0)
    tensors = tree.subgraphs[0].tensors
    kinds = {
        tuple(each.shape): each.type
        for each in tensors
        if tree.buffers[each.buffer].data is not None and len(each.shape) == 4
    }
    assert tensors[tree.subgraphs[0].inputs[0]].type == schema.TensorType.FLOAT32
    assert kinds == {(8, 3, 3, 1): schema.TensorType.FLOAT32, (16, 3, 3, 8): schema.TensorType.INT8}


def test_scores_that_are_no_numbers_give_no_operating_point(
    tmp_path: Path, export: Exporting
) -> None:
    broken = Bright()
    broken.weights.assign(np.full((16, 1), np.nan, np.float32))
    with refused(NothingEvaluated, "not finite"):
        export(saved(tmp_path / "model", broken), "tflite_float", tmp_path / "artefact")


def test_a_converter_that_fails_is_named(model: Path, tmp_path: Path) -> None:
    other = saved(tmp_path / "model")
    (other / "variables" / "variables.index").unlink()
    with refused(Unservable, "tflite_float", "exit code"):
        tflite.convert("tflite_float", other, SIZE, tmp_path, None)


def test_nothing_is_made_of_a_model_without_the_signature(tmp_path: Path) -> None:
    import tensorflow as tf

    other = tf.Module()
    tf.saved_model.save(other, str(tmp_path / "model"))
    with refused(Unservable, "score_pixels"):
        export_artefact(
            tmp_path / "model",
            tuning(),
            "tflite_float",
            tmp_path,
            target_sensitivity=0.9,
            convert=lambda *_: pytest.fail("converted"),
        )
