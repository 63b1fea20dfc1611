"""The manifest of the cases that a run trained and tuned on, from the index that it wrote."""

from dataclasses import fields
from operator import attrgetter
from pathlib import Path

from components.cases.index import read_records
from components.lineage.training import TrainingData, write_manifest
from components.lineage.training_row import TrainingRow
from components.records.case_record import CaseRecord

values_of = attrgetter(*(field.name for field in fields(CaseRecord)))


def keep_training_data(index: Path, folder: Path) -> TrainingData:
    """Writes the manifest into `folder`, unless it holds it already.

    Args:
      index: as CaseExampleGen writes it, a file for each shard, named by its split.
    """
    rows = (
        TrainingRow(*values_of(row), split=path.name.partition("-")[0])
        for path in sorted(index.glob("*-*.jsonl"))
        for row in read_records(path)
    )
    return write_manifest(rows, folder)
