"""A SavedModel is held to the serving contract by asking it, and its warm-up is replayed."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from components.records.errors import Unservable
from components.scoring.contract import check_contract, refuse_unkept
from components.scoring.served import probing
from components.scoring.serving_terms import WARM_UP
from tests.components.scoring import making
from tests.components.scoring.making import Explained, OnlyPython, Sized, save
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

Change = Callable[[Path], object]


def warm(folder: Path, *logs: bytes) -> Path:
    """A warm-up of these records, or of one for each signature of `Explained`."""
    (folder / WARM_UP).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / WARM_UP)) as writer:
        for log in logs or tuple(log_of(r.signature, *r.inputs) for r in probing()):
            writer.write(log)
    return folder


def log_of(signature: str, *inputs: bytes, key: str | None = None) -> bytes:
    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    key = key or ("examples" if signature == "serve_examples" else "image")
    request.inputs[key].CopyFrom(tf.make_tensor_proto(list(inputs), tf.string))
    return log.SerializeToString()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that keeps the contract, with its warm-up."""
    return warm(save(Explained(), tmp_path_factory.mktemp("kept") / "model"))


@pytest.fixture
def model(kept: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    return shutil.copytree(kept, tmp_path / "model")


def test_a_model_that_keeps_it_is_described_and_may_be_pushed(kept: Path) -> None:
    found = check_contract(kept)
    assert list(found.signatures) == ["serving_default", "serve_examples", "explain"]
    assert found.warm_up_requests == 3 and "TF_LoadSessionFromSavedModel" in found.loader
    refuse_unkept(kept)


def test_an_older_release_keeps_it_without_warm_up_and_is_not_pushed_again(
    tmp_path: Path,
) -> None:
    folder = save(Sized(), tmp_path / "model")
    assert check_contract(folder).warm_up_requests == 0
    with refused(Unservable, folder, WARM_UP):
        refuse_unkept(folder)


def test_more_signatures_and_outputs_than_the_contracts_are_allowed(tmp_path: Path) -> None:
    class More(Sized):
        def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
            said = super().judged(images)
            return {**said, "logit": said["probability"] - 0.5}

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def double(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": 2 * x}

    folder = save(More(), tmp_path / "model", "serving_default", "serve_examples", "double")
    assert list(check_contract(folder).signatures) == ["serving_default", "serve_examples"]


def graph(change: Callable[[Any], object]) -> Change:
    """An edit of the MetaGraphDef in a saved_model.pb."""

    def rewrite(folder: Path) -> None:
        path = folder / "saved_model.pb"
        saved = SavedModel.FromString(path.read_bytes())
        change(saved.meta_graphs[0])
        path.write_bytes(saved.SerializeToString())

    return rewrite


def of(signature: str, change: Callable[[Any], object]) -> Change:
    return graph(lambda meta: change(meta.signature_def[signature]))


def renamed(tensors: Any, old: str, new: str) -> None:
    tensors[new].CopyFrom(tensors.pop(old))


def cut(name: str, to: int) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:to])


def odd(**outputs: Callable[[tf.Tensor], tf.Tensor]) -> Change:
    """Another model in the folder, whose outputs are made of the probability."""

    class Odd(Explained):
        def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
            said = super().judged(images)
            return {**said, **{name: make(said["probability"]) for name, make in outputs.items()}}

    def make(folder: Path) -> None:
        shutil.rmtree(folder)
        save(Odd(), folder)

    return make


class NoMap(Explained):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.judged(image)


class Bright(Explained):
    """Maps from 0 to 255."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        said = super().explain(image)
        return {**said, "heatmap": 255 * said["heatmap"]}


class Refusing(Sized):
    """Reads no picture at all."""

    def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_equal(tf.size(images), 0)]):
            return super().judged(tf.identity(images))


def instead(other: Sized) -> Change:
    def make(folder: Path) -> None:
        shutil.rmtree(folder)
        save(other, folder)

    return make


IMAGE = "serving_default"
# What was done to a model that keeps the contract, and a word of what has to be said.
BROKEN: dict[str, tuple[Change, str]] = {
    "no folder's content": (lambda f: (shutil.rmtree(f), f.mkdir()), "saved_model.pb"),
    "saved_model.pb a folder": (
        lambda f: ((f / "saved_model.pb").unlink(), (f / "saved_model.pb").mkdir()),
        "saved_model.pb",
    ),
    "saved_model.pb empty": (cut("saved_model.pb", 0), "0 graphs"),
    "saved_model.pb cut": (cut("saved_model.pb", 1000), "saved_model.pb"),
    "another tag": (graph(lambda m: m.meta_info_def.tags.__setitem__(0, "train")), "0 graphs"),
    "no variables": (lambda f: shutil.rmtree(f / "variables"), "variables.index"),
    "index cut": (cut("variables/variables.index", 10), "too short"),
    "input renamed": (of(IMAGE, lambda s: renamed(s.inputs, "image", "images")), "'images'"),
    "one more input": (of(IMAGE, lambda s: s.inputs["size"]), "'image', 'size'"),
    "input of floats": (of(IMAGE, lambda s: setattr(s.inputs["image"], "dtype", 1)), "type 1"),
    "one image at a time": (
        of(IMAGE, lambda s: setattr(s.inputs["image"].tensor_shape.dim[0], "size", 1)),
        "shape [1]",
    ),
    "images in two dimensions": (
        of(IMAGE, lambda s: s.inputs["image"].tensor_shape.dim.add(size=-1)),
        "shape [-1, -1]",
    ),
    "output renamed": (
        of("serve_examples", lambda s: renamed(s.outputs, "label", "class")),
        "wanted 'label' too",
    ),
    "no serving_default": (graph(lambda m: m.signature_def.pop(IMAGE)), IMAGE),
    "an output from nowhere": (
        of("explain", lambda s: setattr(s.outputs["label"], "name", "nowhere:0")),
        "nowhere",
    ),
    "an output that is another": (
        of("explain", lambda s: setattr(s.outputs["label"], "name", s.outputs["heatmap"].name)),
        "explain label came as type 1",
    ),
    "probability in float64": (odd(probability=lambda p: tf.cast(p, tf.float64)), "type 2"),
    "label in words": (odd(label=lambda p: tf.as_string(p)), "label has type 7"),
    "NaN": (odd(probability=lambda p: p * float("nan")), "probability is nan"),
    "percent": (odd(probability=lambda p: 100 * p), "wanted 0 to 1"),
    "label 2": (odd(label=lambda p: tf.cast(p * 0 + 2, tf.int64)), "label is 2"),
    "two values an image": (
        odd(probability=lambda p: tf.ensure_shape(tf.repeat(p, 2), [None])),
        "shape [2]; wanted type 1, shape [1]",
    ),
    "explain without a map": (instead(NoMap()), "wanted 'heatmap' too"),
    "maps to 255": (instead(Bright()), "heatmap is 255"),
    "no picture can be read": (instead(Refusing()), "serving_default"),
    "Python inside": (instead(OnlyPython()), "EagerPyFunc"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_breaks_the_contract_is_said_in_one_line(kind: str, model: Path) -> None:
    change, words = BROKEN[kind]
    change(model)
    with refused(Unservable, model, words) as caught:
        check_contract(model)
    assert "\n" not in str(caught.value)
    with refused(Unservable, model):
        refuse_unkept(model)


PNG = probing()[0].inputs[0]
EXAMPLE = probing()[1].inputs[0]
WHOLE = (log_of(IMAGE, PNG), log_of("serve_examples", EXAMPLE), log_of("explain", PNG))


def turned(folder: Path, byte: int) -> None:
    content = bytearray((folder / WARM_UP).read_bytes())
    content[byte] ^= 1
    (folder / WARM_UP).write_bytes(content)


WARM_UPS: dict[str, tuple[Change, str]] = {
    "empty": (cut(str(WARM_UP), 0), "no request for 'explain', 'serve_examples', 'serving_def"),
    "cut in a length": (cut(str(WARM_UP), 5), "cut short in the record at byte 0"),
    "cut in a record": (cut(str(WARM_UP), 50), "cut short in the record at byte 0"),
    "cut in the last checksum": (cut(str(WARM_UP), -1), "cut short"),
    "a bit of a length": (lambda f: turned(f, 8), "not as it was written"),
    "a bit of a record": (lambda f: turned(f, 40), "not as it was written"),
    "a bit of a checksum": (lambda f: turned(f, -1), "not as it was written"),
    "not records": (lambda f: (f / WARM_UP).write_text("request"), "cut short"),
    "a folder": (lambda f: ((f / WARM_UP).unlink(), (f / WARM_UP).mkdir()), "cannot be read"),
    "other messages": (lambda f: warm(f, b"\xff\xff"), "record 0 is no PredictionLog"),
    "no explain": (lambda f: warm(f, *WHOLE[:2]), "no request for 'explain'"),
    "a signature of others": (lambda f: warm(f, *WHOLE, log_of("other", PNG)), "'other'"),
    "by another name": (lambda f: warm(f, log_of(IMAGE, PNG, key="x"), *WHOLE), "'image'"),
    "no image": (lambda f: warm(f, log_of(IMAGE), *WHOLE), "no image by 'image'"),
    "what no model can read": (
        lambda f: warm(f, WHOLE[0], log_of("serve_examples", b"no Example"), WHOLE[2]),
        "record 1: ",
    ),
    "an answer out of range": (
        lambda f: warm(f, log_of(IMAGE, b"." * 2000), *WHOLE),
        "record 0: serving_default probability is 2.0",
    ),
}


@pytest.mark.parametrize("kind", WARM_UPS)
def test_a_warm_up_that_would_fail_where_it_is_served_blocks(kind: str, model: Path) -> None:
    change, words = WARM_UPS[kind]
    change(model)
    with refused(Unservable, model, words) as caught:
        refuse_unkept(model)
    assert "\n" not in str(caught.value)


def test_tensorflows_own_reader_finds_the_same_records(kept: Path) -> None:
    content = (kept / WARM_UP).read_bytes()
    sizes = [len(r.numpy()) for r in tf.data.TFRecordDataset(str(kept / WARM_UP))]
    assert sizes == [len(log) for log in WHOLE]
    assert struct.unpack("<Q", content[:8])[0] == sizes[0]


@pytest.mark.parametrize("kind", making.UNSERVABLE)
def test_what_cannot_be_served_keeps_no_contract(kind: str, tmp_path: Path) -> None:
    make, words = making.UNSERVABLE[kind]
    with refused(Unservable, words):
        check_contract(make(tmp_path / "model"))
