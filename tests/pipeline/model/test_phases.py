import numpy as np
import pytest
import tensorflow as tf

from pipeline.model.networks.building import build
from pipeline.model.phases import compile_network
from pipeline.settings.sections import ModelConfig

pytestmark = pytest.mark.tensorflow

BATCH = np.random.default_rng(3).random((8, 32, 32, 1)).astype(np.float32)


def test_the_network_gives_one_probability_per_image_and_learns_the_same_twice() -> None:
    model = ModelConfig(image_size=32, filters=(4, 8), batch_size=4)
    weights = []
    for _ in range(2):
        tf.keras.utils.set_random_seed(model.seed)
        network = build(model).model
        compile_network(network, model, steps=4)
        network.fit(BATCH, np.arange(8) % 2, batch_size=4, epochs=1, shuffle=False, verbose=0)
        weights.append(network.predict(BATCH, verbose=0))
    np.testing.assert_array_equal(*weights)
    assert weights[0].shape == (8, 1) and ((weights[0] > 0) & (weights[0] < 1)).all()
