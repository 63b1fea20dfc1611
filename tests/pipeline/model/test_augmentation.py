import numpy as np
import pytest
import tensorflow as tf

from pipeline.model.augmentation import augmented

pytestmark = pytest.mark.tensorflow

BATCH = np.random.default_rng(3).random((8, 32, 32, 1)).astype(np.float32)


def shaken(pixels: np.ndarray, *seed: int) -> np.ndarray:
    return np.asarray(augmented(tf.constant(pixels), tf.constant(seed, tf.int64)))


def test_the_same_seed_gives_the_same_batch_and_another_seed_another_one() -> None:
    np.testing.assert_array_equal(shaken(BATCH, 1, 2), shaken(BATCH, 1, 2))
    assert np.abs(shaken(BATCH, 1, 2) - shaken(BATCH, 1, 3)).max() > 0.05


def test_images_of_a_batch_are_shaken_each_for_itself() -> None:
    same = np.repeat(BATCH[:1], 4, axis=0)
    first, *others = shaken(same, 1, 2)
    assert all(np.abs(first - other).max() > 0.01 for other in others)


def test_shape_and_range_are_kept() -> None:
    for seed in range(5):
        found = shaken(BATCH, seed, 0)
        assert found.shape == BATCH.shape and found.dtype == np.float32
        assert found.min() >= 0.0 and found.max() <= 1.0


def test_nothing_is_mirrored_turned_over_or_moved_far() -> None:
    marked = np.full((1, 32, 32, 1), 0.2, np.float32)
    marked[0, 3:13, 3:13] = 0.8  # upper left
    for seed in range(40):
        rows, columns = np.nonzero(shaken(marked, seed, 1)[0, :, :, 0] > 0.5)
        assert abs(rows.mean() - 7.5) < 4 and abs(columns.mean() - 7.5) < 4


def test_augmentation_changes_an_image_only_a_little() -> None:
    ramp = np.tile(np.linspace(0.2, 0.8, 32, dtype=np.float32)[:, None], (4, 1, 32))[..., None]
    ramp = ramp.reshape(4, 32, 32, 1)
    assert 0.001 < np.abs(shaken(ramp, 1, 2) - ramp).mean() < 0.2
