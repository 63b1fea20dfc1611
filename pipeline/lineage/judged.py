"""What a decision was taken on: case set, policy and each model's scores, as they were that day."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.files import sha256_file
from components.baselines.golden import load_golden
from components.baselines.scores import CaseScores, aligned, load_scores
from components.decision import Decision
from components.errors import ConfigError, IntegrityError
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Policy, load_policy
from components.lineage.record import RunRecord
from components.metrics import Outputs
from components.run_files import CHAMPION_SCORES, SCORES
from pipeline.lineage.subject import Evidence, Subject
from pipeline.workspace import Workspace

CANDIDATE, CHAMPION, GOLDEN = "candidate", "champion", "golden"


@dataclass(frozen=True)
class Judged:
    """Attributes:
    scores: by model: candidate, champion and golden, those that there were.
    outputs: the same in the order of `cases`, with patients as the decision took them.
    """

    record: RunRecord
    decision: Decision
    policy: Policy
    case_set: CaseSet
    cases: JudgedCases
    scores: Mapping[str, CaseScores]
    outputs: Mapping[str, Outputs]


def judged(evidence: Evidence, subject: Subject) -> Judged:
    """The evidence behind a run's decision, each part held against the hash it was decided on.

    Raises:
      ConfigError: the run came to no decision.
      IntegrityError: a part was altered or is gone.
    """
    record, decision = evidence.record(subject.run_id), evidence.decision(subject.run_id)
    if decision is None:
        raise ConfigError(f"run {subject.run_id}: came to no decision, so it has no figures")
    inputs, folder = record.inputs, evidence.workspace.run_folder(subject.run_id)
    policy = load_policy(_kept(evidence.workspace, "policy.yaml", inputs.policy_sha256))
    case_set = load_case_set(_kept(evidence.workspace, "case_set.json", inputs.case_set_sha256))
    scores = {CANDIDATE: load_scores(folder / SCORES)}
    if decision.hashes["champion"]:
        scores[CHAMPION] = load_scores(folder / CHAMPION_SCORES)
    if inputs.golden_file_sha256:
        golden = _kept(evidence.workspace, "golden.json", inputs.golden_file_sha256)
        scores[GOLDEN] = load_golden(golden).scores
    cases = JudgedCases(case_set)
    for model, found in scores.items():
        if found.scores_sha256 != decision.hashes.get(f"{model}_scores"):
            raise IntegrityError(f"{folder}: the {model}'s scores are not those decided on")
    patients = cases.patients if decision.patients == "clustered" else None
    outputs = {
        model: Outputs(
            cases.labels, aligned(found, case_set, who=model), found.operating_point, patients
        )
        for model, found in scores.items()
    }
    return Judged(record, decision, policy, case_set, cases, scores, outputs)


def _kept(workspace: Workspace, name: str, sha256: str | None) -> Path:
    """The copy of what the run rested on, unaltered."""
    if sha256 is None:
        raise ConfigError(f"{name}: the run's record names none")
    path = workspace.kept(name, sha256)
    if not path.exists():
        raise IntegrityError(f"{path}: is gone; restore the copy that the run kept")
    if sha256_file(path) != sha256:
        raise IntegrityError(f"{path}: was altered since the run; restore it from a copy")
    return path
