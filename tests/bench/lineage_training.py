"""The training data of the generated store: a manifest for each week, of cases made from a seed."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from components.cases.images import pixels_sha256
from components.lineage.training import TrainingData, TrainingRow, write_manifest
from components.phantom.source import PhantomSource
from tests.bench.lineage_plan import SPAN_CASES, sha, spans_of


class WeeklyTraining:
    """Manifests in `folder`, and a picture of the first case at `picture`.

    Attributes:
      sets: by week.
      coverage: by week, training cases by attribute=value.
    """

    def __init__(self, folder: Path, weeks: Iterable[int], *, picture: Path) -> None:
        weeks = sorted(set(weeks))
        spans = {span: list(span_rows(span)) for week in weeks for span in spans_of(week)}
        spans[0][0] = pictured(spans[0][0], picture)
        self.sets: dict[int, TrainingData] = {}
        self.coverage: dict[int, Counter[str]] = {}
        for week in weeks:
            rows = (row for span in spans_of(week) for row in spans[span])
            self.sets[week] = write_manifest(rows, folder)
            self.coverage[week] = sum(
                (_covered_by(spans[span]) for span in spans_of(week)), Counter()
            )


def pictured(row: TrainingRow, picture: Path) -> TrainingRow:
    """The case with a picture that is really there."""
    source = PhantomSource.parse("phantom")
    image = next(iter(source.read(source.shards("train")[0]))).image
    picture.write_bytes(image)
    hashes = {"bytes_sha256": hashlib.sha256(image).hexdigest()}
    return replace(row, **hashes, pixels_sha256=pixels_sha256(image))


def span_rows(span: int) -> list[TrainingRow]:
    """Cases of one week's data: thirteen images of ten patients, as clinics have them."""
    draws = random.Random(span)
    choose = {"device": ("Aster", "Boreal", "Cirrus"), "sex": ("f", "m"), "view": ("AP", "PA")}
    choose |= {"site": ("Harbour", "Northgate", "Lakeside", "Hillcrest")}
    rows = []
    for number in range(SPAN_CASES):
        finding = draws.choice(
            ("none", "none", "none", "consolidation", "interstitial", "effusion")
        )
        chosen = {name: draws.choice(values) for name, values in choose.items()}
        row = TrainingRow(
            split="tune" if number % 10 < 3 else "train",
            case_id=f"span-{span:02d}-case-{number:05d}",
            patient_id=f"span-{span:02d}-patient-{number * 10 // 13:05d}",
            label=int(finding != "none"),
            bytes_sha256=sha(f"bytes {span} {number}"),
            pixels_sha256=sha(f"pixels {span} {number}"),
            attributes={**chosen, "aetiology": finding},
        )
        rows.append(row)
    return rows


def _covered_by(rows: list[TrainingRow]) -> Counter[str]:
    trained_on = (row for row in rows if row.split == "train")
    return Counter(
        f"{name}={value}" for row in trained_on for name, value in row.attributes.items()
    )
