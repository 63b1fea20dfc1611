"""What an exported artefact answered to the cases of a case set, in each of its runtimes.

A folder for each kind: `artefact/`, the files themselves; `scores.RUNTIME.json` for each runtime
that could be asked; and `measured.json`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from components.baselines.scores import CaseScores, load_scores, save_scores
from components.records.errors import IntegrityError
from components.records.export import (
    EXPORT_RECORD,
    ExportRecord,
    export_sha256,
    load_export_record,
)
from components.records.files import canonical_json, write_atomically

ARTEFACT, MEASURED = "artefact", "measured.json"


@dataclass(frozen=True)
class Measured:
    """Attributes:
    size_bytes: of the model's files together; None where there is no artefact.
    missing: why a runtime could not be asked, in one line, by runtime; under `export` why there is
      no artefact.
    versions: of the runtimes that were asked, by runtime.
    peak_memory_bytes: by runtime, of the process that scored.
    """

    size_bytes: int | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    peak_memory_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ExportScores:
    """Attributes:
    kind: one of `components.records.export.KINDS`.
    record: None where there is no artefact.
    sha256: hex, over the artefact's folder (`export_sha256`); None where there is none.
    scores: by runtime; latency (median and p95 of a call with one image, on one thread) is theirs.
    """

    kind: str
    record: ExportRecord | None
    sha256: str | None
    scores: Mapping[str, CaseScores]
    measured: Measured


def save_export_scores(folder: Path, scores: Mapping[str, CaseScores], measured: Measured) -> None:
    """Writes what was found beside `artefact/`, which lies in `folder` already, if there is one."""
    for runtime, found in scores.items():
        save_scores(found, folder / f"scores.{runtime}.json")
    write_atomically(folder / MEASURED, canonical_json(asdict(measured)) + b"\n")


def load_export_scores(folder: Path, kind: str) -> ExportScores:
    """What lies in the folder of one kind.

    Raises:
      IntegrityError: unreadable or edited; the artefact is of another kind; or the scores are of
        another artefact, or called at another operating point than its own.
    """
    try:
        measured = Measured(**json.loads((folder / MEASURED).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise IntegrityError(f"{folder / MEASURED}: cannot be read ({reason}); run again") from None
    record, sha256 = None, None
    if (folder / ARTEFACT / EXPORT_RECORD).exists():
        record = load_export_record(folder / ARTEFACT)
        sha256 = export_sha256(folder / ARTEFACT)
    elif "export" not in measured.missing:
        raise IntegrityError(f"{folder / ARTEFACT}: no {EXPORT_RECORD}; run again")
    if record and record.kind != kind:
        raise IntegrityError(f"{folder}: got an artefact of kind {record.kind}, wanted {kind}")
    scores = {}
    for path in sorted(folder.glob("scores.*.json")):
        found = load_scores(path)
        if record is None or found.model_sha256 != sha256:
            raise IntegrityError(f"{path}: scores of another artefact than lies beside them")
        if found.operating_point != record.operating_point:
            raise IntegrityError(
                f"{path}: called at {found.operating_point}, wanted the artefact's own operating "
                f"point {record.operating_point}"
            )
        scores[path.name.split(".")[1]] = found
    return ExportScores(kind, record, sha256, scores, measured)
