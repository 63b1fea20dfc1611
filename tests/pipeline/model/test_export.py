"""The released form runs where it is served, whatever layers the network has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.autograph.impl import api as autograph
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from components.records.errors import Unservable
from components.scoring.contract import refuse_unkept
from components.scoring.served import ServedRequest, ask, probe
from components.scoring.serving_terms import WARM_UP
from pipeline.model.explanation import GradCam
from pipeline.model.export import Classifier, export
from pipeline.model.features import IMAGE, PIXELS
from pipeline.model.networks.building import build
from pipeline.model.preprocessing import decoded
from pipeline.settings.sections import ModelConfig
from tests.components.cases.making import encoded, picture
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

SIZE = 16
IMAGES = [encoded(picture(seed, (20, 24))) for seed in range(5)]


class Prepared(tf_keras.layers.Layer):
    """What Transform's layer does, without Transform."""

    def call(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        spec = tf.TensorSpec([SIZE, SIZE, 1], tf.float32)
        read = lambda image: decoded(image, SIZE)  # noqa: E731
        return {PIXELS: tf.map_fn(read, features[IMAGE], fn_output_signature=spec)}


class Transform:
    def transform_features_layer(self) -> Prepared:
        return Prepared()


def shipped() -> keras.Model:
    return build(ModelConfig(image_size=SIZE, filters=(4, 8))).model


def with_batch_normalization() -> keras.Model:
    pixels = keras.Input((SIZE, SIZE, 1))
    hidden = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(pixels))
    hidden = keras.layers.GlobalAveragePooling2D()(keras.layers.Dropout(0.5)(hidden))
    return keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(hidden))


def nested() -> keras.Model:
    pixels = keras.Input((SIZE, SIZE, 1))
    outer = keras.layers.Conv2D(1, 1)(with_batch_normalization_inside(pixels))
    hidden = keras.layers.GlobalMaxPooling2D()(outer)
    return keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid")(hidden))


def with_batch_normalization_inside(pixels: keras.KerasTensor) -> keras.KerasTensor:
    inside = keras.Input((SIZE, SIZE, 1))
    hidden = keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 3)(inside))
    return keras.Model(inside, hidden, name="inside")(pixels)


def trained(network: keras.Model) -> keras.Model:
    """A few steps, so that moving averages and the optimizer's momentum are no longer zero."""
    network.compile(optimizer="adam", loss="binary_crossentropy")
    pixels = np.random.default_rng(0).random((32, SIZE, SIZE, 1), np.float32)
    network.fit(pixels, np.arange(32) % 2, epochs=3, verbose=0)
    return network


def read_saved_model(model: Path) -> SavedModel:
    return SavedModel.FromString((model / "saved_model.pb").read_bytes())


class TrackedClassifier(Classifier):
    """As models were released before anybody served one."""

    def __init__(self, network: keras.Model, transform: Transform, operating_point: float) -> None:
        tf.Module.__init__(self, name="casegate")
        self._network = network
        self._heatmap = GradCam(network).heatmap
        self._prepare = transform.transform_features_layer()
        self.operating_point = tf.Variable(operating_point, trainable=False, dtype=tf.float32)

    def for_exports(self) -> dict[str, Callable[..., Any]]:
        return {}


@pytest.mark.parametrize("build", [shipped, with_batch_normalization, nested])
def test_what_is_served_is_what_the_network_says(
    build: Callable[[], keras.Model], tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    network = trained(build())
    export(Classifier(network, Transform(), 0.5), str(tmp_path / "model"), {"a": 1})
    wanted = network.predict(np.stack([decoded(image, SIZE) for image in IMAGES]), verbose=0)[:, 0]
    ((_, answer),) = ask(tmp_path / "model", [ServedRequest("serving_default", IMAGES)])
    np.testing.assert_allclose(answer.probability, wanted, atol=1e-6)
    assert answer.label.tolist() == (wanted >= 0.5).astype(int).tolist()
    assert probe(tmp_path / "model").fault is None  # by serve_examples too


@pytest.mark.parametrize("build", [shipped, with_batch_normalization, nested])
def test_what_exporters_get_is_the_logit_of_the_pixels(
    build: Callable[[], keras.Model], tmp_path: Path
) -> None:
    network = trained(build())
    export(Classifier(network, Transform(), 0.5), str(tmp_path / "model"), {"a": 1})
    pixels = np.stack([decoded(image, SIZE) for image in IMAGES])
    saved = tf.saved_model.load(str(tmp_path / "model")).signatures
    logit = saved["score_pixels"](pixels=tf.constant(pixels))["logit"].numpy()
    assert logit.shape == (len(IMAGES), 1)
    wanted = network.predict(pixels, verbose=0)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), wanted, atol=1e-6)
    explained = saved["explain_pixels"](pixels=tf.constant(pixels))
    np.testing.assert_allclose(explained["logit"], logit, atol=1e-6)
    np.testing.assert_allclose(
        explained["heatmap"], GradCam(network).heatmap(tf.constant(pixels)), atol=1e-5
    )


def test_nothing_of_kerases_is_saved_or_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten: list[str] = []
    rewrite = autograph._convert_actual

    def convert(function: Callable[..., Any], *context: object) -> Any:
        rewritten.append(function.__module__)
        return rewrite(function, *context)

    monkeypatch.setattr(autograph, "_convert_actual", convert)
    export(Classifier(shipped(), Transform(), 0.5), str(tmp_path / "model"), {})
    assert not [module for module in rewritten if "keras" in module]
    (graph,) = read_saved_model(tmp_path / "model").meta_graphs
    nodes = graph.object_graph_def.nodes
    assert {node.WhichOneof("kind") for node in nodes} >= {"user_object", "variable", "function"}
    kinds = {node.user_object.identifier for node in nodes}
    assert not any("keras" in kind for kind in kinds), kinds


class Looked(Prepared):
    """With a table, which a vocabulary would need."""

    def __init__(self) -> None:
        super().__init__()
        keys, values = tf.constant([0, 1], tf.int64), tf.constant([0.0, 1.0])
        pairs = tf.lookup.KeyValueTensorInitializer(keys, values)
        self.table = tf.lookup.StaticHashTable(pairs, 0.5)

    def call(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        pixels = super().call(features)[PIXELS]
        return {PIXELS: pixels + self.table.lookup(tf.constant(1, tf.int64))}


class LookingTransform:
    def transform_features_layer(self) -> Looked:
        return Looked()


def test_state_of_the_preprocessing_is_never_left_behind(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="untracked"):
        export(Classifier(shipped(), LookingTransform(), 0.5), str(tmp_path / "model"), {})


def test_a_probability_at_the_operating_point_is_called_positive() -> None:
    network, images = trained(shipped()), tf.constant(IMAGES)
    before = Classifier(network, Transform(), 0.5)
    assert not before.operating_point.trainable
    said = before.serving_default(images)["probability"].numpy()
    at_the_highest = Classifier(network, Transform(), float(said.max()))
    answer = at_the_highest.serving_default(images)
    assert answer["label"].numpy().tolist() == (said == said.max()).astype(int).tolist()


def test_the_release_record_is_beside_the_model_in_one_spelling(tmp_path: Path) -> None:
    export(Classifier(shipped(), Transform(), 0.5), str(tmp_path / "model"), {"b": 1, "a": "ö"})
    record = tmp_path / "model" / "assets.extra" / "release.json"
    assert record.read_bytes() == b'{\n  "a": "\\u00f6",\n  "b": 1\n}\n'
    export(Classifier(shipped(), Transform(), 0.5), str(tmp_path / "model"), {})
    assert record.read_bytes() == b"{}\n"


def test_the_warm_up_asks_each_signature_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("once", "again"):
        export(Classifier(shipped(), Transform(), 0.5), str(tmp_path / name), {})
    once, again = ((tmp_path / name / WARM_UP).read_bytes() for name in ("once", "again"))
    assert once == again
    logs = [
        PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(tmp_path / "once" / WARM_UP))
    ]
    asked = [log.predict_log.request for log in logs]
    names = ["serving_default", "serve_examples", "explain"]
    assert [request.model_spec.signature_name for request in asked] == names
    assert all(request.model_spec.name == "" for request in asked)
    picture = tf.io.decode_image(tf.make_ndarray(asked[0].inputs["image"])[0])
    assert picture.shape == (64, 64, 1) and int(tf.reduce_max(picture)) == 252
    refuse_unkept(tmp_path / "once")


def test_an_export_that_keeps_no_contract_is_refused_before_it_is_judged(tmp_path: Path) -> None:
    class Worded(Classifier):
        def _called(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            said = super()._called(pixels)
            return {**said, "label": tf.as_string(said["label"])}

    with refused(Unservable, tmp_path / "model", "serving_default output label has type 7"):
        export(Worded(shipped(), Transform(), 0.5), str(tmp_path / "model"), {})


def test_nothing_of_the_optimizer_is_released(tmp_path: Path) -> None:
    network = trained(shipped())
    export(Classifier(network, Transform(), 0.5), str(tmp_path / "model"), {})
    variables = tf.train.list_variables(str(tmp_path / "model" / "variables" / "variables"))
    saved = {name.split("/.")[0]: shape for name, shape in variables}
    weights = {name for name in saved if name.startswith("weights/")}
    assert [saved[f"weights/{i}"] for i in range(len(weights))] == [
        list(variable.shape) for variable in network.variables
    ]
    assert saved.keys() - weights == {"operating_point", "_CHECKPOINTABLE_OBJECT_GRAPH"}


@pytest.mark.parametrize("build", [shipped, with_batch_normalization, nested])
def test_a_network_that_is_tracked_is_found_out(
    build: Callable[[], keras.Model], tmp_path: Path
) -> None:
    export(TrackedClassifier(trained(build()), Transform(), 0.5), str(tmp_path / "model"), {})
    fault = probe(tmp_path / "model").fault
    assert fault is not None and "restore" in fault
