"""However a radiograph is encoded, the network sees the same numbers."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from PIL import Image

from components.cases.images import canonical_png
from pipeline.model.features import IMAGE, LABEL, PIXELS
from pipeline.model.preprocessing import decoded, preprocessing_fn
from tests.components.cases import habits
from tests.components.cases.making import encoded

pytestmark = pytest.mark.tensorflow

# Smooth, so that JPEG costs little; 40 rows, 30 columns, from black to white.
SCAN = np.linspace(0, 255, 40 * 30).reshape(40, 30).round().astype(np.uint8)
COLOUR = np.repeat(SCAN[:, :, None], 3, axis=2)


def pixels(image: bytes, size: int = 16) -> npt.NDArray[np.float32]:
    return np.asarray(decoded(tf.constant(image), size))


def paletted(samples: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(samples).convert("P").save(stream, format="PNG")
    return stream.getvalue()


ENCODINGS = {
    "16 bit PNG": (encoded(SCAN.astype(np.uint16) * 257), 1e-3),
    "RGB PNG": (encoded(COLOUR), 1e-3),
    "palette PNG": (paletted(SCAN), 1e-3),
    "grey JPEG": (encoded(SCAN, "JPEG", quality=95), 0.02),
    "RGB JPEG": (encoded(COLOUR, "JPEG", quality=95), 0.02),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_lands_on_the_same_values(name: str) -> None:
    image, tolerance = ENCODINGS[name]
    np.testing.assert_allclose(pixels(image), pixels(encoded(SCAN)), atol=tolerance)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
@pytest.mark.parametrize("top", [255, 65535])
def test_a_grey_value_is_its_share_of_the_full_scale(share: float, top: int) -> None:
    kind = np.uint8 if top == 255 else np.uint16
    image = encoded(np.full((20, 20), round(share * top), kind))
    np.testing.assert_allclose(pixels(image), share, atol=1e-3)


@pytest.mark.parametrize("size", [16, 64])
def test_values_stay_in_range_at_every_size(size: int) -> None:
    noise = np.random.default_rng(0).integers(0, 2, (50, 50)).astype(np.uint8) * 255
    found = pixels(encoded(noise), size)
    assert found.shape == (size, size, 1) and found.dtype == np.float32
    assert found.min() >= 0.0 and found.max() <= 1.0


def test_the_image_keeps_its_sides() -> None:
    left_bright = np.zeros((40, 30), np.uint8)
    left_bright[:10, :15] = 255
    found = pixels(encoded(left_bright))[:, :, 0]
    assert found[2, 2] > 0.99 and found[2, 13] < 0.01 and found[13, 2] < 0.01


def test_a_batch_may_mix_sizes_and_encodings() -> None:
    images = [encoded(SCAN), encoded(SCAN[:20]), ENCODINGS["grey JPEG"][0]]
    inputs = {IMAGE: tf.constant(images), LABEL: tf.constant([1, 0, 1], tf.int64)}
    outputs = preprocessing_fn(inputs, {"image_size": 16})
    assert set(outputs) == {PIXELS, LABEL}
    assert outputs[PIXELS].shape == (3, 16, 16, 1) and outputs[PIXELS].dtype == tf.float32
    assert outputs[LABEL].numpy().tolist() == [1, 0, 1]


def test_at_its_own_size_an_image_is_what_resizing_would_make_of_it() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16)).astype(np.uint8)
    image = tf.image.rgb_to_grayscale(
        tf.io.decode_image(encoded(noise), channels=3, dtype=tf.float32, expand_animations=False)
    )
    resized = tf.image.resize(image, [16, 16], antialias=True)
    np.testing.assert_array_equal(pixels(encoded(noise)), np.clip(resized, 0, 1))


@pytest.mark.parametrize("quality", [40, 95])
def test_a_jpeg_is_to_a_server_what_intake_made_of_it(quality: int) -> None:
    noise = np.random.default_rng(3).integers(0, 60, (64, 64)).astype(np.uint8)
    grey = habits.radiograph(0, (64, 64)) // 2 + noise
    for samples in (grey, np.dstack([grey, grey // 2, 255 - grey])):
        image = encoded(samples, "JPEG", quality=quality)
        np.testing.assert_allclose(pixels(image, 64), pixels(canonical_png(image), 64), atol=1e-6)
