"""What a decision shows beside its checks: estimates by slice, and which cases flipped."""

from collections.abc import Mapping

from components.decision import Flips, SliceEstimate
from components.errors import TooFewCases
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Policy, slice_name
from components.metrics import METRICS, Outputs


def describe_slices(
    policy: Policy, cases: JudgedCases, candidate: Outputs
) -> tuple[SliceEstimate, ...]:
    """Every metric of the candidate overall, and those of its calls by descriptive slice.

    A metric that a slice has no case for is left out.
    """
    pieces: list[dict[str, str]] = [{}]
    for attribute in policy.descriptive_slices:
        pieces += [{attribute: value} for value in cases.values(attribute)]
    described = []
    for piece in pieces:
        ours = candidate.where(cases.mask(piece))
        for name, metric in METRICS.items():
            if piece and metric.judges == "all":
                continue  # ranking sorts every slice; the overall one answers for it
            try:
                estimate = metric.estimate(ours, alpha=policy.alpha, method=metric.methods[0])
            except TooFewCases:
                continue
            described.append(SliceEstimate(metric=name, slice=slice_name(piece), **vars(estimate)))
    return tuple(described)


def describe_flips(
    cases: JudgedCases, candidate: Outputs, baselines: Mapping[str, Outputs]
) -> tuple[Flips, ...]:
    """The cases that turned right and that turned wrong, against each baseline."""
    return tuple(
        Flips(
            against=name,
            gained=cases.chosen(candidate.right & ~baseline.right),
            lost=cases.chosen(baseline.right & ~candidate.right),
        )
        for name, baseline in baselines.items()
    )


def remarks(
    policy: Policy, cases: JudgedCases, candidate: Outputs, baselines: Mapping[str, Outputs]
) -> list[str]:
    """What a reader should know although it changes no verdict."""
    said = [
        f"descriptive slice '{attribute}': no case has this attribute"
        for attribute in policy.descriptive_slices
        if not cases.values(attribute)
    ]
    said += [
        f"every score equals the {name}'s, to the last bit"
        for name, baseline in baselines.items()
        if (candidate.scores == baseline.scores).all()
    ]
    if "champion" not in baselines:
        said.append("no champion: nothing is released yet")
    return said
