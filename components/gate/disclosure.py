"""What of a site's decision may leave the site: its verdict, and figures where its policy says so.

Figures are of all positives and of all negatives, never of a slice: two groups that overlap give a
third by subtraction. One cell that is too small hides every figure, so that no cell follows from
the others.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.baselines.case_set import CaseSet
from components.baselines.scores import CaseScores
from components.decision import Decision
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Policy
from components.gate.preconditions import align_outputs, not_finite
from components.gate.rules import judged_part
from components.metrics import Outputs

_METRICS = ("sensitivity", "specificity")
_DIGITS = 4  # more than the counts say, and less than would tell how images belong to patients
_RULES = ("floor", "non_inferiority")


def disclose(
    policy: Policy, case_set: CaseSet, scores: Mapping[str, CaseScores], decision: Decision
) -> dict[str, Any]:
    """What leaves the site, in the words of schemas/site_verdict.json.

    Args:
      scores: of `candidate`, and of `champion` and `golden` where there are any.
    """
    return {
        "verdict": decision.verdict.value,
        "decided_at": decision.created,
        "decision_sha256": decision.decision_sha256,
        "policy_sha256": policy.sha256,
        "looks": {"used": decision.looks.used, "planned": decision.looks.planned},
        "figures": _figures(policy, decision) if _may_leave(policy, case_set, scores) else [],
    }


def _may_leave(policy: Policy, case_set: CaseSet, scores: Mapping[str, CaseScores]) -> bool:
    if policy.disclosure is None or not case_set.cases:
        return False
    cases = JudgedCases(case_set)
    outputs, faults = align_outputs(scores, case_set, cases, clustered=False)
    if faults or not_finite(outputs):
        return False
    return smallest_cell(policy, cases, outputs) >= policy.disclosure.minimum_cell


def smallest_cell(policy: Policy, cases: JudgedCases, outputs: Mapping[str, Outputs]) -> int:
    """The fewest patients of any cell: a class, called right or wrong by each two models compared.

    An empty cell counts as well: that all were called right says so of each of them.
    """
    everything = np.ones(len(cases.ids), np.bool_)
    parts = {name: judged_part(policy, cases, one, everything) for name, one in outputs.items()}
    ours = parts.pop("candidate")
    aggregated = policy.patients == "aggregated"
    patients = np.arange(ours.labels.size) if aggregated else cases.patients
    splits: list[tuple[NDArray[np.bool_], ...]] = [(ours.right,)]
    splits += [(ours.right, theirs.right) for theirs in parts.values()]
    return min(
        np.unique(patients[np.logical_and.reduce(cell)]).size
        for split in splits
        for cell in itertools.product(*((it, ~it) for it in (ours.labels, *split)))
    )


def _figures(policy: Policy, decision: Decision) -> list[dict[str, Any]]:
    alphas = {check.metric: check.alpha for check in policy.checks if not check.slice}
    return [
        {
            "metric": check.metric,
            "against": check.against,
            "verdict": check.verdict.value,
            "n": check.n,
            **{
                key: round(float(getattr(check, key)), _DIGITS)
                for key in ("estimate", "lower", "upper", "limit")
            },
            "alpha": alphas[check.metric],
        }
        for check in decision.checks
        if check.metric in _METRICS
        and check.slice == "overall"
        and check.rule in _RULES
        and check.estimate is not None
    ]
