"""A clinic: spans that were trained on, a locked case set, and cases that were served."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from components.cases.files import MANIFEST, ImageFile
from components.cases.images import encode_png, pixels_sha256
from components.cases.lock import lock_source
from components.cases.sources import open_source
from components.drift.log import prediction_line
from components.feedback.opinion import Opinion
from pipeline.feedback.add import GivenOpinion, add
from pipeline.feedback.promote import Promoted, promote
from pipeline.feedback.served import FeedbackPlaces, ServedCases
from pipeline.feedback.writing import ManifestRow, write_folder
from pipeline.settings.config import Config, load_config
from pipeline.settings.workspace import Workspace

AT = "2026-01-31T10:15:00Z"
MODEL = "ab" * 32
PERSON, REASON = "A. Radiologist", "settled in the weekly round"


class Clinic:
    """`serve` puts a case in the log, `say` records an opinion, `promote` sends cases on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = Workspace(root / "ws")
        self.places = FeedbackPlaces(self.workspace.root)
        self.pictures = root / "pictures"  # where the clinic keeps what was served
        self.locked = root / "locked"
        self.spans = root / "data"
        self._seed = 0 if not self.locked.exists() else 100
        if self.locked.exists():
            return
        folder(self.spans / "span-0001", [self.row(f"old-{i}", "train", i % 2) for i in range(4)])
        rows = [
            self.row(f"{split}-{i}", split, i % 2)
            for split in ("train", "tune", "test")
            for i in range(2)
        ]
        folder(self.locked, rows)
        case_set = self.workspace.baselines / "locked" / "case_set.json"
        lock_source(open_source(str(self.locked)), case_set, author="A", reason="first")

    @property
    def config(self) -> Config:
        return load_config(
            None,
            [f"data.source={self.spans}/span-{{SPAN:4}}", f"case_set.source={self.locked}"],
        )

    @property
    def served(self) -> ServedCases:
        return ServedCases(self.workspace.root / "predictions")

    def picture(self, seed: int) -> bytes:
        return encode_png(np.random.default_rng(seed).integers(0, 255, (8, 8), np.uint8))

    def row(self, case_id: str, split: str, label: int) -> tuple[ManifestRow, bytes]:
        self._seed += 1
        file = ImageFile(f"{case_id}.png", case_id, f"patient-{case_id}", label, {"site": "north"})
        return (split, file), self.picture(self._seed)

    def serve(
        self,
        case_id: str,
        *,
        score: float = 0.9,
        patient: str | None = "",
        picture: bytes | None = None,
        **further: object,
    ) -> Path:
        """A line in the log; called positive from a score of 0.5 on. Returns its picture."""
        self._seed += 1
        path = self.pictures / f"{self._seed}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture or self.picture(self._seed))
        said = {
            "at": AT,
            "score": score,
            "positive": score >= 0.5,
            "model_sha256": MODEL,
            "patient_id": f"p-{case_id}" if patient == "" else patient,
            "pixels_sha256": pixels_sha256(path.read_bytes()),
            "attributes": {"site": "south", "device": "Cirrus"},
            **further,
        }
        log = self.workspace.root / "predictions" / "log.jsonl"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            file.write(prediction_line(case_id, **said))  # type: ignore[arg-type]
        return path

    def say(self, case_id: str, label: str, by: str = "Dr. One", **given: object) -> Opinion:
        said = replace(GivenOpinion(label, by), **given)  # type: ignore[arg-type]
        return add(self.places, self.served, said, case_id=case_id, image=None)

    def settled(self, case_id: str, label: str, **given: object) -> Path:
        """A case that was served and that two readers agree on."""
        path = self.serve(case_id, **given)  # type: ignore[arg-type]
        for by in ("Dr. One", "Dr. Two"):
            self.say(case_id, label, by)
        return path

    def promote(self, images: Path | None = None) -> Promoted:
        return promote(
            self.config,
            self.workspace,
            self.served,
            by=PERSON,
            reason=REASON,
            images=images or self.pictures,
        )

    def manifest(self, number: int) -> list[dict[str, str]]:
        """The rows of a span's manifest."""
        with (self.spans / f"span-{number:04}" / MANIFEST).open(newline="") as file:
            return list(csv.DictReader(file))


def folder(path: Path, rows: list[tuple[ManifestRow, bytes]]) -> None:
    """A folder with a manifest."""
    path.mkdir(parents=True)
    for (_, file), image in rows:
        (path / file.path).write_bytes(image)
    write_folder(path, [row for row, _ in rows], {})


def why(done: Promoted, case_id: str) -> str:
    return {one.case_id: one.why for one in done.sides.left_out}[case_id]


def trained(done: Promoted) -> list[str]:
    return [case.case_id for case in done.sides.training]


def proposed(done: Promoted) -> list[str]:
    return [case.case_id for case in done.sides.proposed]


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}
