"""What a decision shows beside its checks: estimates by slice, and which cases flipped."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from components.decision import Comparison, Flips, SliceEstimate
from components.gate.judged_cases import JudgedCases
from components.gate.policy import DEFAULT_ALPHA, Policy, slice_name
from components.metrics import METRICS, Outputs
from components.metrics.calibration import refuse_improbable
from components.metrics.calls import sensitivity
from components.records.errors import NothingEvaluated
from components.statistics.calibration_line import calibration_line
from components.statistics.mcnemar import mcnemar
from components.statistics.multiplicity import holm


def describe_slices(
    policy: Policy, cases: JudgedCases, candidate: Outputs
) -> tuple[SliceEstimate, ...]:
    """Every metric of the candidate overall, and those of its calls by descriptive slice.

    A metric that a slice has no case for is left out.
    """
    described = []
    for piece in _pieces(policy, cases, judged=False):
        ours = candidate.where(cases.mask(piece))
        for name, metric in METRICS.items():
            if piece and metric.judges == "all":
                continue  # ranking sorts every slice; the overall one answers for it
            try:
                estimate = metric.estimate(ours, alpha=policy.alpha, method=metric.methods[0])
            except NothingEvaluated:
                continue
            described.append(SliceEstimate(metric=name, slice=slice_name(piece), **vars(estimate)))
    return (*described, *_calibration_line(policy, candidate))


def _calibration_line(policy: Policy, candidate: Outputs) -> list[SliceEstimate]:
    """Slope (1 is calibrated) and intercept (0 is), where the scores are probabilities."""
    try:
        refuse_improbable(candidate, "calibration")
        line = calibration_line(candidate.scores, candidate.labels, alpha=policy.alpha)
    except NothingEvaluated:
        return []
    return [
        SliceEstimate(metric=name, slice="overall", n=line.n, method="wald", **vars(coefficient))
        for name, coefficient in (
            ("calibration_slope", line.slope),
            ("calibration_intercept", line.intercept),
        )
    ]


def describe_flips(
    cases: JudgedCases, candidate: Outputs, baselines: Mapping[str, Outputs]
) -> tuple[Flips, ...]:
    """The cases that turned right and that turned wrong, against each baseline."""
    return tuple(
        Flips(
            against=name,
            gained=cases.chosen(candidate.right & ~baseline.right),
            lost=cases.chosen(baseline.right & ~candidate.right),
            lost_sentinels=cases.chosen(baseline.right & ~candidate.right & cases.sentinels),
        )
        for name, baseline in baselines.items()
    )


def describe_changes(
    policy: Policy, cases: JudgedCases, candidate: Outputs, baselines: Mapping[str, Outputs]
) -> tuple[Comparison, ...]:
    """Where the change against each baseline lies: every slice that the policy names.

    Each baseline is a family of its own for Holm's procedure. A slice without cases is left out.
    """
    return tuple(
        comparison
        for name, baseline in baselines.items()
        for comparison in _changes(policy, cases, candidate, baseline, name)
    )


def _changes(
    policy: Policy, cases: JudgedCases, candidate: Outputs, baseline: Outputs, name: str
) -> list[Comparison]:
    found = []
    for piece in _pieces(policy, cases, judged=True):
        for metric, class_ in (("sensitivity", cases.labels), ("specificity", ~cases.labels)):
            mask = cases.mask(piece) & class_
            if not (n := int(np.count_nonzero(mask))):
                continue
            ours, theirs = candidate.right & mask, baseline.right & mask
            both = int(np.count_nonzero(ours & theirs))
            gained = int(np.count_nonzero(ours)) - both
            lost = int(np.count_nonzero(theirs)) - both
            counts = {"both": both, "gained": gained, "lost": lost}
            found.append((metric, slice_name(piece), n, counts, mcnemar(gained, lost)))
    adjusted = holm([test.exact for *_, test in found])
    return [
        Comparison(
            against=name,
            metric=metric,
            slice=piece_name,
            **counts,
            neither=n - sum(counts.values()),
            exact=test.exact,
            mid_p=test.mid_p,
            asymptotic=test.asymptotic,
            holm=float(p),
            regressed=counts["lost"] > counts["gained"] and bool(p <= 2 * policy.alpha),
        )
        for (metric, piece_name, n, counts, test), p in zip(found, adjusted)
    ]


def _pieces(policy: Policy, cases: JudgedCases, *, judged: bool) -> list[dict[str, str]]:
    """All cases, every value of the descriptive attributes and, if `judged`, the gated slices."""
    pieces: list[dict[str, str]] = [{}]
    if judged:
        pieces += [dict(check.slice) for check in policy.checks]
    for attribute in policy.descriptive_slices:
        pieces += [{attribute: value} for value in cases.values(attribute)]
    return [piece for place, piece in enumerate(pieces) if piece not in pieces[:place]]


def describe_operating_point(reference: Path) -> list[str]:
    """What the candidate's operating point rests on: the tuning cases and its scores of them.

    Args:
      reference: as ReferenceScorer writes it; the tuning split of a model without answers is empty.
    """
    with np.load(reference, allow_pickle=False) as kept:
        labels, scores, point = kept["labels"] == 1, kept["scores"], float(kept["operating_point"])
        patients = np.unique(kept["patient_ids"], return_inverse=True)[1]
    if not labels.any() or not np.isfinite(point):
        return []
    tuned = Outputs(labels, scores, point, patients)
    found = sensitivity(tuned, alpha=DEFAULT_ALPHA)
    return [
        f"operating point {point:.4f}: chosen on {found.n} positive tuning images of "
        f"{np.unique(patients[labels]).size} patients, of which it calls {found.estimate:.3f}, "
        f"interval {found.lower:.3f} to {found.upper:.3f}: the sensitivity that it aims at is "
        "known no better"
    ]


def remarks(
    policy: Policy, cases: JudgedCases, candidate: Outputs, baselines: Mapping[str, Outputs]
) -> list[str]:
    """What a reader should know although it changes no verdict."""
    absent = [name for name in policy.descriptive_slices if not cases.values(name)]
    named = ", ".join(f"'{name}'" for name in absent)
    found = [f"descriptive slices: no case has {named}"] if absent else []
    found += [
        f"every score equals the {name}'s, to the last bit"
        for name, baseline in baselines.items()
        if (candidate.scores == baseline.scores).all()
    ]
    if "champion" not in baselines:
        found.append("no champion: nothing is released yet")
    return found
