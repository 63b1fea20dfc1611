"""What a decision was taken on: case set, policy and each model's scores, as they were that day."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import load_golden
from components.baselines.names import CASE_SET as CASE_SET_FILE
from components.baselines.names import GOLDEN as GOLDEN_FILE
from components.baselines.names import POLICY as POLICY_FILE
from components.baselines.scores import CaseScores, aligned, load_scores
from components.decision import Decision
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Policy, load_policy
from components.lineage.record import RunRecord
from components.metrics import Outputs
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_file
from components.records.run_files import CHAMPION_SCORES, SCORES
from pipeline.evidence.subject import Evidence, Subject, judging_files
from pipeline.governance.decided import baseline_named_by

CANDIDATE, CHAMPION, GOLDEN = "candidate", "champion", "golden"


@dataclass(frozen=True)
class JudgedRun:
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

    def on_its_terms(self, scores: CaseScores) -> Outputs:
        """Another model's scores on the same cases, patients taken as this decision took them."""
        return _outputs(self.cases, self.case_set, self.decision, scores, "other model")


def judged(evidence: Evidence, subject: Subject) -> JudgedRun:
    """The evidence behind a run's decision, each part held against the hash it was decided on.

    Raises:
      ConfigError: the run came to no decision.
      IntegrityError: a part was altered or is gone.
    """
    record, decision = evidence.record(subject.run_id), evidence.decision(subject.run_id)
    if decision is None:
        raise ConfigError(f"run {subject.run_id}: came to no decision, so it has no figures")
    inputs, folder = record.inputs, evidence.workspace.run_folder(subject.run_id)
    policy = load_policy(kept(evidence, record, POLICY_FILE))
    case_set = load_case_set(kept(evidence, record, CASE_SET_FILE))
    scores = {CANDIDATE: load_scores(folder / SCORES)}
    if decision.hashes["champion"]:
        scores[CHAMPION] = load_scores(folder / CHAMPION_SCORES)
    if inputs.golden_file_sha256:
        scores[GOLDEN] = load_golden(kept(evidence, record, GOLDEN_FILE)).scores
    cases = JudgedCases(case_set)
    for model, found in scores.items():
        if found.scores_sha256 != decision.hashes.get(f"{model}_scores"):
            raise IntegrityError(f"{folder}: the {model}'s scores are not those decided on")
    outputs = {
        model: _outputs(cases, case_set, decision, found, model) for model, found in scores.items()
    }
    return JudgedRun(record, decision, policy, case_set, cases, scores, outputs)


def _outputs(
    cases: JudgedCases, case_set: CaseSet, decision: Decision, scores: CaseScores, who: str
) -> Outputs:
    patients = cases.patients if decision.patients == "clustered" else None
    answers = aligned(scores, case_set, who=who)
    return Outputs(cases.labels, answers, scores.operating_point, patients)


def kept(evidence: Evidence, record: RunRecord, name: str) -> Path:
    """A file that a run rested on.

    Raises:
      ConfigError: the run's record names none.
      IntegrityError: it was altered, or is kept nowhere any more.
    """
    if path := kept_anywhere(evidence, record, name):
        return path
    if (sha256 := judging_files(record.inputs)[name]) is None:
        raise ConfigError(f"{name}: the record of run {record.run_id} names none")
    where = evidence.workspace.kept(name, sha256)
    raise IntegrityError(f"{where}: is gone; restore the copy that the run kept")


def kept_anywhere(evidence: Evidence, record: RunRecord, name: str) -> Path | None:
    """The run's copy, else the baseline's own where that is still the same; None for neither.

    Raises:
      IntegrityError: the copy was altered.
    """
    sha256 = judging_files(record.inputs)[name]
    if sha256 is None:
        return None
    if copy := evidence.kept(name, sha256):
        return copy
    try:
        own = baseline_named_by(evidence.workspace.run_folder(record.run_id)) / name
    except IntegrityError:
        return None
    return own if own.exists() and sha256_file(own) == sha256 else None
