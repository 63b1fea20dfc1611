"""RegressionGate: reads scores and baselines, decides, and blesses what Pusher may push.

Never raises for a verdict: TFX deletes the outputs of a component that raises, and the
decision is the output that matters most.
"""

import json
from pathlib import Path
from typing import Any

from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import ModelBlessing, ModelEvaluation

from components.artifacts import CaseIndex, CaseScores, DataAdmission, Decision
from components.baselines.case_set import load_case_set
from components.baselines.files import sha256_file, write_atomically
from components.baselines.golden import load_golden
from components.baselines.scores import load_scores
from components.errors import IntegrityError
from components.gate.decide import decide
from components.gate.decision import Verdict, save_decision
from components.gate.evaluation import evaluator_findings
from components.gate.policy import load_policy
from components.problems import reported
from components.run_files import DECISION, REQUEST, SCORES, STATISTICS


@component
def RegressionGate(
    training_index: InputArtifact[CaseIndex],
    admission: InputArtifact[DataAdmission],
    evaluation: InputArtifact[ModelEvaluation],
    evaluator_blessing: InputArtifact[ModelBlessing],
    candidate: InputArtifact[CaseScores],
    decision: OutputArtifact[Decision],
    blessing: OutputArtifact[ModelBlessing],
    request: Parameter[str],
    code_sha256: Parameter[str],
    problems: Parameter[str],
    champion: InputArtifact[CaseScores] = None,
) -> None:
    """Writes `decision.json` and a blessing; blesses only a PASS that is not released already.

    Args:
      request: JSON as `Inputs.gate_request` makes it: what to judge by, and where to say so.
    """
    with reported(problems):
        asked = json.loads(request)
        policy_path, case_set_path = _verified(asked["policy"]), _verified(asked["case_set"])
        golden_path = _verified(asked["golden"])
        case_set = load_case_set(case_set_path)
        summary = json.loads((Path(training_index.uri) / "summary.json").read_text("utf-8"))
        decided = decide(
            policy=load_policy(policy_path),
            case_set=case_set,
            candidate=load_scores(Path(candidate.uri) / SCORES),
            champion=load_scores(Path(champion.uri) / SCORES) if champion else None,
            golden=load_golden(golden_path) if golden_path else None,
            evaluator=evaluator_findings(
                evaluation.uri,
                blessed=evaluator_blessing.get_int_custom_property("blessed") == 1,
                cases=len(case_set.cases),
            ),
            findings=[*summary["findings"], *_first_release(champion)],
            run_id=asked["run_id"],
            created=asked["created"],
            same_inputs=_same_inputs(asked),
        )
        folder = Path(asked["run_folder"])
        for path in (Path(decision.uri), folder):
            save_decision(decided, path / DECISION)
        scores = Path(candidate.uri) / SCORES
        write_atomically(folder / SCORES, scores.read_bytes())
        statistics = Path(admission.uri) / STATISTICS
        write_atomically(folder / STATISTICS, statistics.read_bytes())
        _bless(blessing, decided.verdict is Verdict.PASS and not decided.already_released)


def _verified(named: list[str]) -> Path | None:
    """The path, if its content still has the hash it came with; None for a hash of nothing."""
    path, wanted = Path(named[0]), named[1]
    if not wanted:
        return None
    if sha256_file(path) != wanted:
        raise IntegrityError(f"{path}: changed during the run; run again")
    return path


def _same_inputs(asked: dict[str, Any]) -> bool:
    """Whether the champion was trained from exactly what the candidate was trained from."""
    if not asked["champion_decision"]:
        return False
    before = Path(asked["champion_decision"]).parent / REQUEST
    if not before.exists():
        return False
    known = json.loads(before.read_text(encoding="utf-8"))
    return bool(known["training_sha256"] == asked["training_sha256"])


def _first_release(champion: Any) -> list[str]:
    return [] if champion else ["nothing is released yet: there is no champion to compare with"]


def _bless(blessing: Any, blessed: bool) -> None:
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    write_atomically(Path(blessing.uri) / name, b"")
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY,
        constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE,
    )
