from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.scoring import score
from components.scoring.score import score_model

pytestmark = pytest.mark.tensorflow


class Echo(tf.Module):
    """A model whose probability is a feature of the record."""

    def __init__(self) -> None:
        super().__init__()
        self.operating_point = tf.Variable(0.25)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"p": tf.io.FixedLenFeature([], tf.float32)})
        return {"probability": parsed["p"]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("echo")
    echo = Echo()
    tf.saved_model.save(echo, str(path), signatures={"serve_examples": echo.serve_examples})
    return path


def write(path: Path, cases: dict[str, float]) -> str:
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for case_id, probability in cases.items():
            feature = {
                "case_id": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[case_id.encode()])
                ),
                "p": tf.train.Feature(float_list=tf.train.FloatList(value=[probability])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    return str(path)


def test_every_record_gets_the_models_score(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "BATCH", 2)
    second = write(tmp_path / "b.gz", {"d": 0.5, "Köln": 0.9})
    first = write(tmp_path / "a.gz", {"a": 0.1, "b": np.nan, "c": 0.3})
    scored = score_model(model, [second, first])
    assert scored.case_ids == ("a", "b", "c", "d", "Köln")
    np.testing.assert_array_equal(
        scored.scores, np.array([0.1, np.nan, 0.3, 0.5, 0.9], np.float32).astype(np.float64)
    )
    assert scored.scores.dtype == np.float64 and scored.operating_point == 0.25
    assert 0 < scored.latency_ms["median"] <= scored.latency_ms["p95"]


def test_no_record_gives_no_score(model: Path, tmp_path: Path) -> None:
    scored = score_model(model, [write(tmp_path / "a.gz", {})])
    assert scored.case_ids == () and scored.scores.shape == (0,) and scored.latency_ms == {}
