"""A failed check that two people let through by name: visibly, for one model, until a date.

A waiver changes no verdict of a check; it only takes the check out of what blocks. What no person
can answer for is never waived: integrity, scores that are not numbers, sentinels, a gate that
failed its own test, a missing baseline.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from components.decision import CheckResult, WaiverNote
from components.records.ledger.records import Waiver

WAIVABLE = frozenset(("floor", "ceiling", "non_inferiority", "negative_flips"))
WAIVABLE |= {"latency", "looks", "coverage", "evaluator", "attention", "step_time"}


@dataclass(frozen=True)
class WaivedSubject:
    """What a waiver has to name to hold: these files, judged on these cases by this policy."""

    candidate_sha256: str
    case_set_root: str
    policy_sha256: str
    day: str  # ISO 8601, UTC


def apply_waivers(
    checks: Iterable[CheckResult], waivers: Sequence[Waiver], judged: WaivedSubject
) -> tuple[list[CheckResult], tuple[WaiverNote, ...]]:
    """The checks, with those waived that a valid waiver names, and what became of each waiver."""
    ours = [waiver for waiver in waivers if _names(waiver, judged)]
    holding = {waiver.check for waiver in ours if waiver.expires >= judged.day}
    results = [
        replace(check, waived=True) if check.check in holding and _waivable(check) else check
        for check in checks
    ]
    waived = {check.check for check in results if check.waived}
    return results, tuple(_note(waiver, waived, judged.day) for waiver in ours)


def _names(waiver: Waiver, judged: WaivedSubject) -> bool:
    return (waiver.candidate_sha256, waiver.case_set_root, waiver.policy_sha256) == (
        judged.candidate_sha256,
        judged.case_set_root,
        judged.policy_sha256,
    )


def _waivable(check: CheckResult) -> bool:
    return check.open and check.rule in WAIVABLE


def _note(waiver: Waiver, waived: set[str], day: str) -> WaiverNote:
    state = "applied" if waiver.check in waived else "not_needed"
    if waiver.expires < day:
        state = "expired"
    people = waiver.by, waiver.second
    return WaiverNote(waiver.check, *people, waiver.reason, waiver.expires, state)
