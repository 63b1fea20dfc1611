"""Thousands of mutated requests over both protocols leave the server serving.

The pretended model makes the hundreds of `make test` quick; the ten thousand go to a real one, for
it is TensorFlow that aborts.
"""

import json
import random
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.components.cases.making import encoded
from tests.components.cases.making import picture as samples
from tests.pipeline.serving.making import Ward
from tests.pipeline.serving.server import Server, instances, journal, picture, prediction, serving
from tests.pipeline.serving.test_server import made, model  # noqa: F401 - a fixture

KNOWN_CODES = {200, 400, 404, 429, 500, 503, 504}
VALUES = [None, True, -1, 2**70, 0.5, "", "AAAA", "a" * 9999, [], {}, [[]], {"b64": ""}, [{}] * 99]


def mutated_bytes(random_: random.Random, content: bytes) -> bytes:
    """Some bytes changed, cut out, doubled or put in."""
    found = bytearray(content)
    for _ in range(random_.randint(1, 6)):
        at = random_.randrange(len(found) + 1)
        kind = random_.randrange(5)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << random_.randrange(8)
        elif kind == 1:
            del found[at : at + random_.randint(1, 40)]
        elif kind == 2:
            found[at:at] = found[at : at + random_.randint(1, 40)]
        elif kind == 3:
            found[at:at] = random_.randbytes(random_.randint(1, 8))
        elif at + 4 <= len(found):
            found[at : at + 4] = random_.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\0\0\0"])
    return bytes(found)


def mutated_tree(random_: random.Random, tree: Any) -> Any:
    """A document with some values and keys replaced."""
    if random_.random() < 0.15:
        return random_.choice(VALUES)
    if isinstance(tree, dict):
        found = {key: mutated_tree(random_, value) for key, value in tree.items()}
        if random_.random() < 0.1:
            names = ["inputs", "instances", "signature_name", "b64", "image", "\ud800"]
            found[random_.choice(names)] = random_.choice(VALUES)
        return found
    if isinstance(tree, list):
        return [mutated_tree(random_, value) for value in tree] * random_.choice([1, 1, 1, 3])
    return tree


def send_rest(random_: random.Random, server: Server, images: list[bytes]) -> int:
    chosen = [random_.choice(images) for _ in range(random_.randint(1, 3))]
    if random_.random() < 0.5:
        chosen[0] = mutated_bytes(random_, chosen[0])
    document: Any = instances(*chosen)
    if random_.random() < 0.3:
        document["signature_name"] = random_.choice(["explain", "serve_examples", "other"])
    if random_.random() < 0.4:
        document = mutated_tree(random_, document)
    body = json.dumps(document).encode()
    if random_.random() < 0.2:
        body = mutated_bytes(random_, body)
    path = random_.choice([":predict"] * 9 + ["/versions/7:predict", "/labels/stable:predict", ""])
    return server.ask(body, path)[0]


def send_rpc(random_: random.Random, server: Server, images: list[bytes]) -> grpc.StatusCode:
    chosen = [random_.choice(images) for _ in range(random_.randint(1, 3))]
    if random_.random() < 0.5:
        chosen[0] = mutated_bytes(random_, chosen[0])
    signature = random_.choice(["", "", "explain", "serve_examples"])
    request = prediction(*chosen, signature=signature)
    tensor = request.inputs["image"]
    kind = random_.randrange(6)
    if kind == 0:
        tensor.tensor_shape.dim.add().size = random_.choice([-1, 0, 1, 2, 2**62])
    elif kind == 1:
        tensor.dtype = random_.randrange(30)
    elif kind == 2:
        tensor.tensor_content = random_.randbytes(20)
        del tensor.string_val[:]
    elif kind == 3:
        tensor.tensor_shape.unknown_rank = True
    content = request.SerializeToString()
    if random_.random() < 0.4:
        content = mutated_bytes(random_, content)
    call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    try:
        call(content, timeout=30)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def fuzz(server: Server, images: list[bytes], count: int) -> None:
    """Half of the requests by each protocol, and what is sound is answered in between."""
    random_, codes, statuses = random.Random(20), set(), set()
    for number in range(count // 2):
        codes.add(send_rest(random_, server, images))
        statuses.add(send_rpc(random_, server, images).name)
        if number % 50 == 0:
            assert server.ask(instances(images[0]))[0] == 200, number
    assert codes <= KNOWN_CODES and {200, 400} <= codes
    known = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL", "RESOURCE_EXHAUSTED"}
    assert statuses <= known and {"OK", "INVALID_ARGUMENT"} <= statuses
    assert server.process.poll() is None


@pytest.mark.process
def test_hundreds_of_mutated_requests_leave_it_serving(model: Path, tmp_path: Path) -> None:  # noqa: F811
    ward = made(tmp_path, model)
    with serving(ward.root) as server:
        fuzz(server, [picture(300), picture(100)], 600)
        assert server.metrics()["restarts"] == 0
    assert {line["event"] for line in journal(ward.root)} == {"version taken up"}


@pytest.mark.slow
@pytest.mark.tensorflow
def test_ten_thousand_mutated_requests_leave_a_real_model_serving(tmp_path: Path) -> None:
    import tensorflow as tf

    from pipeline.model.preprocessing import decoded
    from tests.components.scoring.making import Explained, save

    class Decoding(Explained):
        """Decodes as what is released does; the probability is the mean grey."""

        def judged(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
            kind = tf.TensorSpec([64, 64, 1], tf.float32)
            pixels = tf.map_fn(lambda image: decoded(image, 64), images, fn_output_signature=kind)
            probability = tf.reduce_mean(pixels, axis=[1, 2, 3])
            label = tf.cast(probability >= self.operating_point, tf.int64)
            return {"probability": probability, "label": label}

    ward = Ward(tmp_path)
    ward.release(7, save(Decoding(), tmp_path / "model"))
    images = [encoded(samples(3, (64, 64))), encoded(samples(4, (80, 60)), "JPEG")]
    with serving(ward.root, pretended=False) as server:
        fuzz(server, images, 10_000)
