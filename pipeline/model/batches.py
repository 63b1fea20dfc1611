"""The records of a split as batches: in memory where they fit, and streamed where they don't."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from components.cases.example import PATIENT_ID
from components.records.files import sha256_file, sha256_json
from pipeline.model.augmentation import augmented
from pipeline.model.features import LABEL, PIXELS, RECORD_SPEC

if TYPE_CHECKING:
    import tensorflow_transform as tft

# Prepared pixels are kept in memory up to this many bytes; more is decoded again each epoch,
# so that memory does not grow with the data.
CACHE_BYTES = 192 * 2**20
SHUFFLE_RECORDS = 4096
READ_BATCH = 256


@dataclass(frozen=True)
class Records:
    """The records of one split, with the transform that prepares them.

    Attributes:
      files: gzipped TFRecord files.
      prepare: Transform's graph as a layer.
      count, positives: number of records, and of positive ones.
    """

    files: Sequence[str]
    prepare: tf.keras.layers.Layer
    image_size: int
    count: int
    positives: int

    def fits_in_memory(self) -> bool:
        return self.count * self.image_size**2 * 4 <= CACHE_BYTES

    def sha256(self) -> str:
        """Of the files, in their order."""
        return sha256_json([sha256_file(Path(name)) for name in self.files])

    def serialized(self) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(list(self.files), compression_type="GZIP")

    def prepared(self, records: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        """Batches (pixels float32 (n, size, size, 1), label float32 (n,)) of serialized records."""

        # AutoGraph would rewrite Keras' own code on the way to the layer, for four seconds.
        @tf.autograph.experimental.do_not_convert
        def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            raw = tf.io.parse_example(serialized, RECORD_SPEC)
            features = self.prepare(raw)
            return features[PIXELS], tf.cast(features[LABEL], tf.float32)

        return records.batch(batch_size).map(parse, num_parallel_calls=2).prefetch(2)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """All pixels and labels at once, for splits that fit in memory."""
        batches = list(self.prepared(self.serialized(), READ_BATCH).as_numpy_iterator())
        return (
            np.concatenate([pixels for pixels, _ in batches]),
            np.concatenate([labels for _, labels in batches]),
        )

    def patients(self) -> np.ndarray:
        """Whose each record is, in their order: integers, shape (n,)."""
        spec = {PATIENT_ID: tf.io.FixedLenFeature([], tf.string)}
        batches = (
            self.serialized()
            .batch(READ_BATCH)
            .map(lambda serialized: tf.io.parse_example(serialized, spec)[PATIENT_ID])
        )
        ids = np.concatenate(list(batches.as_numpy_iterator()))
        return np.unique(ids, return_inverse=True)[1]


def open_records(
    files: Sequence[str], transform: "tft.TFTransformOutput", image_size: int
) -> Records:
    """Records of all files in the folders of `files`, counted by reading them through once.

    Args:
      files: as TFX names a split, `FOLDER/*`; nothing but the `*` is a pattern.
    """
    names = sorted(str(path) for pattern in files for path in Path(pattern).parent.iterdir())
    count, positives = _counted(names)
    prepare = transform.transform_features_layer()
    return Records(names, prepare, image_size, count, positives)


def _counted(names: Sequence[str]) -> tuple[int, int]:
    """How many records there are, and how many of them are positive."""
    spec = {LABEL: RECORD_SPEC[LABEL]}
    labels = (
        tf.data.TFRecordDataset(list(names), compression_type="GZIP")
        .batch(READ_BATCH)
        .map(lambda records: tf.io.parse_example(records, spec)[LABEL])
    )
    count = positives = 0
    for batch in labels.as_numpy_iterator():
        count += batch.size
        positives += int(batch.sum())
    return count, positives


def training_batches(
    records: Records, *, batch_size: int, seed: int, augment: bool
) -> tf.data.Dataset:
    """Shuffled, augmented training batches; the same seed gives the same batches."""
    if records.fits_in_memory():
        pixels, labels = (tf.constant(array) for array in records.arrays())
        batches = (
            tf.data.Dataset.range(records.count)
            .shuffle(records.count, seed=seed)
            .batch(batch_size)
            .map(lambda rows: (tf.gather(pixels, rows), tf.gather(labels, rows)))
        )
    else:
        shuffled = records.serialized().shuffle(SHUFFLE_RECORDS, seed=seed)
        batches = records.prepared(shuffled, batch_size)
    if not augment:
        return batches
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    return (
        tf.data.Dataset.zip(batches, seeds)
        .map(lambda batch, pair: (augmented(batch[0], pair), batch[1]), num_parallel_calls=2)
        .prefetch(2)
    )


def tuning_batches(records: Records, *, batch_size: int) -> tf.data.Dataset:
    """The tuning records in order."""
    if records.fits_in_memory():
        return tf.data.Dataset.from_tensor_slices(records.arrays()).batch(batch_size)
    return records.prepared(records.serialized(), batch_size)
