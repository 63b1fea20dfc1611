"""A workspace with a released model, its reference cases, and a server that logs predictions."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from components.drift.findings import MOVED
from components.drift.log import prediction_line
from components.notify.notice import Message
from components.records.ledger.ledger import Ledger
from components.records.run_files import REFERENCE
from pipeline.settings.config import Config, load_config
from pipeline.settings.workspace import Workspace
from pipeline.unattended.monitoring.monitor import Monitored
from pipeline.unattended.monitoring.monitor import monitor as look
from tests.components.release.test_serving import decide, put

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
POINT = 0.5
DEVICES = ("Aster", "Boreal")
QUALITY = {"mean": (0.5, 0.05), "sharpness": (0.02, 0.004)}


class Told(list[Message]):
    """What a person was told, in place of a channel."""


@dataclass(frozen=True)
class Cases:
    """What cases look like: the share of each device, brightness, share of positives."""

    devices: tuple[str, ...] = DEVICES
    mean: float = 0.5
    positives: float = 0.4
    sensitivity: float = 0.95

    def draw(self, count: int, seed: int) -> dict[str, Any]:
        random = np.random.default_rng(seed)
        labels = random.random(count) < self.positives
        right = random.random(count) < np.where(labels, self.sensitivity, 0.9)
        high = labels == right
        scores = np.where(high, random.beta(6, 2, count), random.beta(2, 6, count))
        scores = np.where(high, scores.clip(POINT, 1), scores.clip(0, POINT - 0.01))
        return {
            "labels": labels,
            "scores": scores,
            "mean": random.normal(self.mean, 0.05, count).clip(0, 1),
            "sharpness": random.normal(0.02, 0.004, count).clip(1e-6),
            "device": random.choice(self.devices, count),
        }


@dataclass
class Service:
    """A workspace in `root` and the log beside it; nothing is there before the calls."""

    root: Path
    workspace: Workspace = field(init=False)
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.workspace = Workspace(self.root / "workspace")
        self.log = self.root / "predictions.jsonl"

    def release(self, version: int = 3, *, reference: bool = True, seed: int = 1) -> str:
        """A model that a run let pass; returns its hash."""
        sha256 = put(self.workspace.serving / "pneumonia", version, f"weights {version}")
        run = decide(self.workspace.runs, f"run-{version}", sha256).parent
        if reference:
            self.write_reference(run / REFERENCE, Cases().draw(400, seed))
        return sha256

    def write_reference(self, path: Path, drawn: dict[str, Any]) -> None:
        count = len(drawn["labels"])
        np.savez(
            path,
            case_ids=np.array([f"tuning-{i}" for i in range(count)]),
            patient_ids=np.array([f"patient-{i}" for i in range(count)]),
            scores=drawn["scores"],
            positive=drawn["scores"] >= POINT,
            labels=drawn["labels"].astype(np.int8),
            number_mean=drawn["mean"],
            number_sharpness=drawn["sharpness"],
            word_device=drawn["device"].astype(str),
            operating_point=np.array(POINT),
        )

    def serve(
        self,
        cases: Cases = Cases(),  # noqa: B008 - frozen
        *,
        count: int = 300,
        days: float = 6,
        until: datetime = NOW,
        seed: int = 2,
        labels: bool = False,
        prefix: str = "served",
        **further: Any,
    ) -> None:
        """Appends predictions, spread evenly over the days up to `until`."""
        drawn = cases.draw(count, seed)
        lines = []
        for i in range(count):
            at = until - timedelta(days=days) * (1 - (i + 1) / count)
            said = {
                "model_version": 3,
                "positive": bool(drawn["scores"][i] >= POINT),
                "quality": {name: float(drawn[name][i]) for name in QUALITY},
                "attributes": {"device": str(drawn["device"][i])},
                "label": int(drawn["labels"][i]) if labels else None,
                **further,
            }
            case_id = f"{prefix}-{i:05d}"
            score = float(drawn["scores"][i])
            lines.append(prediction_line(case_id, at=stamp(at), score=score, **said))
        with self.log.open("ab") as file:
            file.writelines(lines)

    def config(self, *settings: str) -> Config:
        """With a looser alpha, for which fewer permutations are drawn."""
        return load_config(None, ["monitoring.alpha=0.1", *settings])


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


NEW_DEVICE = Cases(devices=("Aster", "Boreal", "Cirrus", "Cirrus"))
BRIGHTER = Cases(mean=0.62)
WORSE = Cases(sensitivity=0.6)


def monitored(service: Service, *settings: str, now: datetime = NOW) -> Monitored:
    return look(service.config(*settings), service.workspace, service.log, now=now)


def moved(found: Monitored) -> list[str]:
    """Whole features; those inside a device or site are the comparison's own affair."""
    names = [shift.name for shift in found.drift.shifts if shift.state == MOVED]
    return [name for name in names if " in " not in name]


def entries(service: Service) -> list[dict[str, Any]]:
    found = Ledger(service.workspace.ledger).entries()
    return [dict(entry.body) for entry in found if entry.kind == "drift"]
