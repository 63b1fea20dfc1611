"""The decision taken once more, from the scores and the policy in a bundle.

So an auditor sees that the verdict follows from the evidence, and need not take it on trust. What
only the run could know is taken as recorded and named: the Evaluator's finding, which works from
the pictures, and whether a model is one that was rolled back, where its scores are not here.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from components.baselines.case_set import CaseSet
from components.baselines.scores import CaseScores, OriginalsAgreement, Servability
from components.cases.index import count_values
from components.decision import CheckResult, Decision
from components.gate.conditions import EvaluatorFindings, TrainedOn
from components.gate.decide import decide
from components.gate.exports import EXPORTED, export_checks
from components.gate.preconditions import Withdrawn
from components.gate.rules import overall_verdict
from components.lineage.training import TrainingRow
from components.records.errors import IntegrityError
from components.records.ledger.ledger import Entry
from components.records.ledger.records import looks_by_name, waivers, withdrawn
from pipeline.evidence.bundle.checked_bundle import BundleEvidence

_EVALUATOR = ("evaluator", "evaluator.answer")
_SERVABLE, _AGREEMENT = "servable", "agreement"
_WITHDRAWN = "baseline.withdrawn"
# Another processor or another build of SciPy may differ in the last digits; a verdict may not.
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12
# All that the decision says and a reader can recompute, but for checks and findings.
_COMPARED = (
    "policy", "alpha", "case_set", "hashes", "operating_points", "patients", "looks", "flips",
    "comparisons", "waivers", "self_tests", "slices", "already_released",
)  # fmt: skip


@dataclass(frozen=True)
class RejudgedBundle:
    """How many `checks` came out as recorded, and which were not taken again, and why."""

    checks: int
    as_recorded: tuple[str, ...]


def rejudge(recorded: Decision, given: BundleEvidence, before: tuple[Entry, ...]) -> RejudgedBundle:
    """Takes the decision again and compares.

    Args:
      given: with policy, case set and the candidate's scores.
      before: the ledger's entries before that of the decision.

    Raises:
      IntegrityError: names the first check or figure that comes out otherwise.
    """
    again, untaken = _decide_again(recorded, given, before), _untaken(recorded, given, before)
    # What was not judged again stands as it is recorded.
    merged = [c for c in recorded.checks if c.check in untaken and c.rule != "export"]
    merged += [check for check in again.checks if check.check not in untaken]
    merged += export_checks(recorded.exports)
    _compare_checks(recorded, merged)
    verdict = overall_verdict(merged)
    if verdict is not recorded.verdict:
        raise IntegrityError(
            f"decision.json: says {recorded.verdict.value}, its checks come to {verdict.value}"
        )
    if again.verdict is verdict and again.exit_code != recorded.exit_code:
        raise IntegrityError(
            f"decision.json: says exit code {recorded.exit_code}, judged again it is "
            f"{again.exit_code}"
        )
    old, new = (_compared(one, recorded) for one in (recorded, again))
    if fault := _difference(old, new):
        raise IntegrityError(f"decision.json: {fault}")
    names = [check.check for check in recorded.checks if check.check in untaken]
    kept = tuple(f"{name}: {untaken[name]}" for name in names)
    return RejudgedBundle(len(recorded.checks) - len(names), kept)


def _compared(decision: Decision, recorded: Decision) -> dict[str, Any]:
    """What is compared of a decision; what rests on artefacts' scores is not, where there are."""
    found = {name: asdict(decision)[name] for name in _COMPARED}
    if recorded.exports:
        del found["already_released"]
        tests = found["self_tests"]
        found["self_tests"] = [test for test in tests if not test["name"].startswith(EXPORTED)]
    return found


def _decide_again(recorded: Decision, given: BundleEvidence, before: tuple[Entry, ...]) -> Decision:
    policy, case_set, candidate = given.policy, given.case_set, given.candidate
    assert policy is not None and case_set is not None and candidate is not None
    if _untried(recorded, candidate):
        served = Servability(None, cases=len(case_set.cases), largest_difference=0.0)
        candidate = replace(candidate, served=served)
    if candidate.served and _unasked(recorded, candidate):
        agreed = replace(candidate.served, agreement=OriginalsAgreement())
        candidate = replace(candidate, served=agreed)
    looks = looks_by_name(before, str(recorded.case_set["name"]))
    return decide(
        policy=policy,
        case_set=case_set,
        candidate=candidate,
        champion=given.champion,
        golden=given.golden,
        evaluator=_evaluator(recorded),
        scores_only=not _has(recorded, _EVALUATOR),
        findings=(),
        run_id=recorded.run_id,
        created=recorded.created,
        same_inputs=_same_inputs(recorded),
        looks_used=None if recorded.looks.used is None else looks,
        waivers=waivers(before),
        withdrawn=[Withdrawn(w.model_sha256, None, w.reason) for w in withdrawn(before)],
        trained_on=_trained_on(given.training, case_set),
        sites=given.sites,
    )


def _evaluator(recorded: Decision) -> EvaluatorFindings | None:
    for check in recorded.checks:
        if check.check in _EVALUATOR:
            blessed = check.verdict.value == "PASS"
            return EvaluatorFindings(blessed, () if blessed else ("as recorded",))
    return None


def _same_inputs(recorded: Decision) -> set[str]:
    """The baselines that the run knew to be made from the candidate's own inputs."""
    ours = recorded.hashes["candidate"]
    same = {
        name
        for name in ("champion", "golden")
        if recorded.hashes[name] == ours and not _has(recorded, (f"baseline.{name}",))
    }
    return same | ({"champion"} if recorded.already_released else set())


def _trained_on(training: tuple[TrainingRow, ...] | None, case_set: CaseSet) -> TrainedOn | None:
    if training is None:
        return None
    rows = [row for row in training if row.split == "train"]
    return count_values(rows, (case.attributes for case in case_set.cases))


def _untaken(
    recorded: Decision, given: BundleEvidence, before: tuple[Entry, ...]
) -> dict[str, str]:
    assert given.candidate is not None
    reasons = dict.fromkeys(_EVALUATOR, "the Evaluator works from the pictures")
    if _untried(recorded, given.candidate):
        reasons[_SERVABLE] = "an older version did not try models where they are served"
    if _unasked(recorded, given.candidate):
        reasons[_AGREEMENT] = "an older version did not ask with the bytes that the source has"
    if withdrawn(before):
        reasons[_WITHDRAWN] = "needs the scores of models that were rolled back"
    for check in recorded.checks:
        if check.rule == "coverage" and given.training is None:
            reasons[check.check] = "needs the training manifest"
        if check.rule == "export":
            reasons[check.check] = "an artefact is judged by what its runtime answered"
    return reasons


def _compare_checks(recorded: Decision, merged: Iterable[CheckResult]) -> None:
    old = {check.check: check for check in recorded.checks}
    new = {check.check: check for check in merged}
    for name in {**old, **new}:
        if name not in new:
            fault: str | None = "is recorded, and not among the checks that the policy asks for"
        elif name not in old:
            fault = f"is missing; judged again it is {new[name].verdict.value}"
        else:
            fault = _difference(asdict(old[name]), asdict(new[name]))
        if fault:
            raise IntegrityError(f"decision.json: check {name}: {fault}")


def _difference(old: Any, new: Any, place: str = "") -> str | None:
    """Where two values first differ, in words; None where they do not."""
    parts: Iterable[str | None] = ()
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [name for name in {**old, **new} if name != "reason"]  # words on the same figures
        parts = (
            _difference(old.get(name), new.get(name), f"{place}.{name}".lstrip("."))
            for name in names
        )
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        if len(old) != len(new):
            return f"{place}: {len(old)} recorded, {len(new)} when judged again"
        parts = (_difference(*pair, f"{place}[{n}]") for n, pair in enumerate(zip(old, new)))
    elif not _same(old, new):
        words = [str(getattr(value, "value", value))[:80] for value in (old, new)]
        return f"{place}: {words[0]} recorded, {words[1]} when judged again"
    return next(filter(None, parts), None)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
    return bool(old == new)


def _untried(recorded: Decision, candidate: CaseScores) -> bool:
    """Whether decision and scores are of before models were tried where they are served."""
    return candidate.served is None and not _has(recorded, (_SERVABLE,))


def _unasked(recorded: Decision, candidate: CaseScores) -> bool:
    """Whether both are of before models were asked with the bytes that the source has."""
    asked = candidate.served is not None and candidate.served.agreement is not None
    return not (asked or _has(recorded, (_AGREEMENT,)))


def _has(recorded: Decision, names: Iterable[str]) -> bool:
    wanted = set(names)
    return any(check.check in wanted for check in recorded.checks)
