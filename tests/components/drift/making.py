"""Synthetic served cases, from three devices of different image quality in two sites."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from components.drift.divergence import JENSEN_SHANNON, L_INFINITY, Limit
from components.drift.sample import UNLABELLED, Sample

LIMITS = {
    "mean": Limit(JENSEN_SHANNON, 0.15),
    "sharpness": Limit(JENSEN_SHANNON, 0.20),
    "device": Limit(L_INFINITY, 0.25),
    "site": Limit(L_INFINITY, 0.25),
    "aetiology": Limit(L_INFINITY, 0.25),
}
# Any shift matters, so that chance alone decides.
NO_LIMITS = {name: Limit(limit.measure, 0.0) for name, limit in LIMITS.items()}

_SHARPNESS = {"Aster": 0.02, "Boreal": 0.03, "Cirrus": 0.05}
MONDAY = "2025-03-03"


def drawn(
    seed: int, cases: int, *, ill: float = 0.3, right: float = 0.95, monday: str = MONDAY
) -> Sample:
    """A week of labelled cases; `ill` of them positive, `right` of them called so."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(cases) < ill).astype(np.int8)
    positive = (labels == 1) ^ (rng.random(cases) >= right)
    device = rng.choice(list(_SHARPNESS), cases, p=[0.4, 0.4, 0.2])
    sharpness = np.array([_SHARPNESS[name] for name in device])
    finding = np.where(labels == 1, rng.choice(["consolidation", "effusion"], cases), "none")
    return Sample(
        case_ids=np.array([f"{seed}-{row}" for row in range(cases)]),
        at=np.datetime64(monday, "ms") + rng.integers(0, 7 * 86_400_000, cases),
        scores=np.where(positive, 0.5, 0.0) + 0.5 * rng.beta(2, 2, cases),
        positive=positive,
        labels=labels,
        numbers={
            "mean": rng.normal(0.4, 0.05, cases),
            "sharpness": sharpness * rng.lognormal(0, 0.1, cases),
        },
        words={
            "device": device.astype(object),
            "site": rng.choice(["Harbour", "Northgate"], cases).astype(object),
            "aetiology": finding.astype(object),
        },
    )


def joined(*samples: Sample) -> Sample:
    first = samples[0]

    def column(name: str) -> Any:
        return np.concatenate([getattr(sample, name) for sample in samples])

    return Sample(
        case_ids=column("case_ids"),
        at=column("at"),
        scores=column("scores"),
        positive=column("positive"),
        labels=column("labels"),
        numbers={n: np.concatenate([s.numbers[n] for s in samples]) for n in first.numbers},
        words={n: np.concatenate([s.words[n] for s in samples]) for n in first.words},
    )


def with_numbers(sample: Sample, **columns: npt.NDArray[np.float64]) -> Sample:
    return replace(sample, numbers={**sample.numbers, **columns})


def with_words(sample: Sample, chosen: npt.NDArray[np.bool_], **values: str | None) -> Sample:
    """The sample with these attributes of the chosen cases overwritten."""
    words: Mapping[str, Any] = {name: column.copy() for name, column in sample.words.items()}
    for name, value in values.items():
        words[name][chosen] = value
    return replace(sample, words=words)


def unlabelled(sample: Sample) -> Sample:
    return replace(sample, labels=np.full(len(sample), UNLABELLED, dtype=np.int8))


def blurred(sample: Sample, chosen: npt.NDArray[np.bool_], factor: float = 0.5) -> Sample:
    """The sample with the chosen images less sharp."""
    sharpness = sample.numbers["sharpness"]
    return with_numbers(sample, sharpness=np.where(chosen, sharpness * factor, sharpness))


def at(sample: Sample, **values: str) -> npt.NDArray[np.bool_]:
    """The cases of a device or site."""
    ((name, value),) = values.items()
    chosen: npt.NDArray[np.bool_] = sample.words[name] == value
    return chosen
