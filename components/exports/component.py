"""The exporter of a trained model, and the scorer of what it made, as components of the graph.

Where there is no artefact, or a runtime cannot be asked, `measured.json` says why: that is for the
gate to judge, and no reason to end the run.
"""

import json
import shutil
from functools import partial
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model
from tfx.utils import path_utils

from components.artifacts import ExportArtifact, ExportScoresArtifact
from components.baselines.export_scores import ARTEFACT, MEASURED, Measured, save_export_scores
from components.baselines.scores import CaseScores
from components.exports import tfjs, tflite
from components.exports.exporting import export_artefact
from components.exports.running import MissingRuntime, ask
from components.exports.source import TuningCases
from components.records.errors import NothingEvaluated, Unservable
from components.records.export import TFJS, export_sha256, load_export_record
from components.records.problems import report_error
from components.scoring.score import read_batches

IMPOSSIBLE = (MissingRuntime, Unservable, NothingEvaluated)


@component
def ModelExporter(
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    export: OutputArtifact[ExportArtifact],
    kind: Parameter[str],
    target_sensitivity: Parameter[float],
    code_sha256: Parameter[str],
    problems: Parameter[str],
) -> None:
    """Writes the model as an artefact of this kind, calibrated and tuned on the `tune` split."""
    with report_error(problems):
        saved_model = Path(path_utils.serving_model_path(model.uri))
        cases = TuningCases.of_records(_records(examples, "tune"))
        export_model(saved_model, cases, kind, target_sensitivity, Path(export.uri))


@component
def ExportScorer(
    examples: InputArtifact[Examples],
    export: InputArtifact[ExportArtifact],
    scores: OutputArtifact[ExportScoresArtifact],
    runtimes: Parameter[str],
    case_set_root: Parameter[str],
    code_sha256: Parameter[str],
    problems: Parameter[str],
) -> None:
    """Writes a copy of the artefact, and its scores of the `test` split in each of its runtimes.

    Args:
      runtimes: their names, as a JSON array.
    """
    with report_error(problems):
        records = _records(examples, "test")
        score_export(
            Path(export.uri), records, json.loads(runtimes), case_set_root, Path(scores.uri)
        )


def export_model(
    saved_model: Path, cases: TuningCases, kind: str, target_sensitivity: float, folder: Path
) -> None:
    """Writes an artefact of this kind to `folder`, with its size; or why there is none."""
    artefact = folder / ARTEFACT
    artefact.mkdir(parents=True)
    try:
        record = export_artefact(
            saved_model,
            cases,
            kind,
            artefact,
            target_sensitivity=target_sensitivity,
            convert=tfjs.convert if kind == TFJS else partial(tflite.convert, kind),
        )
    except IMPOSSIBLE as error:
        shutil.rmtree(artefact)
        measured = Measured(missing={"export": str(error)})
    else:
        measured = Measured(sum((artefact / name).stat().st_size for name in record.files))
    save_export_scores(folder, {}, measured)


def score_export(
    export: Path, records: list[str], runtimes: list[str], case_set_root: str, folder: Path
) -> None:
    """Writes what `components.baselines.export_scores` describes to `folder`.

    Args:
      export: as `export_model` left it.
    """
    measured = Measured(**json.loads((export / MEASURED).read_bytes()))
    if not (export / ARTEFACT).exists():
        save_export_scores(folder, {}, measured)
        return
    artefact = folder / ARTEFACT
    shutil.copytree(export / ARTEFACT, artefact)
    point, sha256 = load_export_record(artefact).operating_point, export_sha256(artefact)
    found, missing, versions, peaks = {}, {}, {}, {}
    ids = [case_id for names, *_ in read_batches(records) for case_id in names]
    for runtime in runtimes:
        images = (image for _, _, batch, _ in read_batches(records) for image in batch)
        try:
            asked = ask(artefact, runtime, images)
        except (MissingRuntime, Unservable) as error:
            missing[runtime] = str(error)
            continue
        versions[runtime], peaks[runtime] = asked.version, asked.peak_memory_bytes
        found[runtime] = CaseScores(
            case_ids=tuple(ids),
            scores=asked.scores,
            operating_point=point,
            model_sha256=sha256,
            scored_case_set=case_set_root,
            latency_ms=asked.latency_ms,
        )
    save_export_scores(folder, found, Measured(measured.size_bytes, missing, versions, peaks))


def _records(examples: Examples, split: str) -> list[str]:
    return [str(f) for f in Path(artifact_utils.get_split_uri([examples], split)).glob("*.gz")]
