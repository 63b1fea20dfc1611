"""What has to hold of the scores before any rule can be applied to them."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from components.baselines.case_set import CaseSet
from components.baselines.scores import CaseScores, aligned
from components.decision import CheckResult, Verdict
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Policy
from components.metrics import METRICS, Outputs
from components.records.errors import IntegrityError

NO_GOLDEN = CheckResult(
    "baseline.golden", "baseline", Verdict.INCONCLUSIVE, "no golden scores: bootstrap by name"
)


@dataclass(frozen=True, eq=False)
class Withdrawn:
    """A model that a named person rolled back.

    Attributes:
      model_sha256: hex, over its files.
      scores: its scores of the cases, None where that is not known.
      why: who rolled it back, when and for what reason, in one line.
    """

    model_sha256: str
    scores: CaseScores | None
    why: str


def align_outputs(
    models: Mapping[str, CaseScores], case_set: CaseSet, cases: JudgedCases, *, clustered: bool
) -> tuple[dict[str, Outputs], list[CheckResult]]:
    """Each model's answers in the order of the cases, or why they are for other cases.

    Args:
      clustered: whether several cases of one patient are to be corrected for.
    """
    outputs, faults = {}, []
    for name, model in models.items():
        try:
            scores = aligned(model, case_set, who=f"{name} scores")
        except IntegrityError as error:
            faults.append(problem(f"scores.cases.{name}", "scores", str(error)))
        else:
            patients = cases.patients if clustered else None
            outputs[name] = Outputs(cases.labels, scores, model.operating_point, patients)
    return outputs, faults


def not_finite(outputs: Mapping[str, Outputs]) -> list[CheckResult]:
    """A failing check for each model with a score or operating point that is NaN or infinite."""
    problems = []
    for name, model in outputs.items():
        wrong = int(np.count_nonzero(~np.isfinite(model.scores)))
        if wrong:
            reason = f"{wrong} of {model.scores.size} {name} scores are NaN or infinite"
            problems.append(problem(f"scores.finite.{name}", "scores", reason))
        if not math.isfinite(model.operating_point):
            reason = f"the {name}'s operating point is {model.operating_point}, wanted a number"
            problems.append(problem(f"scores.operating_point.{name}", "scores", reason))
    return problems


def unfit_scores(
    policy: Policy, outputs: Mapping[str, Outputs], *, judged: str = "candidate"
) -> list[CheckResult]:
    """A failing check for scores whose figures would say nothing, however good they are.

    Args:
      judged: whose scores may be neither the labels nor all the same.
    """
    called = bool(policy.negative_flips or policy.sentinels) or any(
        METRICS[check.metric].judges != "all" for check in policy.checks
    )
    problems = []
    for name, model in outputs.items():
        low, high = float(model.scores.min()), float(model.scores.max())
        if (
            called
            and not 0 <= min(low, model.operating_point) <= max(high, model.operating_point) <= 1
        ):
            reason = (
                f"the {name}'s scores lie from {low:g} to {high:g} and are called at "
                f"{model.operating_point:g}, wanted probabilities from 0 to 1"
            )
            problems.append(problem(f"scores.range.{name}", "scores", reason))
    ours = outputs[judged]
    if (ours.scores == ours.labels).all():
        reason = f"the {judged}'s scores are the labels themselves, to the last bit"
        problems.append(problem("scores.labels", "scores", reason))
    elif ours.labels.any() and not ours.labels.all() and np.ptp(ours.scores) == 0:
        reason = f"the {judged} gives every case the same score, {ours.scores[0]:g}"
        problems.append(problem("scores.constant", "scores", reason))
    return problems


def baseline_checks(
    models: Mapping[str, CaseScores], same_inputs: Collection[str]
) -> list[CheckResult]:
    """Whether there is something to compare with, and it is not the candidate by mistake."""
    ours = models["candidate"].model_sha256
    checks = [
        problem(
            f"baseline.{name}",
            "baseline",
            f"the candidate is the {name} itself although its inputs differ: a model compared "
            "with itself by mistake",
            against=name,
        )
        for name in models
        if name != "candidate" and models[name].model_sha256 == ours and name not in same_inputs
    ]
    if "golden" not in models:
        checks.append(NO_GOLDEN)
    return checks


def unservable_baselines(models: Mapping[str, CaseScores]) -> list[str]:
    """A remark on each baseline that cannot be served any more, and judges all the same."""
    return [
        f"the {name} cannot be served, and was scored by Python's loader: {scores.served.fault}"
        for name, scores in models.items()
        if name != "candidate" and scores.served and scores.served.fault
    ]


def withdrawn_checks(candidate: CaseScores, withdrawn: Iterable[Withdrawn]) -> list[CheckResult]:
    """A failing check where the candidate is a model that was rolled back, retrained or not."""
    return [
        problem("baseline.withdrawn", "baseline", f"this model was rolled back: {model.why}")
        for model in withdrawn
        if model.model_sha256 == candidate.model_sha256
        or (model.scores is not None and _gave_the_same_scores(candidate, model.scores))
    ][:1]


def _gave_the_same_scores(ours: CaseScores, theirs: CaseScores) -> bool:
    return (
        ours.scored_case_set == theirs.scored_case_set
        and ours.operating_point == theirs.operating_point
        and ours.case_ids == theirs.case_ids
        and bool((ours.scores == theirs.scores).all())
    )


def same_scores(ours: Outputs, champion: Outputs | None) -> bool:
    """Saving one model twice gives different files, so the scores say whether it is the same."""
    if champion is None or ours.operating_point != champion.operating_point:
        return False
    return bool((ours.scores == champion.scores).all())


def problem(check: str, rule: str, reason: str, *, against: str = "none") -> CheckResult:
    """A check that fails before it could be judged."""
    return CheckResult(check, rule, Verdict.FAIL, reason, against=against)
