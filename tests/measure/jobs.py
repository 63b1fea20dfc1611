"""Which models are trained to measure the gate: honest ones, and ones with graded damage."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import BESIDE_THE_CHECKOUT

HONEST = "same cases"
NEW_PATIENTS = "new patients"
PHANTOM = "phantom"
PNEUMONIA = "pneumoniamnist"
HONEST_SEEDS = range(1, 31)
NEW_SEEDS = range(1, 14)
DAMAGE_SEEDS = range(1, 4)
DEFAULT_CACHE = Path("build/oc")
DEVICE_SEEDS = range(1, 9)  # the damage that is hardest to see, so more of it


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
      data: which baselines judge it.
      family: kind of change, such as "label noise"; grade: how much, such as "0.2".
      source: what to train on, as a person would type it.
      label_noise, share: what the training data then lose, where the source has no such option.
      seed: the network's.
    """

    data: str
    family: str
    grade: str
    source: str
    seed: int
    label_noise: float = 0.0
    share: float = 1.0

    @property
    def folder(self) -> str:
        """Where its scores go within the cache."""
        name = f"{self.family} {self.grade}".strip().replace(" ", "-")
        return f"{self.data}/{name}"


def device_left_out(seed: int) -> Iterator[Job]:
    for device in ("Cirrus", "Boreal", "Aster"):
        yield _phantom("device left out", device, f"leave_out={device}", seed)


def phantom_damage(seed: int) -> Iterator[Job]:
    for aetiology in ("consolidation", "interstitial", "effusion"):
        yield _phantom("aetiology left out", aetiology, f"leave_out={aetiology}", seed)
    for noise in ("0.05", "0.1", "0.2", "0.35", "0.5"):
        yield _phantom("label noise", noise, f"label_noise={noise}", seed)
    for n in ("2000", "1200", "800", "400"):
        yield _phantom("fewer cases", f"{n} of 4000", f"n={n}", seed)


def pneumonia_damage(seed: int, path: Path) -> Iterator[Job]:
    for noise in (0.05, 0.1, 0.2, 0.35, 0.5):
        yield Job(PNEUMONIA, "label noise", f"{noise:g}", str(path), seed, label_noise=noise)
    for share, name in ((0.5, "1 in 2"), (0.25, "1 in 4"), (0.1, "1 in 10"), (0.03, "3 in 100")):
        yield Job(PNEUMONIA, "fewer cases", name, str(path), seed, share=share)


def honest(data: str, source: str, seed: int) -> Job:
    return Job(data, HONEST, "", source, seed)


def new_patients(seed: int) -> Job:
    """The same amount of data of other synthetic patients, as a scheduled retraining has it."""
    return _phantom(NEW_PATIENTS, "", f"seed={1000 + seed}", seed)


def all_jobs(pneumonia: Path | None) -> list[Job]:
    """Every training, one seed after the other, so that a run cut short says something of each."""
    jobs: list[Job] = []
    for seed in HONEST_SEEDS:
        jobs.append(honest(PHANTOM, PHANTOM, seed))
        jobs += [new_patients(seed)] if seed in NEW_SEEDS else ()
        jobs += device_left_out(seed) if seed in DEVICE_SEEDS else ()
        jobs += phantom_damage(seed) if seed in DAMAGE_SEEDS else ()
        if pneumonia:
            jobs.append(honest(PNEUMONIA, str(pneumonia), seed))
            jobs += pneumonia_damage(seed, pneumonia) if seed in DAMAGE_SEEDS else ()
    return jobs


def _phantom(family: str, grade: str, options: str, seed: int) -> Job:
    return Job(PHANTOM, family, grade, f"phantom:{options}", seed)


def pneumonia_path() -> Path | None:
    """The PneumoniaMNIST file, where this machine has it."""
    folder = Path(os.environ.get("CASEGATE_TEST_DATA") or BESIDE_THE_CHECKOUT)
    path = folder / "pneumoniamnist.npz"
    return path if path.is_file() else None
