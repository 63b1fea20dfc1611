"""A run's exported artefacts as the gate leaves them, without a converter: bytes in a folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from components.baselines.export_scores import ARTEFACT, Measured, save_export_scores
from components.baselines.scores import CaseScores
from components.decision import ExportDecision, RuntimeFindings, Verdict
from components.records.export import (
    EXPORTS,
    LABELS,
    RUNTIMES,
    SOURCE_RECORD,
    TFJS,
    TFLITE_INT8,
    ExportRecord,
    export_sha256,
    save_export_record,
)
from components.records.files import sha256_file, write_atomically
from tests.components.planting import locked, scored

POINT = 0.5


def artefact(
    folder: Path,
    model_sha256: str,
    kind: str = TFLITE_INT8,
    *,
    content: bytes = b"a network",
    **changed: Any,
) -> str:
    """Writes an artefact's folder, whose model names what it was made from; returns its hash."""
    names = ("model.json", "group1-shard1of1.bin") if kind == TFJS else ("model.tflite",)
    for name in names:
        write_atomically(folder / name, content + f" {kind} {name} of {model_sha256}".encode())
    write_atomically(folder / LABELS, b"normal\npneumonia\n")
    write_atomically(folder / SOURCE_RECORD, b"{}\n")
    record = ExportRecord(
        kind=kind,
        model_sha256=model_sha256,
        image_size=28,
        operating_point=POINT,
        runtime=RUNTIMES[kind][0],
        runtime_version="1.0",
        converter="planted 1.0",
        files={name: sha256_file(folder / name) for name in names},
    )
    save_export_record(replace(record, **changed), folder)
    return export_sha256(folder)


def exported(
    run_folder: Path,
    model_sha256: str,
    kind: str = TFLITE_INT8,
    *,
    verdict: Verdict = Verdict.PASS,
    scores: CaseScores | None = None,
    **changed: Any,
) -> ExportDecision:
    """Lays `exports/KIND/` in a run's folder; returns what its decision says of it.

    Args:
      scores: what each runtime is said to have answered; at the artefact's operating point.
      changed: of the artefact's record.
    """
    folder = run_folder / EXPORTS / kind
    sha256 = artefact(folder / ARTEFACT, model_sha256, kind, **changed)
    found = replace(scores or scored(locked(4, 4)), model_sha256=sha256, operating_point=POINT)
    files = [path for path in (folder / ARTEFACT).iterdir() if path.name.startswith("model")]
    size, runtimes = sum(path.stat().st_size for path in files), RUNTIMES[kind]
    measured = Measured(size, versions=dict.fromkeys(runtimes, "1.0"))
    save_export_scores(folder, dict.fromkeys(runtimes, found), measured)
    findings = RuntimeFindings("1.0", found.scores_sha256, len(found.case_ids), len(found.case_ids))
    return ExportDecision(
        kind=kind,
        verdict=verdict,
        required=False,
        sha256=sha256,
        operating_point=POINT,
        size_bytes=size,
        runtimes=dict.fromkeys(runtimes, findings),
        checks=(),
    )
