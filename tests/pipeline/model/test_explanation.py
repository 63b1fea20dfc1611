"""Maps of where a score came from: what they are of, and what is refused instead of a blank."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.records.errors import ConfigError
from components.scoring.served import explain
from pipeline.model.explanation import GradCam
from pipeline.model.export import Classifier, export
from tests.pipeline.model.test_export import IMAGES, SIZE, Transform, shipped, trained
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


def weighted(channels: list[float], *, bias: float = 0.0) -> keras.Model:
    """Blurs the image into two channels, the second its negative; the logit weighs their means."""
    pixels = keras.Input((SIZE, SIZE, 1), name="pixels")
    hidden = keras.layers.Conv2D(2, 2, strides=2, name="blur")(pixels)
    pooled = keras.layers.GlobalAveragePooling2D()(hidden)
    network = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid", name="dense")(pooled))
    kernel = np.full((2, 2, 1, 2), 0.25, np.float32) * [1, -1]
    network.get_layer("blur").set_weights([kernel, np.zeros(2)])
    network.layers[-1].set_weights([np.array(channels)[:, None], np.array([bias])])
    return network


def spot() -> np.ndarray:
    pixels = np.zeros((1, SIZE, SIZE, 1), np.float32)
    pixels[0, 4:6, 10:12] = 0.8
    pixels[0, 8:10, 2:4] = 0.2
    return pixels


def test_the_map_lies_where_the_score_came_from_scaled_to_one() -> None:
    heat = GradCam(weighted([2.0, -1.0])).heatmap(tf.constant(spot())).numpy()
    wanted = np.zeros((1, SIZE // 2, SIZE // 2))
    wanted[0, 2, 5], wanted[0, 4, 1] = 1.0, 0.25
    np.testing.assert_allclose(heat, wanted, atol=1e-6)
    assert heat.dtype == np.float32


def test_a_sure_network_is_explained_too() -> None:
    network = weighted([2.0, -1.0], bias=200.0)  # the probability is 1 and its gradient 0
    assert network.predict(spot(), verbose=0)[0, 0] == 1.0
    assert GradCam(network).heatmap(tf.constant(spot())).numpy().max() == 1.0


def branched() -> keras.Model:
    """The logit gets the mean of what a convolution makes, and of what goes around it."""
    pixels = keras.Input((SIZE, SIZE, 1), name="pixels")
    below = keras.layers.Conv2D(2, 3, padding="same", name="below")(pixels)
    looked_at = keras.layers.Conv2D(2, 3, padding="same", name="looked_at")(below)
    both = keras.layers.Add(name="both")([below, looked_at])
    above = keras.layers.Conv2D(3, 3, padding="same", activation="tanh", name="above")(both)
    pooled = keras.layers.GlobalAveragePooling2D()(above)
    return keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid", name="dense")(pooled))


def test_what_goes_around_the_layer_is_no_part_of_its_map() -> None:
    """Held against the gradient by a variable that stands where the layer's output does."""
    keras.utils.set_random_seed(5)
    network, pixels = branched(), tf.constant(spot())
    layers = {layer.name: layer for layer in network.layers}
    below = layers["below"](pixels)
    features = tf.Variable(layers["looked_at"](below))
    with tf.GradientTape() as tape:
        pooled = tf.reduce_mean(layers["above"](below + features), axis=[1, 2])
        logit = pooled @ layers["dense"].kernel
    weights = tf.reduce_mean(tape.gradient(logit, features), axis=[1, 2], keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1)).numpy()
    found = GradCam(network, "looked_at").heatmap(pixels).numpy()
    assert heat.max() > 0
    np.testing.assert_allclose(found, heat / heat.max(), atol=1e-5)


def test_no_gradient_is_taken_below_the_layer() -> None:
    """A map costs what an answer costs, and the way back from the logit to the layer alone."""
    spec = tf.TensorSpec((None, SIZE, SIZE, 1), tf.float32)

    def backward(layer: str) -> int:
        heatmap = tf.function(GradCam(branched(), layer).heatmap, autograph=False)
        operations = heatmap.get_concrete_function(spec).graph.get_operations()
        return sum(one.type == "Conv2DBackpropInput" for one in operations)

    assert [backward(layer) for layer in ("above", "looked_at", "below")] == [0, 1, 2]


def test_where_all_speaks_against_a_finding_the_map_is_zero_and_no_error() -> None:
    explanation = GradCam(weighted([-2.0, 1.0]))
    explanation.refuse_blank()
    heat = explanation.heatmap(tf.constant(spot())).numpy()
    assert (heat == 0).all()


def test_a_gradient_that_is_zero_for_every_image_is_refused_by_the_layers_name() -> None:
    with refused(ConfigError, "'blur'", "0 for every"):
        Classifier(weighted([0.0, 0.0]), Transform(), 0.5)


def test_a_gradient_that_is_no_number_is_refused() -> None:
    with refused(ConfigError, "'blur'", "not finite"):
        GradCam(weighted([np.nan, 0.0])).refuse_blank()


def test_a_layer_that_the_score_does_not_hang_on_is_refused_before_training() -> None:
    pixels = keras.Input((SIZE, SIZE, 1))
    steps = keras.layers.Lambda(tf.round, name="steps")(keras.layers.Conv2D(2, 3, name="c")(pixels))
    hidden = keras.layers.GlobalAveragePooling2D()(steps)
    network = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(hidden))
    with refused(ConfigError, "'c'", "no gradient"):
        GradCam(network, "c")


@pytest.mark.parametrize(
    ("layer", "words"),
    [("blurr", ("'blurr'", "did you mean 'blur'")), ("dense", ("'dense'", "(None, 1)"))],
)
def test_a_layer_that_is_no_picture_is_refused(layer: str, words: tuple[str, ...]) -> None:
    network = weighted([1.0, 1.0])
    with refused(ConfigError, *words):
        GradCam(network, layer)


def test_a_network_without_any_picture_is_refused() -> None:
    pixels = keras.Input((1, 1, 3))
    flat = keras.layers.Flatten()(keras.layers.Conv2D(2, 1)(pixels))
    network = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(flat))
    with refused(ConfigError, "nothing to explain by"):
        GradCam(network)


def test_another_end_than_a_sigmoid_is_refused_by_its_name() -> None:
    pixels = keras.Input((SIZE, SIZE, 1))
    hidden = keras.layers.GlobalAveragePooling2D()(pixels)
    with refused(ConfigError, "'odd'", "Dense"):
        GradCam(keras.Model(pixels, keras.layers.Dense(1, activation="tanh", name="odd")(hidden)))


def test_the_released_model_explains_the_probability_that_it_serves(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    network = trained(shipped())
    classifier = Classifier(network, Transform(), 0.5)
    export(classifier, str(tmp_path / "model"), {})
    served = classifier.serving_default(tf.constant(IMAGES))["probability"].numpy()
    explained = classifier.explain(tf.constant(IMAGES))
    assert explained["probability"].numpy().tobytes() == served.tobytes()
    answers = list(explain(tmp_path / "model", IMAGES))
    assert np.concatenate([a.probability for a in answers]) == pytest.approx(served, abs=1e-6)
    heat = np.concatenate([answer.heatmap for answer in answers])
    np.testing.assert_allclose(heat, explained["heatmap"].numpy(), atol=1e-4)
    assert heat.shape == (len(IMAGES), 4, 4) and heat.max() == 1.0 and heat.min() == 0.0
