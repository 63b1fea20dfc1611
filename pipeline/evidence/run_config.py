"""The configuration that a run was given, as its record vouches for it."""

from typing import Any

import orjson

from components.lineage.record import RunRecord
from components.records.errors import IntegrityError
from components.records.files import sha256_file
from pipeline.evidence.subject import Evidence

CONFIG = "config.json"


def config_of(evidence: Evidence, record: RunRecord) -> dict[str, Any] | None:
    """The configuration; None where the record has none, whatever may lie in the folder.

    Raises:
      IntegrityError: the recorded one was altered or is gone.
    """
    wanted = record.files.get(CONFIG)
    if wanted is None:
        return None
    path = evidence.workspace.run_folder(record.run_id) / CONFIG
    if not path.exists():
        raise IntegrityError(f"{path}: is gone; restore the one that the run's record names")
    if (found := sha256_file(path)) != wanted:
        raise IntegrityError(
            f"{path}: hashes to {found[:12]}..., the run's record has {wanted[:12]}...; restore it"
        )
    return dict(orjson.loads(path.read_bytes()))
