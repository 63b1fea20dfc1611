"""Exported artefacts judged: each by its own scores, at its own operating point, in each runtime.

A converted model is another model. It has to pass the checks that the model has to pass, against
golden, and it has to be the model: it calls the cases as the model does and gives nearly its
scores. The released model is no rival, as it was not an artefact.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from components.baselines.case_set import CaseSet
from components.baselines.export_scores import ExportScores
from components.baselines.scores import CaseScores
from components.decision import (
    CheckResult,
    ExportDecision,
    Flips,
    RuntimeFindings,
    SelfTest,
    Verdict,
)
from components.gate.describe import describe_flips
from components.gate.judged_cases import JudgedCases
from components.gate.policy import ExportRule, Policy
from components.gate.preconditions import (
    NO_GOLDEN,
    align_outputs,
    not_finite,
    problem,
    unfit_scores,
)
from components.gate.rules import (
    apply_rules,
    floor_verdict,
    overall_verdict,
    sentinel_check,
)
from components.metrics import Outputs
from components.records.errors import IntegrityError
from components.statistics.intervals import clopper_pearson

EXPORTED = "exports["  # begins the name of a check or a self-test of an artefact
# What a sigmoid makes of numbers from 0 to 1, as a sigmoid gives them; and float32's rounding.
TWICE = (0.5 - 1e-6, 1 / (1 + math.exp(-1)) + 1e-6)


@dataclass(frozen=True, eq=False)
class Judges:
    """What every artefact of one candidate is held against.

    Attributes:
      candidate: the model itself, as it is served; `ours` are its answers on `cases`.
      golden: the answers of golden, None before the first approval.
    """

    policy: Policy
    case_set: CaseSet
    cases: JudgedCases
    candidate: CaseScores
    ours: Outputs
    golden: Outputs | None


def judge_exports(
    judges: Judges, exports: Mapping[str, ExportScores | IntegrityError]
) -> tuple[ExportDecision, ...]:
    """A decision on each artefact, and on each that the policy requires and nobody made.

    Args:
      exports: by kind; an error where what was exported cannot be relied on.
    """
    required = [kind for kind, rule in judges.policy.exports.items() if rule.required]
    return tuple(
        _judge_export(judges, kind, exports.get(kind))
        for kind in dict.fromkeys([*exports, *required])
    )


def export_checks(exports: tuple[ExportDecision, ...]) -> list[CheckResult]:
    """A check for each artefact; it stands in the model's way only where the artefact has to."""
    return [
        CheckResult(
            check=f"{EXPORTED}{export.kind}]",
            rule="export",
            verdict=export.verdict,
            reason=_reason(export),
            n=max((found.n for found in export.runtimes.values()), default=0),
            role="gate" if export.required else "supporting",
        )
        for export in exports
    ]


def export_self_tests(judges: Judges, exports: tuple[ExportDecision, ...]) -> list[SelfTest]:
    """The judge of each artefact tried on copies of the candidate that are no honest conversion."""
    ours, point = judges.ours, judges.ours.operating_point
    other = np.where(ours.scores >= point, np.nextafter(point, -np.inf), point)
    known = np.flatnonzero(judges.cases.sentinels & ours.right)
    tests = []
    for export in exports:
        rule = judges.policy.export_rule(export.kind)
        fewest = math.ceil((1 - rule.agreement) * ours.scores.size)
        turned = {"calls too many cases otherwise": np.arange(ours.scores.size) <= fewest}
        if known.size:
            turned["lost a never-miss case"] = np.arange(ours.scores.size) == known[0]
        copies = {name: np.where(mask, other, ours.scores) for name, mask in turned.items()}
        if (np.abs(ours.scores - 0.5) <= 0.5).all() and not _within_sigmoid(ours.scores):
            copies["has the sigmoid inside"] = 1 / (1 + np.exp(-ours.scores))
        for name, scores in copies.items():
            checks = _against_candidate(judges, rule, replace(ours, scores=scores))
            passed = all(check.verdict is Verdict.PASS for check in checks)
            tests.append(
                SelfTest(
                    name=f"{EXPORTED}{export.kind}] of a copy that {name}",
                    wanted="no PASS",
                    got="PASS" if passed else "no PASS",
                    passed=not passed,
                )
            )
        wrong = [c for c in _against_candidate(judges, rule, ours) if c.verdict is Verdict.FAIL]
        tests.append(
            SelfTest(
                name=f"{EXPORTED}{export.kind}] of the candidate itself",
                wanted="no FAIL",
                got=f"FAIL: {', '.join(check.check for check in wrong)}" if wrong else "no FAIL",
                passed=not wrong,
            )
        )
    return tests


def _judge_export(
    judges: Judges, kind: str, given: ExportScores | IntegrityError | None
) -> ExportDecision:
    rule = judges.policy.export_rule(kind)
    found = given if isinstance(given, ExportScores) else None
    record = found.record if found else None
    runtimes: dict[str, RuntimeFindings] = {}
    checks, verdicts = _fitness(judges, kind, given), []
    flips: tuple[Flips, ...] = ()
    if found and not checks:
        asked = [*rule.runtimes, *(name for name in found.scores if name not in rule.runtimes)]
        for runtime in asked:
            runtimes[runtime], results, turned = _in_runtime(judges, rule, found, runtime)
            if runtime in rule.runtimes:
                verdicts.append(overall_verdict(results))
            else:
                results = [replace(check, role="supporting") for check in results]
            checks += [replace(check, check=f"{runtime}:{check.check}") for check in results]
            flips += turned
    else:
        verdicts.append(checks[0].verdict)
    return ExportDecision(
        kind=kind,
        verdict=_worst(verdicts),
        required=rule.required,
        sha256=found.sha256 if found else None,
        operating_point=record.operating_point if record else None,
        size_bytes=found.measured.size_bytes if found else None,
        runtimes=runtimes,
        checks=tuple(checks),
        flips=flips,
    )


def _worst(verdicts: list[Verdict]) -> Verdict:
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    return min(verdicts, key=order.index)


def _fitness(
    judges: Judges, kind: str, given: ExportScores | IntegrityError | None
) -> list[CheckResult]:
    """A check that is not PASS where there is nothing that could be judged."""
    if given is None:
        reason = f"nobody made it: add {kind} to `exports` in the configuration"
        return [CheckResult("artefact", "export", Verdict.INCONCLUSIVE, reason)]
    if isinstance(given, IntegrityError):
        return [problem("artefact", "export", str(given))]
    if given.record is None:
        reason = f"there is none: {given.measured.missing.get('export', 'nobody says why')}"
        return [CheckResult("artefact", "export", Verdict.INCONCLUSIVE, reason)]
    made_from, wanted = given.record.model_sha256, judges.candidate.model_sha256
    if made_from != wanted:
        reason = (
            f"made from another version of the model: got {made_from[:12]}, wanted the candidate "
            f"{wanted[:12]}; export that one"
        )
        return [problem("artefact", "export", reason)]
    return []


def _in_runtime(
    judges: Judges, rule: ExportRule, export: ExportScores, runtime: str
) -> tuple[RuntimeFindings, list[CheckResult], tuple[Flips, ...]]:
    """What a runtime made of the artefact, the checks of it, and which cases turned."""
    measured, scores = export.measured, export.scores.get(runtime)
    if scores is None:
        reason = f"it could not be asked: {measured.missing.get(runtime, 'nobody says why')}"
        missing = CheckResult("scores", "export", Verdict.INCONCLUSIVE, reason)
        return RuntimeFindings(measured.versions.get(runtime)), [missing], ()
    findings = RuntimeFindings(
        version=measured.versions.get(runtime),
        scores_sha256=scores.scores_sha256,
        latency_ms=scores.latency_ms,
        peak_memory_bytes=measured.peak_memory_bytes.get(runtime),
    )
    policy, cases, kind = judges.policy, judges.cases, export.kind
    clustered = policy.patients == "clustered"
    outputs, faults = align_outputs({kind: scores}, judges.case_set, cases, clustered=clustered)
    if faults := faults or not_finite(outputs):
        return findings, faults, ()
    theirs = outputs[kind]
    alone = replace(policy, checks=policy.checks if rule.checks is None else rule.checks)
    checks = unfit_scores(alone, outputs, judged=kind)
    if judges.golden is None:
        checks.append(NO_GOLDEN)
    checks += apply_rules(alone, cases, theirs, {"golden": judges.golden} if judges.golden else {})
    checks += _against_candidate(judges, rule, theirs)
    alike, apart = _alike(theirs, judges.ours), np.abs(theirs.scores - judges.ours.scores)
    furthest = int(apart.argmax())
    findings = replace(
        findings,
        n=alike.size,
        alike=int(np.count_nonzero(alike)),
        largest_difference=float(apart[furthest]),
        case_id=cases.ids[furthest] if apart[furthest] else None,
    )
    return findings, checks, describe_flips(cases, theirs, {runtime: judges.ours})


def _against_candidate(judges: Judges, rule: ExportRule, theirs: Outputs) -> list[CheckResult]:
    """Whether an artefact is the model that it was made from; the scores are finite."""
    ours, cases = judges.ours, judges.cases
    checks = [
        _agreement(rule, _alike(theirs, ours), judges.policy.alpha),
        _difference(rule, float(np.abs(theirs.scores - ours.scores).mean()), ours.scores.size),
    ]
    if _within_sigmoid(theirs.scores) and not _within_sigmoid(ours.scores):
        reason = (
            "every score lies from 0.5 to 0.7311, as where a sigmoid is taken of what a sigmoid "
            "gave: the artefact has to give logits"
        )
        checks.append(problem("scores.logits", "scores", reason))
    if cases.sentinels.any():
        checks.append(sentinel_check(cases, ours.right & ~theirs.right, "candidate"))
    return checks


def _alike(theirs: Outputs, ours: Outputs) -> NDArray[np.bool_]:
    """The cases that both call the same, each at its own operating point; both may be wrong."""
    same: NDArray[np.bool_] = theirs.right == ours.right
    return same


def _within_sigmoid(scores: NDArray[np.float64]) -> bool:
    return bool((scores >= TWICE[0]).all() and (scores <= TWICE[1]).all())


def _agreement(rule: ExportRule, alike: NDArray[np.bool_], alpha: float) -> CheckResult:
    count, n, floor = int(np.count_nonzero(alike)), alike.size, rule.agreement
    bounds = clopper_pearson(count, n, alpha=alpha)
    lower, upper = float(bounds.lower), float(bounds.upper)
    verdict = floor_verdict(lower, upper, floor)
    why = {
        Verdict.PASS: f"the lower bound {lower:.4f} reaches the floor {floor}",
        Verdict.FAIL: f"the upper bound {upper:.4f} is below the floor {floor}",
        Verdict.INCONCLUSIVE: f"the floor {floor} lies within the bounds {lower:.4f} to "
        f"{upper:.4f}: too few cases to tell",
    }[verdict]
    return CheckResult(
        check="agreement.candidate",
        rule="alike",
        verdict=verdict,
        reason=f"{count} of {n} cases are called as the candidate calls them: {why}",
        against="candidate",
        n=n,
        estimate=count / n,
        lower=lower,
        upper=upper,
        limit=floor,
        method="clopper_pearson",
    )


def _difference(rule: ExportRule, mean: float, n: int) -> CheckResult:
    within = mean <= rule.difference
    return CheckResult(
        check="difference.candidate",
        rule="apart",
        verdict=Verdict.PASS if within else Verdict.FAIL,
        reason=f"the scores lie {mean:.4f} from the candidate's on average, "
        f"{'within' if within else 'above'} the limit {rule.difference}",
        against="candidate",
        n=n,
        estimate=mean,
        limit=rule.difference,
    )


def _reason(export: ExportDecision) -> str:
    """What stands in an artefact's way, or how like the candidate it is in each runtime."""
    left = [check for check in export.checks if check.open]
    if export.verdict is Verdict.PASS:
        found = [
            f"{runtime}: {one.alike} of {one.n} cases called as by the candidate, scores at most "
            f"{one.largest_difference:.1e} apart"
            for runtime, one in export.runtimes.items()
            if one.largest_difference is not None
        ]
        return "; ".join(found)
    if not left:
        return "no check judged it"
    first = min(left, key=lambda check: check.verdict is not Verdict.FAIL)
    more = f"; and {len(left) - 1} more" if len(left) > 1 else ""
    return f"{first.check}: {first.reason}{more}"
