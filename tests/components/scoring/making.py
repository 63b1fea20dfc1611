"""SavedModels that TensorFlow Serving can run, and what keeps it from others, each by its name."""

import shutil
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

POINT = 0.25


class Sized(tf.Module):
    """The probability is the size of the image in bytes, over a thousand."""

    def __init__(self) -> None:
        super().__init__()
        self.operating_point = tf.Variable(POINT)
        self.scale = tf.Variable(0.001)

    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        probability = tf.cast(tf.strings.length(images), tf.float32) * self.scale
        label = tf.cast(probability >= self.operating_point, tf.int64)
        return {"probability": probability, "label": label}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.judged(image)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"image": tf.io.FixedLenFeature([], tf.string)}
        return self.judged(tf.io.parse_example(examples, spec)["image"])


class OtherType(Sized):
    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        said = super().judged(images)
        return {**said, "label": tf.cast(said["label"], tf.int32)}


class Column(Sized):
    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: value[:, None] for name, value in super().judged(images).items()}


class Unlabelled(Sized):
    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probability": super().judged(images)["probability"]}


class OnlyPython(Sized):
    """Calls back into the process that made it, which is not there where it is served."""

    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        said = super().judged(images)
        probability = tf.py_function(lambda p: p, [said["probability"]], tf.float32)
        return {**said, "probability": tf.ensure_shape(probability, [None])}


class Flipped(Sized):
    """Calls negative what is at the operating point or above it."""

    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        said = super().judged(images)
        return {**said, "label": 1 - said["label"]}


class Silent(Sized):
    """Calls nothing positive."""

    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        said = super().judged(images)
        return {**said, "label": tf.zeros_like(said["label"])}


class TwoFaced(Sized):
    """Gives images that come alone another probability than those in Examples."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.judged(tf.strings.join([image, "."]))


class Crowded(Sized):
    """An answer depends on what else is in the batch."""

    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        probability = super().judged(images)["probability"] / tf.cast(tf.size(images), tf.float32)
        return {
            "probability": probability,
            "label": tf.cast(probability >= self.operating_point, tf.int64),
        }


class Picky(Sized):
    """Cannot read what begins with an exclamation mark."""

    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        first = tf.strings.substr(tf.strings.join([images, "."]), 0, 1)
        with tf.control_dependencies([tf.debugging.assert_none_equal(first, "!")]):
            return super().judged(tf.identity(images))


class Explained(Sized):
    """Says why: one hot row of three, the lower the larger the image."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        row = tf.strings.length(image) // 334
        heat = tf.repeat(tf.one_hot(row, 3)[:, :, None], 2, axis=2)
        return {**self.judged(image), "heatmap": tf.ensure_shape(heat, [None, 3, 2])}


class OtherwiseExplained(Explained):
    """Says another probability where it says why."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return super().explain(tf.strings.join([image, "."]))


class FlatMap(Explained):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        said = super().explain(image)
        return {**said, "heatmap": tf.reshape(said["heatmap"], [-1, 6])}


def save(model: Sized, folder: Path, *signatures: str) -> Path:
    names = signatures or ("serving_default", "serve_examples")
    if not signatures and isinstance(model, Explained):
        names = (*names, "explain")
    tf.saved_model.save(model, str(folder), {name: getattr(model, name) for name in names})
    return folder


def _without(*parts: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        save(Sized(), folder)
        for part in parts:
            place = folder / part
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        return folder

    return make


def _torn(folder: Path) -> Path:
    shard = next((save(Sized(), folder) / "variables").glob("*.data-*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    return folder


def _no_saved_model(folder: Path) -> Path:
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"no model")
    return folder


# What is wrong, how such a folder comes about, and a word of what has to be said of it.
UNSERVABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no variables": (_without("variables"), "variables.index is missing"),
    "no index": (_without("variables/variables.index"), "variables.index is missing"),
    "no shard": (_without("variables/variables.data-00000-of-00001"), "data-00000-of-00001"),
    "a torn shard": (_torn, "RestoreV2"),
    "no model": (_no_saved_model, "saved_model.pb"),
    "no serve_examples": (lambda f: save(Sized(), f, "serving_default"), "serve_examples"),
    "no serving_default": (lambda f: save(Sized(), f, "serve_examples"), "serving_default"),
    "a label of another type": (
        lambda f: save(OtherType(), f),
        "label has type 3, wanted 9 (int64)",
    ),
    "answers in columns": (lambda f: save(Column(), f), "[-1, 1]"),
    "a map in one row": (lambda f: save(FlatMap(), f), "explain output heatmap has shape [-1, 6]"),
    "no label": (lambda f: save(Unlabelled(), f), "label"),
    "Python inside": (lambda f: save(OnlyPython(), f), "EagerPyFunc"),
}
