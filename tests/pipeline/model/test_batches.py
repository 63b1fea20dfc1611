from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.autograph.impl import api as autograph

from pipeline.model import batches
from pipeline.model.batches import Records, open_records, training_batches, tuning_batches
from pipeline.model.features import IMAGE, LABEL, PIXELS

pytestmark = pytest.mark.tensorflow

SIZE = 16
COUNT = 50


def prepare(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """What Transform's graph does, for images that are raw samples."""
    samples = tf.cast(tf.io.decode_raw(features[IMAGE], tf.uint8), tf.float32) / 255.0
    return {PIXELS: tf.reshape(samples, [-1, SIZE, SIZE, 1]), LABEL: features[LABEL]}


class Transform:
    """As much of a TFTransformOutput as is asked for."""

    def transform_features_layer(self) -> Any:
        return prepare


def written(folder: Path, *, files: int = 2) -> Records:
    """Images, each of one grey value of its own, 25 in a file; every fifth is positive."""
    folder.mkdir(exist_ok=True)
    for number in range(files):
        path = str(folder / f"cases-{number}.gz")
        with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions("GZIP")) as writer:
            for i in range(number * 25, number * 25 + 25):
                image = tf.train.BytesList(value=[bytes([5 * i]) * SIZE**2])
                label = tf.train.Int64List(value=[int(i % 5 == 0)])
                features = {
                    IMAGE: tf.train.Feature(bytes_list=image),
                    LABEL: tf.train.Feature(int64_list=label),
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
    return open_records([f"{folder}/*"], Transform(), SIZE)  # type: ignore[arg-type]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return written(tmp_path)


def test_records_are_those_of_the_folder_and_not_of_one_that_its_name_fits(tmp_path: Path) -> None:
    for other in ("w1", "w2", "wx"):
        written(tmp_path / other)
    for name in ("w[12]", "w?", "w*"):
        records = written(tmp_path / name, files=1)
        assert (records.count, records.positives) == (25, 5)


def test_the_layer_is_called_as_it_is_and_not_rewritten(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten: list[object] = []
    monkeypatch.setattr(autograph, "_convert_actual", lambda one, *_: rewritten.append(one))
    pixels, labels = records.arrays()
    assert pixels.shape == (COUNT, SIZE, SIZE, 1) and labels.shape == (COUNT,)
    assert rewritten == []


@pytest.fixture(params=["cached", "streamed"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "streamed":
        monkeypatch.setattr(batches, "CACHE_BYTES", 0)
    return str(request.param)


def seen(dataset: tf.data.Dataset) -> list[tuple[int, int]]:
    """Which image (by its grey value) came with which label, in order."""
    return [
        (round(255 * float(image.mean()) / 5), int(label))
        for pixels, labels in dataset.as_numpy_iterator()
        for image, label in zip(pixels, labels)
    ]


EVERY_IMAGE = [(i, int(i % 5 == 0)) for i in range(COUNT)]


def plain(records: Records, *, seed: int = 1) -> tf.data.Dataset:
    return training_batches(records, batch_size=8, seed=seed, augment=False)


def test_records_are_counted(records: Records) -> None:
    assert (records.count, records.positives) == (COUNT, 10)


def test_an_epoch_has_every_image_once_with_its_label(records: Records, either: str) -> None:
    assert records.fits_in_memory() == (either == "cached")
    dataset = plain(records)
    for _ in range(2):
        order = seen(dataset)
        assert sorted(order) == EVERY_IMAGE and order != EVERY_IMAGE


def test_the_same_seed_gives_the_same_order(records: Records, either: str) -> None:
    assert seen(plain(records)) == seen(plain(records))
    assert seen(plain(records)) != seen(plain(records, seed=2))


def test_every_epoch_has_an_order_of_its_own(records: Records, either: str) -> None:
    dataset = plain(records)
    assert seen(dataset) != seen(dataset)


def test_augmented_batches_repeat_with_the_seed_and_differ_by_epoch(
    records: Records, either: str
) -> None:
    def pixels(dataset: tf.data.Dataset) -> np.ndarray:
        return np.concatenate([images for images, _ in dataset.as_numpy_iterator()])

    first = training_batches(records, batch_size=8, seed=1, augment=True)
    again = training_batches(records, batch_size=8, seed=1, augment=True)
    epoch = pixels(first)
    np.testing.assert_array_equal(epoch, pixels(again))
    assert epoch.shape == (COUNT, SIZE, SIZE, 1)
    assert not np.array_equal(
        np.sort(epoch.mean((1, 2, 3))), np.sort(pixels(first).mean((1, 2, 3)))
    )


def test_tuning_batches_keep_the_order(records: Records, either: str) -> None:
    assert seen(tuning_batches(records, batch_size=8)) == EVERY_IMAGE
