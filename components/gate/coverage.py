"""Whether the candidate was trained on what it is judged on.

A model that never saw a device can do as well on the few cases of it as chance allows; that the
device was missing from its training data is known without any statistics.
"""

from collections.abc import Mapping

from components.decision import CheckResult, Verdict
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Coverage

# Attribute to value to how many training cases have it.
TrainedOn = Mapping[str, Mapping[str, int]]


def coverage_checks(
    rule: Coverage, cases: JudgedCases, trained_on: TrainedOn | None
) -> list[CheckResult]:
    """A check for each value that an attribute of the rule has in the case set.

    Args:
      trained_on: None where the training is not known: then nothing is shown, and nothing passes.
    """
    return [
        _of_value(rule, attribute, value, trained_on)
        for attribute in rule.attributes
        for value in cases.values(attribute) or [""]
    ]


def _of_value(
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
