"""The manifest of the cases that a run trained and tuned on, from the index that it wrote."""

from pathlib import Path

from components.cases.index import read_records
from components.lineage.training import TrainingData, write_manifest
from components.lineage.training_row import TrainingRow


def keep_training_data(index: Path, folder: Path) -> TrainingData:
    """Writes the manifest into `folder`, unless it holds it already.

    Args:
      index: as CaseExampleGen writes it, a file for each shard, named by its split.
    """
    rows = (
        TrainingRow(split=path.name.partition("-")[0], **vars(row))
        for path in sorted(index.glob("*-*.jsonl"))
        for row in read_records(path)
    )
    return write_manifest(rows, folder)
