"""RegressionGate: reads scores and baselines, decides, and blesses what Pusher may push.

Never raises for a verdict: TFX deletes the outputs of a component that raises, and the
decision is the output that matters most.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import ModelBlessing, ModelEvaluation

from components.artifacts import (
    CaseIndex,
    CaseScoresArtifact,
    DataAdmission,
    DecisionArtifact,
    ExportScoresArtifact,
    ReferenceArtifact,
    SiteAnswersArtifact,
)
from components.attestation.site import load_answers
from components.baselines.case_set import load_case_set
from components.baselines.export_scores import ExportScores, load_export_scores
from components.baselines.golden import load_golden
from components.baselines.scores import load_scores, save_scores
from components.decision import Verdict, load_decision, save_decision
from components.gate.describe import describe_operating_point
from components.gate.evaluation import evaluator_findings
from components.gate.policy import load_policy
from components.gate.record import judge, record
from components.records.errors import IntegrityError
from components.records.export import EXPORTS, TFJS, TFLITE_FLOAT, TFLITE_FLOAT16, TFLITE_INT8
from components.records.files import sha256_file, sync_tree, write_atomically
from components.records.ledger.ledger import Ledger
from components.records.problems import report_error
from components.records.run_files import (
    ADMISSION,
    CHAMPION_SCORES,
    DECISION,
    REFERENCE,
    REQUEST,
    SCORES,
    SITES,
    STATISTICS,
    read_request,
)


@component
def RegressionGate(
    training_index: InputArtifact[CaseIndex],
    case_index: InputArtifact[CaseIndex],
    admission: InputArtifact[DataAdmission],
    evaluation: InputArtifact[ModelEvaluation],
    evaluator_blessing: InputArtifact[ModelBlessing],
    candidate: InputArtifact[CaseScoresArtifact],
    reference: InputArtifact[ReferenceArtifact],
    decision: OutputArtifact[DecisionArtifact],
    blessing: OutputArtifact[ModelBlessing],
    request: Parameter[str],
    code_sha256: Parameter[str],
    problems: Parameter[str],
    champion: InputArtifact[CaseScoresArtifact] = None,
    tflite_int8: InputArtifact[ExportScoresArtifact] = None,
    tflite_float16: InputArtifact[ExportScoresArtifact] = None,
    tflite_float: InputArtifact[ExportScoresArtifact] = None,
    tfjs: InputArtifact[ExportScoresArtifact] = None,
    sites: InputArtifact[SiteAnswersArtifact] = None,
) -> None:
    """Writes `decision.json` and a blessing; blesses only a PASS that is not released already.

    Exported artefacts, one input for each kind, are judged as they lie in the run's folder.

    Args:
      request: JSON as `Inputs.gate_request` makes it: what to judge by, and where to say so.
    """
    with report_error(problems):
        asked = json.loads(request)
        case_set = load_case_set(_verified(asked["case_set"]))
        champion_scores = _champion_scores(asked, champion)
        golden = load_golden(_verified(asked["golden"])) if asked["golden"][1] else None
        models = {
            "champion": champion_scores.model_sha256 if champion_scores else None,
            "golden": golden.scores.model_sha256 if golden else None,
        }
        summary, cases = (
            json.loads((Path(index.uri) / "summary.json").read_text("utf-8"))
            for index in (training_index, case_index)
        )
        admitted = json.loads((Path(admission.uri) / ADMISSION).read_text("utf-8"))
        folder, ledger = Path(asked["run_folder"]), Ledger(Path(asked["ledger"]))
        kept_scores = Path(reference.uri) / REFERENCE
        exported = {TFLITE_INT8: tflite_int8, TFLITE_FLOAT16: tflite_float16}
        exported |= {TFLITE_FLOAT: tflite_float, TFJS: tfjs}
        decided = judge(
            ledger,
            folder.parent,
            policy=load_policy(_verified(asked["policy"])),
            case_set=case_set,
            candidate=load_scores(Path(candidate.uri) / SCORES),
            champion=champion_scores,
            golden=golden,
            evaluator=evaluator_findings(
                evaluation.uri,
                blessed=evaluator_blessing.get_int_custom_property("blessed") == 1,
                cases=len(case_set.cases),
            ),
            findings=[
                *summary["findings"],
                *([] if asked["trained_elsewhere"] else describe_operating_point(kept_scores)),
                *cases["findings"],
                *admitted["findings"],
                *asked["findings"],
            ],
            trained_on=summary["trained_on"],
            run_id=asked["run_id"],
            same_inputs=_same_inputs(asked, models),
            exports={
                kind: _kept_export(folder / EXPORTS / kind, exported[kind])
                for kind in asked["exports"]
            },
            released_exports=asked["released_exports"],
            sites=load_answers(Path(sites.uri) / SITES) if sites else None,
        )
        kept = {
            SCORES: candidate.uri,
            STATISTICS: admission.uri,
            ADMISSION: admission.uri,
            REFERENCE: reference.uri,
            **({SITES: sites.uri} if sites else {}),
        }
        for name, uri in kept.items():
            write_atomically(folder / name, (Path(uri) / name).read_bytes())
        if champion_scores:
            save_scores(champion_scores, folder / CHAMPION_SCORES)
        for path in (Path(decision.uri), folder):
            save_decision(decided, path / DECISION)
        record(ledger, decided)  # before anything can be pushed on the strength of it
        _bless(blessing, decided.verdict is Verdict.PASS and not decided.already_released)


def _champion_scores(asked: dict[str, Any], champion: Any) -> Any:
    """Of the released model as this run scored it, or as somebody kept them; None without one."""
    if champion:
        return load_scores(Path(champion.uri) / SCORES)
    return load_scores(_verified(asked["champion"])) if asked["champion"][1] else None


def _kept_export(kept: Path, found: Any) -> ExportScores | IntegrityError:
    """What was found of an artefact, copied to the run's folder first.

    Its faults are the artefact's own: the model may be released without it.
    """
    if not found:
        return IntegrityError(f"{kept.name}: the graph made none; run again")
    shutil.copytree(found.uri, kept)
    sync_tree(kept)
    try:
        return load_export_scores(kept, kept.name)
    except IntegrityError as error:
        return IntegrityError(str(error).replace(f"{kept.parent}/", ""))


def _verified(named: list[str]) -> Path:
    """The path, if its content still has the hash it came with."""
    path = Path(named[0])
    if sha256_file(path) != named[1]:
        raise IntegrityError(f"{path}: changed during the run; run again")
    return path


def _same_inputs(asked: dict[str, Any], models: dict[str, str | None]) -> set[str]:
    """The baselines that a run here trained from exactly what the candidate was trained from."""
    trained: set[str | None] = set()
    for path in Path(asked["run_folder"]).parent.glob(f"*/{DECISION}"):
        request = path.parent / REQUEST
        if not request.exists():
            continue
        known = read_request(request)
        if known["training_sha256"] == asked["training_sha256"]:
            trained.add(load_decision(path).hashes["candidate"])
    return {name for name, sha256 in models.items() if sha256 in trained}


def _bless(blessing: Any, blessed: bool) -> None:
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    write_atomically(Path(blessing.uri) / name, b"")
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY,
        constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE,
    )
