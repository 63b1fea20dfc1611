"""Pixels without TensorFlow are those of the model's own graph, of every kind of picture."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.exports.pixels import prepared, prepared_batch
from components.records.errors import SourceError
from pipeline.model.preprocessing import decoded
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

# TensorFlow finds places in the picture in 32 bits: of noise, which nothing blurs, it is this far
# off. A step of 16 bits is 1.5e-5.
TOLERANCE = 2e-5


def encoded(samples: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(samples).save(stream, kind, **options)
    return stream.getvalue()


def noise(shape: tuple[int, ...], kind: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(7).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


KINDS: dict[str, Callable[[int, int], bytes]] = {
    "grey of 8 bits": lambda h, w: encoded(noise((h, w))),
    "grey of 16 bits": lambda h, w: encoded(noise((h, w), np.uint16)),
    "RGB": lambda h, w: encoded(noise((h, w, 3))),
    "JPEG, grey": lambda h, w: encoded(noise((h, w)), "JPEG", quality=90),
    "JPEG, RGB": lambda h, w: encoded(noise((h, w, 3)), "JPEG", quality=90),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(28, 28), (101, 37), (20, 300), (500, 600), (3, 3)])
@pytest.mark.parametrize("size", [28, 224])
def test_pixels_are_those_of_the_graph(kind: str, shape: tuple[int, int], size: int) -> None:
    picture = KINDS[kind](*shape)
    found, wanted = prepared(picture, size), decoded(tf.constant(picture), size).numpy()
    assert found.dtype == np.float32 and found.shape == (size, size, 1)
    assert found.min() >= 0 and found.max() <= 1
    np.testing.assert_allclose(found, wanted, atol=TOLERANCE)


def test_a_batch_is_its_pictures() -> None:
    pictures = [kind(40, 50) for kind in KINDS.values()]
    batch = prepared_batch(iter(pictures), 28)
    np.testing.assert_array_equal(batch, [prepared(picture, 28) for picture in pictures])
    assert prepared_batch([], 28).shape == (0, 28, 28, 1)


def test_what_is_no_picture_is_refused() -> None:
    with refused(SourceError, "PNG", "JPEG"):
        prepared(b"GIF89a", 28)
