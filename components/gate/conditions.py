"""Conditions that hold or do not, whatever the calls on the cases were."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from components.baselines.scores import CaseScores
from components.decision import CheckResult, Looks, Verdict
from components.gate.judged_cases import JudgedCases
from components.gate.policy import (
    DEFAULT_AGREEMENT,
    Coverage,
    Latency,
    Policy,
    Sentinels,
    StepTime,
)
from components.gate.preconditions import problem

# Attribute to value to how many training cases have it.
TrainedOn = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class EvaluatorFindings:
    """What the other judge, working from the images, found of the same candidate.

    Attributes:
      failures: thresholds it found missed.
      faults: what it could not judge as it was asked to: other cases, a slice without any.
      missed: the gate's own check of each threshold in `failures`.
    """

    blessed: bool
    failures: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


def evaluator_checks(evaluator: EvaluatorFindings | None, *, required: bool) -> list[CheckResult]:
    if evaluator is None:
        if not required:
            return []
        return [problem("evaluator.answer", "scores", "the Evaluator gave no answer")]
    if evaluator.faults:
        # Not a matter of taste, so under a rule that nobody can waive.
        named = "; ".join(evaluator.faults)
        return [problem("evaluator.answer", "scores", f"the Evaluator could not judge: {named}")]
    if not evaluator.blessed and not evaluator.failures:
        reason = "the Evaluator did not bless, and named no failure"
        return [problem("evaluator.answer", "scores", reason)]
    if not evaluator.blessed:
        named = "; ".join(evaluator.failures)
        return [problem("evaluator", "evaluator", f"the Evaluator did not bless: {named}")]
    return [CheckResult("evaluator", "evaluator", Verdict.PASS, "the Evaluator blessed")]


def settled_by_bounds(
    checks: list[CheckResult], evaluator: EvaluatorFindings | None
) -> list[CheckResult]:
    """The checks, where the Evaluator missed only what the gate's own bounds leave open.

    It holds point estimates against the same limits, which proves as little as they do: then its
    check is INCONCLUSIVE, too, and blocks all the same.
    """
    missed = evaluator.missed if evaluator else ()
    ours = {check.check: check.verdict for check in checks}
    if not missed or any(ours.get(name) is not Verdict.INCONCLUSIVE for name in missed):
        return checks
    return [
        replace(
            check,
            verdict=Verdict.INCONCLUSIVE,
            reason=f"{check.reason}; by the bounds these are too few cases to tell",
        )
        if check.check == "evaluator"
        else check
        for check in checks
    ]


def servable_checks(candidate: CaseScores, cases: int, *, required: bool) -> list[CheckResult]:
    """A check that the model answers where it is served; nobody can waive it.

    Args:
      cases: how many have to have been answered.
      required: the model itself is judged, not a file of scores.
    """
    served = candidate.served
    if served is None and not required:
        return []
    fault = "nobody tried to serve it" if served is None else served.fault
    if served is not None and fault is None and served.cases != cases:
        fault = f"{served.cases} of {cases} cases were answered"
    elif served is not None and fault is None and served.largest_difference is None:
        fault = "nobody held its answers against each other"
    if served is None or fault is not None:
        return [problem("servable", "servable", f"TensorFlow Serving cannot run it: {fault}")]
    reason = (
        f"{served.loader} answered {served.cases} cases in batches by both signatures and "
        f"{served.alone} one by one, at most {served.largest_difference:.1e} apart"
    )
    return [CheckResult("servable", "servable", Verdict.PASS, reason, n=served.cases)]


def agreement_checks(policy: Policy, candidate: CaseScores, *, required: bool) -> list[CheckResult]:
    """A check that the bytes a client has of a case are scored as the case was.

    Where they were not asked because nothing can serve the model, `servable_checks` says so.

    Args:
      required: the model itself is judged, not a file of scores.
    """
    served = candidate.served
    found = served.agreement if served else None
    if found is None:
        if not required or served is None or served.fault:
            return []
        reason = "nobody asked the model with the bytes that the source has"
        return [problem("agreement", "agreement", reason)]
    tolerance = policy.agreement.tolerance if policy.agreement else DEFAULT_AGREEMENT
    within = found.largest_difference <= tolerance
    reason = f"{found.originals} cases have other bytes than the picture that was judged"
    if found.originals:
        reason += (
            f": scored at most {found.largest_difference:.1e} apart"
            + (f" ({found.case_id})" if found.case_id else "")
            + f", {'within' if within else 'more than'} the tolerance {tolerance}; "
            f"{found.recalled} called otherwise, {found.unreadable} that TensorFlow cannot read"
        )
    return [
        CheckResult(
            check="agreement",
            rule="agreement",
            verdict=Verdict.PASS if within else Verdict.FAIL,
            reason=reason,
            n=found.originals,
            estimate=found.largest_difference,
            limit=tolerance,
        )
    ]


def agreed_limits(policy: Policy, cases: JudgedCases, candidate: CaseScores) -> list[CheckResult]:
    """The limits that are no matter of right or wrong calls: enough sentinels, and times."""
    results = []
    if policy.sentinels:
        results.append(_enough_sentinels(policy.sentinels, int(np.count_nonzero(cases.sentinels))))
    if policy.latency:
        measured = (candidate.latency_ms or {}).get("p95")
        results.append(_within_time("latency", "a call with one image", policy.latency, measured))
    if policy.step_time:
        measured = candidate.step_ms.get("p95")
        results.append(_within_time("step_time", "a step of training", policy.step_time, measured))
    return results


def looks_checks(looks: Looks) -> list[CheckResult]:
    """A check where the case set is counted; more looks than planned prove nothing any more."""
    if looks.used is None:
        return []
    within = looks.used <= looks.planned
    return [
        CheckResult(
            check="looks",
            rule="looks",
            verdict=Verdict.PASS if within else Verdict.INCONCLUSIVE,
            reason=f"look {looks.used} of {looks.planned} planned at these cases"
            + ("" if within else "; renew the case set, or plan more looks and say why"),
            estimate=float(looks.used),
            limit=float(looks.planned),
        )
    ]


def _enough_sentinels(rule: Sentinels, marked: int) -> CheckResult:
    enough = marked >= rule.at_least
    return CheckResult(
        check="sentinels.marked",
        rule="sentinel",
        verdict=Verdict.PASS if enough else Verdict.FAIL,
        reason=f"the case set marks {marked} never-miss cases, the policy wants at least "
        f"{rule.at_least}" + ("" if enough else "; mark them with `casegate cases amend`"),
        n=marked,
        limit=float(rule.at_least),
    )


def _within_time(
    rule: str, what: str, limit: Latency | StepTime, measured_ms: float | None
) -> CheckResult:
    known = measured_ms is not None and math.isfinite(measured_ms)
    if not known:
        verdict, reason = Verdict.INCONCLUSIVE, "it was not measured"
    elif measured_ms <= limit.p95_ms:  # type: ignore[operator]
        verdict, reason = Verdict.PASS, f"{measured_ms} ms is within {limit.p95_ms} ms"
    else:
        verdict, reason = Verdict.FAIL, f"{measured_ms} ms is above {limit.p95_ms} ms"
    return CheckResult(
        check=f"{rule}.p95",
        rule=rule,
        verdict=verdict,
        reason=f"95th percentile of {what}: {reason}",
        estimate=measured_ms if known else None,
        limit=limit.p95_ms,
        role=limit.role,
    )


def coverage_checks(
    rule: Coverage, cases: JudgedCases, trained_on: TrainedOn | None
) -> list[CheckResult]:
    """A check for each value that an attribute of the rule has in the case set.

    A model that never saw a device can do as well on the few cases of it as chance allows; that the
    device was missing from its training data is known without any statistics.

    Args:
      trained_on: None where the training is not known: then nothing is shown, and nothing passes.
    """
    return [
        _covered(rule, attribute, value, trained_on)
        for attribute in rule.attributes
        for value in cases.values(attribute) or [""]
    ]


def _covered(
    rule: Coverage, attribute: str, value: str, trained_on: TrainedOn | None
) -> CheckResult:
    piece = f"{attribute}={value}"
    count = (trained_on or {}).get(attribute, {}).get(value, 0)
    verdict = Verdict.PASS if count >= rule.at_least else Verdict.FAIL
    reason = f"{count} training cases have {attribute} '{value}', wanted {rule.at_least}"
    if not value:
        verdict, piece = Verdict.FAIL, attribute
        reason = f"no case of the case set has the attribute '{attribute}'; correct the policy"
    elif trained_on is None:
        verdict, reason = Verdict.INCONCLUSIVE, "what the candidate was trained on is not known"
    elif attribute not in trained_on:
        reason = f"no training case says its {attribute}: add it, or leave it out of the policy"
    return CheckResult(
        check=f"coverage[{piece}]",
        rule="coverage",
        verdict=verdict,
        reason=reason,
        slice=piece,
        n=count,
        limit=float(rule.at_least),
    )
