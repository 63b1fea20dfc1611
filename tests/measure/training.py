"""Trains and scores with the shipped network, without TFX: some two hundred runs are many for it.

The preprocessing, the network and the choice of the operating point are those of the pipeline.
"""

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.baselines.case_set import load_case_set
from components.baselines.scores import CaseScores
from components.cases.sources import open_source
from components.records.case import Case
from components.records.files import sha256_json
from pipeline.model.batches import Records
from pipeline.model.networks.building import build
from pipeline.model.preprocessing import decoded
from pipeline.model.trainer import fit
from pipeline.settings.config import REPOSITORY, load_config, shipped_config
from pipeline.settings.sections import ModelConfig
from tests.measure.damage import Pixels, flipped, thinned
from tests.measure.jobs import HONEST, Job

BASELINES = REPOSITORY / "baselines"


@dataclass(frozen=True)
class HeldRecords(Records):
    """A split that is in memory already; what `fit` asks of records is answered from there."""

    pixels: Pixels = dataclasses.field(default_factory=lambda: np.zeros((0, 1, 1, 1), np.float32))
    labels: NDArray[np.float32] = dataclasses.field(default_factory=lambda: np.zeros(0, np.float32))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return self.pixels, self.labels

    def sha256(self) -> str:
        return sha256_json([hashlib.sha256(each.tobytes()).hexdigest() for each in self.arrays()])

    def patients(self) -> np.ndarray:
        return np.arange(self.labels.size)

    def fits_in_memory(self) -> bool:
        return True


def held(pixels: Pixels, labels: NDArray[np.float32]) -> HeldRecords:
    return HeldRecords(
        (), tf.identity, pixels.shape[1], len(labels), int(labels.sum()), pixels, labels
    )


def model_config(source: str) -> ModelConfig:
    """The configuration that `casegate run --data SOURCE` would train with."""
    return load_config(shipped_config(source)).model


def inputs(job: Job) -> str:
    """Hash of the configuration and of the data, as far as the model of a job depends on them."""
    settings = dataclasses.asdict(dataclasses.replace(model_config(job.source), seed=job.seed))
    data = [open_source(job.source).fingerprint(), job.label_noise, job.share]
    return sha256_json([settings, data])


@dataclass(frozen=True)
class Split:
    """One split, prepared: `values` counts its cases by attribute and value."""

    ids: tuple[str, ...]
    values: dict[str, dict[str, int]]
    records: HeldRecords


def read_split(source: str, split: str, size: int) -> Split:
    cases = list(_cases(source, split))
    prepare = tf.function(lambda image: decoded(image, size))
    pixels = np.stack([prepare(tf.constant(case.image)).numpy() for case in cases])
    labels = np.array([case.label for case in cases], np.float32)
    values: dict[str, dict[str, int]] = {}
    for case in cases:
        for name, value in case.attributes.items():
            counts = values.setdefault(name, {})
            counts[value] = counts.get(value, 0) + 1
    return Split(tuple(case.case_id for case in cases), values, held(pixels, labels))


def train(job: Job, training: HeldRecords, tuning: HeldRecords) -> tuple[keras.Model, float]:
    """The network and its operating point, with the damage that the job asks for."""
    keras.backend.clear_session()
    model = dataclasses.replace(model_config(job.source), seed=job.seed)
    network, found = fit(model, _damaged(job, training), _damaged(job, tuning))
    return network.model, float(np.float32(found["operating_point"]))


def rebuilt(job_source: str, weights: list[NDArray[np.float32]]) -> keras.Model:
    """The network with the weights that an earlier training found."""
    keras.backend.clear_session()
    network = build(model_config(job_source)).model
    network.set_weights(weights)
    return network


def retrained(source: str, seed: int) -> CaseScores:
    """Scores of a model that the shipped configuration trains on a source, on its case set."""
    size = model_config(source).image_size
    training, tuning = (read_split(source, split, size).records for split in ("train", "tune"))
    data = open_source(source).name
    network, point = train(Job(data, HONEST, "", source, seed), training, tuning)
    judged = read_split(source, "test", size)
    return CaseScores(
        case_ids=judged.ids,
        scores=scores_of(network, judged.records.pixels),
        operating_point=point,
        model_sha256=f"{seed:064d}",
        scored_case_set=load_case_set(BASELINES / data / "case_set.json").merkle_root,
    )


def scores_of(network: keras.Model, pixels: Pixels) -> NDArray[np.float64]:
    return np.asarray(network.predict(pixels, verbose=0)[:, 0], np.float64)


def _damaged(job: Job, records: HeldRecords) -> HeldRecords:
    if not job.label_noise and job.share == 1.0:
        return records
    rows = thinned(records.count, job.share)
    labels = flipped(records.labels[rows], job.label_noise)
    return held(records.pixels[rows], labels)


def _cases(source: str, split: str) -> Iterator[Case]:
    opened = open_source(source)
    for shard in opened.shards(split):
        for case in opened.read(shard):
            assert isinstance(case, Case), case
            yield case
