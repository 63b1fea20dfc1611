"""The reports of a run: Markdown for a pull request, one HTML page for people.

Called by the component that signs a decision, which signs the reports along with it; so it is
given what it needs as JSON, and gives back what else of the run is to be signed.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.attestation.statements import TRAINING
from components.baselines.case_set import load_case_set
from components.baselines.golden import load_golden
from components.baselines.scores import CaseScores, load_scores
from components.cases.lock import picture_at, read_pictures
from components.cases.reading import Reading
from components.cases.sources import open_source
from components.decision import Decision, load_decision
from components.records.case import Source
from components.records.files import write_atomically
from components.records.run_files import (
    ADMISSION,
    BOARD,
    CHAMPION_SCORES,
    DECISION,
    HTML_REPORT,
    REPORT,
    SCORES,
)
from components.report.evidence import Admitted, ReportEvidence, admitted
from components.report.html import html_report
from components.report.markdown import write_report
from components.report.worklist import pictured
from pipeline.run.explain import ask_maps
from pipeline.run.inputs import Inputs
from pipeline.run.recorder import keep_training_data


def attest_request(inputs: Inputs) -> str:
    """What DecisionAttestor is asked, as one JSON parameter; `report` is for the function below."""
    releases = inputs.config.serving.release
    unsigned = inputs.config.signing.unsigned if releases else True
    why = "the configuration allows unsigned releases" if releases else "this run releases nothing"
    return json.dumps(
        {
            "run_folder": str(inputs.workspace.run_folder(inputs.run_id)),
            "subjects": inputs.subjects(),
            "signing": {"unsigned": unsigned, "why": why},
            "report": {
                "case_source": inputs.case_source.spec,
                "reading": inputs.case_reading.to_json(),
                "trained_on": [inputs.source.spec, inputs.config.data.reading.to_json()],
                "case_set": str(inputs.case_set_path),
                "golden": str(inputs.golden_path) if inputs.golden_sha256 else None,
                "training": str(inputs.workspace.training),
                "champion": str(inputs.champion.path) if inputs.champion else None,
            },
        },
        sort_keys=True,
    )


def report(folder: Path, request: dict[str, Any]) -> dict[str, str]:
    """Writes `report.md` and `report.html` into a run's folder, and its training manifest.

    Args:
      request: `report` of `attest_request`, with `training_index`, the uri of that artifact, and
        `candidate`, the folder of that model.

    Returns:
      The Merkle root of the training data, under the name that statements have for it.
    """
    decision = load_decision(folder / DECISION)
    source = open_source(request["case_source"], Reading.from_json(request["reading"]))
    case_set = load_case_set(Path(request["case_set"]))
    write_report(decision, folder / REPORT, synthetic=source.synthetic)
    images = read_pictures(source, pictured(decision, case_set))
    shown = _admitted(folder, request["trained_on"], source)
    models = {name: request[name] for name in ("candidate", "champion") if request[name]}
    evidence = ReportEvidence(
        case_set,
        _scores(folder, request["golden"]),
        images.get,
        shown,
        {name: ask_maps(Path(model), images) for name, model in models.items()},
    )
    page = html_report(decision, evidence, synthetic=source.synthetic)
    write_atomically(folder / HTML_REPORT, page.encode())
    _write_board(folder / BOARD, Path(request["candidate"]), decision, evidence, images)
    kept = keep_training_data(Path(request["training_index"]), Path(request["training"]))
    return {TRAINING: kept.root}


def _write_board(
    folder: Path,
    candidate: Path,
    decision: Decision,
    evidence: ReportEvidence,
    images: Mapping[str, bytes],
) -> None:
    """What TensorBoard shows of the run; it is no evidence, so nothing of it is signed."""
    from pipeline.model.judged_board import copy_training, write_judged

    lost = {name for flips in decision.flips for name in flips.lost}
    write_judged(folder, evidence, {name: images[name] for name in sorted(lost & images.keys())})
    copy_training(candidate, folder)


def _admitted(folder: Path, trained_on: Sequence[str], judging: Source) -> Admitted:
    """What DataGate found, with the pictures of both cases of each pair."""

    @functools.cache  # opened where there is a picture to show, which is seldom
    def training() -> Source:
        spec, reading = trained_on
        return open_source(spec, Reading.from_json(reading))

    def picture(case: Mapping[str, Any]) -> bytes | None:
        where = (case["shard"], case["line"], case["case_id"])
        if case["split"] == "test":
            return picture_at(judging, ("test",), where)
        return picture_at(training(), ("train", "tune"), where)

    return admitted(json.loads((folder / ADMISSION).read_bytes()), picture)


def _scores(folder: Path, golden: str | None) -> dict[str, CaseScores]:
    """What each model said that the decision compares."""
    scores = {"candidate": load_scores(folder / SCORES)}
    if (folder / CHAMPION_SCORES).exists():
        scores["champion"] = load_scores(folder / CHAMPION_SCORES)
    if golden is not None:
        scores["golden"] = load_golden(Path(golden)).scores
    return scores
