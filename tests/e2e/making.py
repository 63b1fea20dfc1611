"""A small data set on disk, of synthetic radiographs, that tests may spoil."""

import csv
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.phantom.source import PhantomSource
from components.records.case import Case
from components.records.events import Event
from components.release.serving import find_champion
from pipeline.run.runner import RunOutcome, run
from pipeline.settings.config import Config, load_config
from pipeline.settings.workspace import Workspace

POLICY = """\
name: small
alpha: 0.025
leakage: stop
planned_looks: 100
checks:
  - metric: sensitivity
    slice: overall
    floor: 0.70
    margin: 0.15
    rationale: a small network on 1200 images; wide enough for a retraining, not for chance
  - metric: specificity
    slice: overall
    floor: 0.50
    margin: 0.25
    rationale: as above
  - metric: auc
    slice: overall
    floor: 0.75
    rationale: shuffled labels give 0.5
descriptive_slices: [device]
"""
HARSH = POLICY.replace("floor: 0.75", "floor: 0.9999")
OTHER_SEED = "model.seed=21"

SETTINGS = (
    "model.image_size=32",
    "model.filters=[8, 16, 32]",
    "model.epochs=8",
    "model.batch_size=32",
    "model.learning_rate=0.004",
    "signing.unsigned=true",
)
COLUMNS = ("path", "label", "case_id", "patient_id", "split", "device", "aetiology")


@dataclass(frozen=True)
class SmallData:
    """A folder with `manifest.csv`, and how a run on it is configured."""

    folder: Path

    def rows(self) -> list[dict[str, str]]:
        with (self.folder / "manifest.csv").open(newline="") as stream:
            return list(csv.DictReader(stream))

    def write_rows(self, rows: list[dict[str, str]]) -> None:
        with (self.folder / "manifest.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    def of_split(self, split: str) -> list[dict[str, str]]:
        return [row for row in self.rows() if row["split"] == split]

    def config(self, *settings: str) -> Config:
        return load_config(None, [f"data.source={self.folder}", *SETTINGS, *settings])


def make_small_data(folder: Path, *, training: int = 1200, judged: int = 500) -> SmallData:
    source = PhantomSource.parse(f"phantom:n={training}")
    data = SmallData(folder)
    rows = []
    for split, limit in (("train", training), ("tune", training), ("test", judged)):
        cases = itertools.islice(_cases(source, split), limit)
        rows += [_row(folder, case, split) for case in cases]
    data.write_rows(rows)
    return data


def _cases(source: PhantomSource, split: str):
    for shard in source.shards(split):
        yield from source.read(shard)


def _row(folder: Path, case: Case, split: str) -> dict[str, str]:
    path = folder / split / f"{case.case_id}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(case.image)
    return {
        "path": path.relative_to(folder).as_posix(),
        "label": str(case.label),
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "split": split,
        "device": case.attributes["device"],
        "aetiology": case.attributes["aetiology"],
    }


@dataclass
class Watched:
    """An outcome, and what was seen of the run that came to it."""

    outcome: RunOutcome
    events: list[Event]

    def kinds(self) -> dict[str, str]:
        """Component to how it ended: finished, cached or failed."""
        ended = {}
        current = ""
        for event in self.events:
            if event.kind == "started":
                current = event.component
            elif event.kind != "progress":
                ended[event.component or current] = event.kind
        return ended

    def progress(self, component: str) -> list[Event]:
        """What a component published while it worked, in order."""
        found, current = [], ""
        for event in self.events:
            current = event.component if event.kind == "started" else current
            if event.kind == "progress" and current == component:
                found.append(event)
        return found


def watched_run(config: Config, workspace: Path, events: list[Event] | None = None) -> Watched:
    seen: list[Event] = [] if events is None else events
    return Watched(run(config, workspace, listener=seen.append), seen)


def released_sha256(workspace: Path) -> str | None:
    champion = find_champion(workspace / "serving" / "pneumonia", Workspace(workspace).runs)
    return champion.sha256 if champion else None


def rewrite_keeping_times(path: Path, content: bytes) -> None:
    """Other bytes of the same length under the same name, size and times."""
    before = path.stat()
    assert len(content) == before.st_size
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


_watching: list[list[str]] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in ("socket.connect", "socket.getaddrinfo", "urllib.Request"):
        _watching[-1].append(f"{event} {arguments[1] if event == 'socket.connect' else arguments}")


@contextmanager
def watched_connections() -> Iterator[list[str]]:
    """What Python code connects to, or asks the name of, in this process meanwhile."""
    if not _hooked:
        sys.addaudithook(_note)  # for good: it can't be taken away
        _hooked.append(True)
    _watching.append([])
    try:
        yield _watching[-1]
    finally:
        _watching.pop()


_hooked: list[bool] = []
