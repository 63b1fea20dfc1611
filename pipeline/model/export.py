"""The released form: one SavedModel that takes encoded images or serialized Examples."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from components.records.errors import Unservable
from components.records.run_files import RELEASE_RECORD
from components.scoring.served import probing
from components.scoring.serving_session import read_meta_graph
from components.scoring.serving_terms import (
    WARM_UP,
    Fault,
    SignatureTerms,
    kept_terms,
    refuse_foreign,
)
from pipeline.model.explanation import GradCam
from pipeline.model.features import (
    HEATMAP,
    IMAGE,
    LABEL,
    LOGIT,
    PIXELS,
    PROBABILITY,
    SERVING_SPEC,
)


def _traced(given: tf.TensorSpec) -> Callable[..., Any]:
    # AutoGraph would rewrite Keras' own code, for seconds; nothing here is Python's control flow.
    return tf.function(input_signature=[given], autograph=False)


class Classifier(tf.Module):
    """Transform's graph, the network and the operating point, as one servable object.

    Args:
      explained: the name of the layer that says where a score came from, as in `GradCam`.

    Raises:
      ConfigError: the network cannot be explained.
    """

    def __init__(
        self,
        network: keras.Model,
        transform: tft.TFTransformOutput,
        operating_point: float,
        explained: str | None = None,
    ) -> None:
        super().__init__(name="casegate")
        # A Keras 3 network that is tracked is saved with every variable twice: one that is
        # restored, and one that the signatures read and that only Python's loader fills (TensorFlow
        # issue 72963). So its plain variables are tracked, which leaves out the optimizer's, and
        # the network is kept in a function, which is not.
        self.weights = [variable.value for variable in network.variables]
        self._network: Callable[[tf.Tensor], Any] = lambda pixels: network(pixels, training=False)
        explanation = GradCam(network, explained)
        explanation.refuse_blank()
        self._heatmap: Callable[[tf.Tensor], tf.Tensor] = explanation.heatmap
        self._logit: Callable[[tf.Tensor], tf.Tensor] = explanation.logit
        self._takes = tf.TensorSpec([None, *network.input_shape[1:]], tf.float32, name=PIXELS)
        # So is the layer, which would be saved as a Keras model, too. Its graph has no state: what
        # nothing tracks TensorFlow refuses to save.
        prepare = transform.transform_features_layer()
        self._prepare: Callable[[dict[str, tf.Tensor]], Any] = lambda features: prepare(features)
        self.operating_point = tf.Variable(operating_point, trainable=False, dtype=tf.float32)

    @_traced(tf.TensorSpec([None], tf.string, name="image"))
    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encoded PNG or JPEG bytes, shape (n,) -> probability and label, each (n,)."""
        return self._judged({IMAGE: image})

    @_traced(tf.TensorSpec([None], tf.string, name="examples"))
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serialized tf.train.Example, shape (n,) -> probability and label, each (n,)."""
        return self._judged(tf.io.parse_example(examples, SERVING_SPEC))

    @_traced(tf.TensorSpec([None], tf.string, name="image"))
    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `serving_default`, with heatmap, (n, h, w): where the score came from."""
        pixels = self._prepare({IMAGE: image})[PIXELS]
        return {**self._called(pixels), HEATMAP: self._heatmap(pixels)}

    def for_exports(self) -> dict[str, Callable[..., Any]]:
        """The signatures that exporters convert: of prepared pixels, (n, size, size, 1) in [0, 1].

        They give the logit, (n, 1), because whole numbers of 8 bits blur a sigmoid; and the one
        also the heat map.
        """
        logit, heatmap = self._logit, self._heatmap

        @_traced(self._takes)
        def score_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            return {LOGIT: logit(pixels)}

        @_traced(self._takes)
        def explain_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            return {LOGIT: logit(pixels), HEATMAP: heatmap(pixels)}

        return {"score_pixels": score_pixels, "explain_pixels": explain_pixels}

    def _judged(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return self._called(self._prepare(features)[PIXELS])

    def _called(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        probability = tf.squeeze(self._network(pixels), axis=-1)
        label = tf.cast(probability >= self.operating_point, tf.int64)
        return {PROBABILITY: probability, LABEL: label}


def export(classifier: Classifier, directory: str, record: Mapping[str, Any]) -> None:
    """Writes the SavedModel, with all that a released one has in `assets.extra/`.

    Raises:
      Unservable: its signatures do not keep the serving contract.
    """
    tf.saved_model.save(
        classifier,
        directory,
        signatures={
            "serving_default": classifier.serving_default,
            "serve_examples": classifier.serve_examples,
            "explain": classifier.explain,
            **classifier.for_exports(),
        },
    )
    complete(directory, record)


def complete(directory: str, record: Mapping[str, Any]) -> None:
    """Puts the warm-up requests and the release record into a SavedModel that keeps the contract.

    Requests that were there are replaced: nobody knows whose pictures they hold.

    Raises:
      Unservable: its signatures do not keep the serving contract.
    """
    try:
        meta = read_meta_graph(Path(directory))
        refuse_foreign(meta)
    except Fault as error:
        raise Unservable(f"{directory}: {error}; schemas/serving_contract.json says it") from None
    path = Path(directory) / RELEASE_RECORD
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _write_warm_up(Path(directory) / WARM_UP, kept_terms(meta))


def _write_warm_up(path: Path, terms: Mapping[str, SignatureTerms]) -> None:
    """One request for each signature. No model's name: the same bytes are served under any."""
    asked = {request.signature: request.inputs for request in probing()}
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, one in terms.items():
            log = PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = name
            request.inputs[one.key].CopyFrom(tf.make_tensor_proto(asked[name]))
            writer.write(log.SerializeToString(deterministic=True))
