"""The gate: one candidate, one case set, one policy, one verdict. Reads and writes no file.

Whatever cannot be judged is a check that is never PASS; a verdict is never an exception.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from components.baselines.case_set import CaseSet
from components.baselines.export_scores import ExportScores
from components.baselines.golden import Golden
from components.baselines.scores import CaseScores
from components.decision import (
    EXIT_BROKEN,
    EXIT_FAIL,
    EXIT_INCONCLUSIVE,
    EXIT_INTEGRITY,
    EXIT_NOTHING_EVALUATED,
    EXIT_PASS,
    CheckResult,
    Decision,
    Looks,
    SelfTest,
    Verdict,
)
from components.gate.attention import UNKNOWN_LESIONS, attention_checks
from components.gate.conditions import (
    EvaluatorFindings,
    TrainedOn,
    agreed_limits,
    agreement_checks,
    coverage_checks,
    evaluator_checks,
    looks_checks,
    servable_checks,
    settled_by_bounds,
)
from components.gate.describe import describe_changes, describe_flips, describe_slices, remarks
from components.gate.exports import Judges, export_checks, export_self_tests, judge_exports
from components.gate.judged_cases import JudgedCases
from components.gate.policy import AttentionMargin, Policy
from components.gate.preconditions import (
    Withdrawn,
    align_outputs,
    baseline_checks,
    not_finite,
    problem,
    same_scores,
    unfit_scores,
    unservable_baselines,
    withdrawn_checks,
)
from components.gate.privacy import privacy_checks
from components.gate.rules import apply_rules, overall_verdict
from components.gate.self_test import attention_self_tests, self_tests
from components.gate.sites import describe_pooled, hear_sites, is_broken, site_checks
from components.gate.waiving import WaivedSubject, apply_waivers
from components.records.errors import IntegrityError
from components.records.ledger.records import Waiver

if TYPE_CHECKING:
    from components.attestation.site import SiteAnswers

MODELS = ("candidate", "champion", "golden")
EXIT_CODES = {
    Verdict.PASS: EXIT_PASS,
    Verdict.FAIL: EXIT_FAIL,
    Verdict.INCONCLUSIVE: EXIT_INCONCLUSIVE,
}


def decide(
    *,
    policy: Policy,
    case_set: CaseSet,
    candidate: CaseScores,
    champion: CaseScores | None,
    golden: Golden | None,
    evaluator: EvaluatorFindings | None,
    findings: Iterable[str],
    run_id: str,
    created: str,
    scores_only: bool = False,
    same_inputs: Collection[str] = (),
    looks_used: int | None = None,
    waivers: Sequence[Waiver] = (),
    withdrawn: Iterable[Withdrawn] = (),
    trained_on: TrainedOn | None = None,
    exports: Mapping[str, ExportScores | IntegrityError] | None = None,
    released_exports: Collection[str] = (),
    sites: "SiteAnswers | None" = None,
) -> Decision:
    """The decision on a candidate; depends on nothing but its arguments.

    Args:
      champion: scores of the released model, None where nothing is released yet.
      golden: approved scores, None before the first approval: then never PASS.
      evaluator: None where there was none, which is FAIL unless `scores_only`.
      findings: remarks to keep with the decision.
      created: ISO 8601 in UTC.
      scores_only: there is neither an Evaluator nor training data to hold the candidate against.
      same_inputs: the baselines made from the candidate's own inputs, which may be the same
        model; a set of "champion" and "golden".
      looks_used: how often the case set has judged, this time included; None where nobody counts.
      waivers: every one on record; those that name this candidate are applied or noted as void.
      withdrawn: models that a person rolled back; none of them may come back by itself.
      trained_on: training cases by attribute and value; None where the training is not known.
      exports: the candidate's artefacts by kind, as `judge_exports` takes them; None where only
        scores are here, and no artefact is judged.
      released_exports: kinds of the artefacts that the champion was released with.
      sites: what the sites that the policy names were asked and answered; None where nobody was
        asked, and then none of them has passed it.
    """
    models = {"candidate": candidate}
    if champion is not None:
        models["champion"] = champion
    if golden is not None:
        models["golden"] = golden.scores
    cases = JudgedCases(case_set)
    notes = (*findings, *unservable_baselines(models))
    draft = _draft(policy, case_set, cases, models, notes, run_id, created)
    if sites is not None:
        draft["hashes"]["sites"] = sites.sha256
    draft |= {"looks": Looks(looks_used, policy.planned_looks), "given": waivers}
    checks = servable_checks(candidate, len(case_set.cases), required=not scores_only)
    checks += agreement_checks(policy, candidate, required=not scores_only)
    checks += evaluator_checks(evaluator, required=not scores_only)

    if not case_set.cases:
        empty = problem("scores.cases", "scores", "the case set has no case to judge on")
        return _close(draft, [*checks, empty], EXIT_NOTHING_EVALUATED)
    clustered = policy.patients == "clustered"
    outputs, faults = align_outputs(models, case_set, cases, clustered=clustered)
    if faults:
        return _close(draft, checks + faults, EXIT_INTEGRITY)
    if faults := not_finite(outputs):
        return _close(draft, checks + faults)

    checks += unfit_scores(policy, outputs)
    ours = outputs.pop("candidate")
    checks += baseline_checks(models, same_inputs)
    checks += withdrawn_checks(candidate, withdrawn)
    checks = settled_by_bounds(checks + apply_rules(policy, cases, ours, outputs), evaluator)
    checks += agreed_limits(policy, cases, candidate) + privacy_checks(policy, candidate)
    attentions = candidate.attention, champion.attention if champion else None
    checks += attention_checks(policy, cases, *attentions)
    asked = policy.attention != AttentionMargin() and policy.attention.role == "supporting"
    if asked and attentions[0] is None and not scores_only:
        draft["findings"] += (f"attention does not apply: {UNKNOWN_LESIONS}",)
    if policy.coverage and scores_only and trained_on is None:
        draft["findings"] += ("coverage of the training data is not judged: scores alone are here",)
    elif policy.coverage:
        checks += coverage_checks(policy.coverage, cases, trained_on)
    checks += looks_checks(draft["looks"])
    heard = hear_sites(policy, sites, candidate=candidate.model_sha256, run_id=run_id)
    checks += site_checks(policy, heard, asked=sites is not None)
    judges = Judges(policy, case_set, cases, candidate, ours, outputs.get("golden"))
    exported = judge_exports(judges, exports) if exports is not None else ()
    checks += export_checks(exported)
    if exports is None and any(rule.required for rule in policy.exports.values()):
        draft["findings"] += ("exported artefacts are not judged: scores alone are here",)
    tests = self_tests(policy, cases, ours, outputs)
    tests += attention_self_tests(policy, cases, *attentions)
    tests += export_self_tests(judges, exported)
    passed = {export.kind for export in exported if export.verdict is Verdict.PASS}
    broken = [_broken(test) for test in tests if not test.passed]
    draft |= {
        "flips": describe_flips(cases, ours, outputs),
        "comparisons": describe_changes(policy, cases, ours, outputs),
        "self_tests": tuple(tests),
        "slices": describe_slices(policy, cases, ours),
        "already_released": "champion" in same_inputs
        and same_scores(ours, outputs.get("champion"))
        and passed <= set(released_exports),
        "exports": exported,
        "findings": (
            *draft["findings"],
            *remarks(policy, cases, ours, outputs),
            *describe_pooled(heard, alpha=policy.alpha),
        ),
    }
    code = EXIT_INTEGRITY if is_broken(policy, heard) else None
    return _close(draft, checks + broken, EXIT_BROKEN if broken else code)


def _draft(
    policy: Policy,
    case_set: CaseSet,
    cases: JudgedCases,
    models: Mapping[str, CaseScores],
    findings: tuple[str, ...],
    run_id: str,
    created: str,
) -> dict[str, Any]:
    """The fields of the decision that are known before anything is judged."""
    hashes: dict[str, str | None] = {"case_set": case_set.merkle_root, "policy": policy.sha256}
    for name in MODELS:
        hashes[name] = models[name].model_sha256 if name in models else None
        hashes[f"{name}_scores"] = models[name].scores_sha256 if name in models else None
    points = {name: models[name].operating_point if name in models else None for name in MODELS}
    return {
        "run_id": run_id,
        "created": created,
        "policy": policy.name,
        "alpha": policy.alpha,
        "patients": policy.patients,
        "case_set": {
            "name": case_set.name,
            "version": case_set.version,
            "cases": len(case_set.cases),
            "positives": int(np.count_nonzero(cases.labels)),
        },
        "hashes": hashes,
        # A point that is not finite has its own failing check, and no place in JSON.
        "operating_points": {
            name: point if point is not None and math.isfinite(point) else None
            for name, point in points.items()
        },
        "findings": findings,
    }


def _close(
    draft: dict[str, Any], checks: list[CheckResult], exit_code: int | None = None
) -> Decision:
    """The decision; `exit_code` where something went wrong that a verdict alone does not say."""
    hashes = draft["hashes"]
    judged = WaivedSubject(
        hashes["candidate"], hashes["case_set"], hashes["policy"], draft["created"][:10]
    )
    results, notes = apply_waivers(checks, draft.pop("given"), judged)
    verdict = overall_verdict(results)
    already = draft.pop("already_released", False) and verdict is Verdict.PASS
    return Decision(
        **draft,
        checks=tuple(results),
        waivers=notes,
        verdict=verdict,
        exit_code=EXIT_CODES[verdict] if exit_code is None else exit_code,
        already_released=already,
    )


def _broken(test: SelfTest) -> CheckResult:
    reason = f"gate broken: {test.name}: wanted {test.wanted}, got {test.got}"
    return problem(f"self_test.{test.name}", "self_test", reason)
