from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.baselines.golden import Golden
from components.records.case import Case
from components.records.errors import IntegrityError
from pipeline.governance.amendment import score_with_golden
from tests.components.cases.making import encoded, picture
from tests.components.planting import approved, locked, scored
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

ODD_IDS = ("患者-01", "line\nbreak", 'a;"b"')
CASES = [Case(name, f"p{i}", i % 2, encoded(picture(i)), {}) for i, name in enumerate(ODD_IDS)]


class Brightness(tf.Module):
    """A model whose probability is the mean grey value of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.operating_point = tf.Variable(0.25)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"image": tf.io.FixedLenFeature([], tf.string)})

        def brightness(image: tf.Tensor) -> tf.Tensor:
            return tf.reduce_mean(tf.cast(tf.io.decode_png(image), tf.float32)) / 255

        return {
            "probability": tf.map_fn(brightness, parsed["image"], fn_output_signature=tf.float32)
        }


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brightness")
    module = Brightness()
    tf.saved_model.save(module, str(path), signatures={"serve_examples": module.serve_examples})
    return path


def golden(operating_point: float = 0.25) -> Golden:
    return approved(replace(scored(locked(1, 1)), operating_point=operating_point))


def test_each_case_gets_the_models_score_under_its_own_id(model: Path) -> None:
    scores = score_with_golden(golden(), model, CASES)
    assert list(scores) == list(ODD_IDS)
    wanted = [picture(i).mean() / 255 for i in range(len(CASES))]
    np.testing.assert_allclose(list(scores.values()), wanted, rtol=1e-5)


def test_a_model_that_calls_at_another_point_is_refused(model: Path) -> None:
    with refused(IntegrityError, "0.25", "0.5;"):
        score_with_golden(golden(0.5), model, CASES)
