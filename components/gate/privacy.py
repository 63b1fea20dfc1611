"""Whether a model's training kept the promise of differential privacy that the policy asks for.

What the model's record states is not believed: epsilon is computed anew of the noise and the draws.
"""

import math
from collections.abc import Mapping
from typing import Any

from components.baselines.scores import CaseScores
from components.decision import CheckResult, Verdict
from components.gate.policy import Policy, PrivacyLimit
from components.privacy.mechanism import ACCOUNTANT, ADJACENCY, SAMPLING, Mechanism, epsilon

# How far another version of the accountant may come out.
STATED_TOLERANCE = 0.01
# An image that stands for itself is less than a patient who has several.
UNITS = ("image", "patient")


def privacy_checks(policy: Policy, candidate: CaseScores) -> list[CheckResult]:
    """A check where the policy has a ceiling; a model without a sound promise fails it."""
    limit = policy.privacy
    if limit is None:
        return []
    found = math.inf
    try:
        found = _epsilon(candidate.privacy, limit)
        reason = (
            f"epsilon {found:.3f} at delta {candidate.privacy['delta']:g} for each "
            f"{candidate.privacy['unit']} of the training, computed of its noise and draws, is "
        )
        reason += f"{'within' if found <= limit.epsilon_ceiling else 'above'} the ceiling"
    except _Unsound as fault:
        reason = f"no promise that holds: {fault}"
    except (KeyError, TypeError, ValueError, OverflowError):
        reason = "no promise that holds: the model's record of it cannot be read"
    kept = found <= limit.epsilon_ceiling
    return [
        CheckResult(
            check="privacy.epsilon",
            rule="privacy",
            verdict=Verdict.PASS if kept else Verdict.FAIL,
            reason=reason,
            estimate=found if math.isfinite(found) else None,
            limit=limit.epsilon_ceiling,
            role=limit.role,
        )
    ]


class _Unsound(Exception):
    """Says what is wrong with a promise."""


def _epsilon(said: Mapping[str, Any], limit: PrivacyLimit) -> float:
    """Of the mechanism that is said, where nothing else that is said speaks against it."""
    if not said:
        raise _Unsound("its training promised nothing; train it with training.privacy")
    for key, wanted in (
        ("adjacency", ADJACENCY),
        ("sampling", SAMPLING),
        ("accountant", ACCOUNTANT),
    ):
        if said[key] != wanted:
            raise _Unsound(f"got {key} {str(said[key])[:40]!r}, wanted '{wanted}'")
    if UNITS.index(said["unit"]) < UNITS.index(limit.unit):
        raise _Unsound(f"it is about each {said['unit']}, wanted each {limit.unit}")
    delta, stated = float(said["delta"]), float(said["epsilon"])
    if not 0 < delta <= limit.delta_ceiling:
        raise _Unsound(f"got delta {delta:g}, wanted above 0 and at most {limit.delta_ceiling:g}")
    mechanism = Mechanism(float(said["noise_multiplier"]), float(said["rate"]), int(said["steps"]))
    found = epsilon(mechanism, delta)
    if not abs(stated - found) <= STATED_TOLERANCE * found:
        raise _Unsound(f"it states epsilon {stated:g}, its noise and draws come to {found:.3f}")
    return found
