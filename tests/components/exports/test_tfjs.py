"""A graph model is an artefact like others: made, recorded, asked; or one line says why not."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.exports import javascript_running, tfjs
from components.exports.exporting import export_artefact
from components.exports.pixels import prepared_batch
from components.exports.running import MissingRuntime, ask, probabilities
from components.records.errors import IntegrityError, Unservable
from components.records.export import load_export_record
from tests.components.exports.making import SIZE, Bright, logits, tuning
from tests.components.exports.tfjs import needs_tfjs
from tests.foreign import needs
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def artefact(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_tfjs()
    needs("node", "nodejs")
    folder = tmp_path_factory.mktemp("tfjs")
    export_artefact(model, tuning(), "tfjs", folder, target_sensitivity=0.9, convert=tfjs.convert)
    return folder


def test_record_says_where_the_operating_point_is_from(artefact: Path) -> None:
    record = load_export_record(artefact)
    assert sorted(record.files) == ["group1-shard1of1.bin", "model.json"]
    assert record.runtime == "node_wasm" and "Node" in record.runtime_version
    assert record.converter.startswith("tensorflowjs 4.22.0 (TensorFlow ")
    assert not record.heatmap  # the model has no signature explain_pixels
    pictures, labels = tuning().pictures, tuning().labels
    called = ask(artefact, "node_wasm", pictures).scores >= record.operating_point
    assert called[labels == 1].mean() >= 0.9


def test_its_scores_are_those_of_the_saved_model(artefact: Path, model: Path) -> None:
    pictures = tuning(24, seed=5).pictures
    wanted = probabilities(logits(model, prepared_batch(pictures, SIZE)))
    asked = ask(artefact, "node_wasm", iter(pictures))
    np.testing.assert_allclose(asked.scores, wanted, atol=1e-5, rtol=0)


def test_shard_that_was_altered_is_not_asked(artefact: Path, tmp_path: Path) -> None:
    for path in artefact.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    shard = tmp_path / "group1-shard1of1.bin"
    content = bytearray(shard.read_bytes())
    content[7] ^= 1
    shard.write_bytes(content)
    with refused(IntegrityError, shard):
        ask(tmp_path, "node_wasm", [])


def test_model_without_the_signature_is_refused(tmp_path: Path) -> None:
    needs_tfjs()
    older = Bright()
    tf.saved_model.save(older, str(tmp_path / "older"), signatures={"serve": older.score_pixels})
    with refused(Unservable, "older", "score_pixels"):
        tfjs.convert(tmp_path / "older", SIZE, tmp_path)


def test_operation_that_the_browser_does_not_have_is_named(tmp_path: Path) -> None:
    needs_tfjs()

    class Sorted(Bright):
        @tf.function(
            input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1], tf.float32, name="pixels")]
        )
        def score_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            row = tf.reshape(pixels, (-1, SIZE * SIZE))
            return {"logit": tf.math.igamma(row[:, :1], row[:, 1:2]) * self.weights[0]}

    model = Sorted()
    tf.saved_model.save(model, str(tmp_path / "m"), signatures={"score_pixels": model.score_pixels})
    with refused(Unservable, "Igamma"):
        tfjs.convert(tmp_path / "m", SIZE, tmp_path)


def test_missing_environment_is_one_line(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "components" / "exports" / "javascript_running.py"
    monkeypatch.setattr(javascript_running, "__file__", str(elsewhere))
    with refused(MissingRuntime, "build/tfjs/python", "make tfjs"):
        tfjs.convert(model, SIZE, tmp_path)
