"""A node without an archive, a model or a process: what each of them would do, in memory."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from components.dicom.facts import keep_quiet, parse_dataset
from components.dicom.pseudonyms import Pseudonyms
from components.dicom.result import CodedWord, ModelResult, picture_uid, report_uid
from components.dicom.web import ArchiveUnreachable
from components.feedback.record import Record
from pipeline.feedback.served import ServedCases
from pipeline.pacs.intake import StudyIntake
from pipeline.pacs.node import PacsNode
from pipeline.pacs.queue import PacsQueue
from pipeline.pacs.settings import ArchiveConfig, PacsConfig, QueueConfig
from pipeline.serving.vouched import VouchedRelease
from tests.components.dicom.archives import radiograph

PNEUMONIA = CodedWord("233604007", "SCT", "Pneumonia")
FIRST, SECOND = "a" * 64, "b" * 64


def release(version: int, sha256: str) -> VouchedRelease:
    return VouchedRelease("pneumonia", version, Path(), sha256, "run", 0.5)


def model_result(sha256: str = FIRST, probability: float = 0.75, version: int = 1) -> ModelResult:
    heat = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    called = probability >= 0.5
    return ModelResult(
        PNEUMONIA, probability, 0.5, called, heat, "pneumonia", version, sha256, "0.2.0"
    )


def as_file(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


class MemoryArchive:
    """What `DicomWeb` is to a node.

    Attributes:
      down: it cannot be reached.
      forgetful: it answers that it stored, and stores nothing.
      stored: how often each instance was stored.
    """

    def __init__(self, *datasets: Dataset) -> None:
        self.objects: dict[str, Dataset] = {str(one.SOPInstanceUID): one for one in datasets}
        self.down = self.forgetful = False
        self.stored: dict[str, int] = {}

    def instances(
        self, filters: Mapping[str, str], study: str | None = None
    ) -> list[tuple[str, str, str]]:
        if self.down:
            raise ArchiveUnreachable("the archive is down")
        return [
            (one.StudyInstanceUID, one.SeriesInstanceUID, uid)
            for uid, one in self.objects.items()
            if study in (None, one.StudyInstanceUID)
            and filters.get("Modality", one.Modality) == one.Modality
        ]

    def instance(self, uids: tuple[str, ...]) -> bytes:
        return as_file(self.objects[uids[-1]])

    def store(self, datasets: list[Dataset]) -> None:
        if self.down:
            raise ArchiveUnreachable("the archive is down")
        for one in datasets if not self.forgetful else ():
            self.objects[str(one.SOPInstanceUID)] = one
            self.stored[str(one.SOPInstanceUID)] = self.stored.get(str(one.SOPInstanceUID), 0) + 1


class PromptJudge:
    """What `Judge` is to a node; `serving` may be changed at any time."""

    def __init__(self) -> None:
        self.serving: VouchedRelease | None = release(1, FIRST)
        self.asked = 0

    def current(self) -> VouchedRelease | None:
        return self.serving

    def ask(self, image: bytes, finding: CodedWord, of: VouchedRelease) -> ModelResult:
        self.asked += 1
        return model_result(of.sha256, version=of.version)


class Bench:
    """A node at a bench; several may share a folder."""

    def __init__(self, root: Path, archive: MemoryArchive | None = None, **given: Any) -> None:
        keep_quiet()
        self.archive = archive or MemoryArchive()
        self.judge = PromptJudge()
        self.lines: list[str] = []
        self.predictions: list[dict[str, Any]] = []
        queue = QueueConfig(**{"quiet_seconds": 0.0, **given.pop("queue", {})})
        self.config = PacsConfig(
            workspace=str(root), queue=queue, archive=ArchiveConfig(watch_days=10_000), **given
        )
        self.queue = PacsQueue(self.config.folder, queue, f"node-{id(self)}")
        pseudonyms = Pseudonyms(b"the site secret of a bench")
        self.intake = StudyIntake(self.config, self.queue, pseudonyms, self.lines.append)
        self.node = PacsNode(
            self.config, self.queue, self.intake, self.archive, self.judge, self.archive.store,
            self._predict, ServedCases(root / "predictions"), Record(root / "feedback.jsonl"),
            self.lines.append,
        )  # fmt: skip

    def _predict(self, case_id: str, **known: Any) -> None:
        self.predictions.append({"case_id": case_id, **known})

    def sent(self, dataset: Dataset, sha256: str = FIRST) -> tuple[int, int]:
        """How often report and picture were stored."""
        instance = str(dataset.SOPInstanceUID)
        uids = report_uid(instance, sha256), picture_uid(instance, sha256)
        return tuple(self.archive.stored.get(uid, 0) for uid in uids)

    def state(self, dataset: Dataset) -> str:
        key = self.intake.key(str(dataset.SOPInstanceUID))
        states = ("waiting", "sent", "recorded", "left out", "dead")
        return next((one.state for one in self.queue.items(*states) if one.key == key), "")

    def spooled(self) -> list[str]:
        return sorted(path.name for path in (self.config.folder / "spool").iterdir())


def chest(number: int, **elements: Any) -> Dataset:
    """A radiograph as it comes out of a file."""
    content = as_file(radiograph(number, PatientOrientation=["L", "F"], **elements))
    dataset = parse_dataset(io.BytesIO(content), pixels=True)
    assert dataset is not None
    return dataset
