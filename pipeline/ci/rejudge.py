"""The released model judged anew, from scores that exist, because what judges it was changed.

Nothing is trained and no image is read. The same scores are judged by the base's policy as well, so
that a reviewer sees what the change does to the verdict.
"""

from pathlib import Path

from components.baselines.names import CASE_SET, POLICY
from components.baselines.scores import CaseScores
from components.decision import Decision
from components.gate.decide import decide
from components.records.clock import time_id, utc_now
from components.records.errors import CasegateError, NothingEvaluated
from pipeline.ci.checked import Compared, JudgedBaseline, Work
from pipeline.ci.limits import LimitChange, limit_changes
from pipeline.ci.registry import Registry
from pipeline.ci.verify import baseline_change, verify_baseline
from pipeline.governance.governed_change import Baseline, GovernedChange
from pipeline.run.score_gate import Gated


def rejudge_baselines(work: Work, folders: tuple[Path, ...]) -> tuple[JudgedBaseline, ...]:
    """Verifies each of the baselines in `folders` and judges the released model by it.

    Raises:
      IntegrityError, PolicyError: as `verify_baseline`.
      NothingEvaluated: nobody's scores of these cases are known.
    """
    found = []
    for folder in folders:
        with work.steps.step(f"judge {folder.name}") as step:
            judged = _rejudged(baseline_change(folder, work.changes), work.registry, time_id())
            step.detail = f"{judged.whose}: {judged.remark}"
        found.append(judged)
    return tuple(found)


def _rejudged(change: GovernedChange, registry: Registry | None, run_id: str) -> JudgedBaseline:
    """By what judges now, beside what the base's policy, case set and golden say."""
    baseline = verify_baseline(change)
    scores, judged = _released(baseline, registry)
    decision = judge_scores(baseline, scores, judged, run_id)
    models: dict[str, CaseScores] = {"candidate": scores}
    if baseline.golden:
        models["golden"] = baseline.golden.scores
    gated = Gated(decision, baseline.case_set, models, baseline.folder / POLICY)
    verdict, compared = decision.verdict.value, None
    before = _before(change, scores, judged, registry, run_id)
    if isinstance(before, Decision):
        compared = Compared("the base's policy", before)
        remark = f"under the base's: {before.verdict.value}; under these: {verdict}"
    else:
        remark = f"{verdict}; {before}"
    return JudgedBaseline(
        baseline.name, judged, gated, compared, remark, changed_limits(change, baseline)
    )


def changed_limits(change: GovernedChange, baseline: Baseline) -> tuple[LimitChange, ...]:
    """What a change does to the limits of a baseline's policy; none where the base has no such.

    A policy of an older format blocks nothing, and cannot be compared.
    """
    old = change.old.policy
    return limit_changes(old, baseline.policy) if old else ()


def _before(
    change: GovernedChange, scores: CaseScores, judged: str, registry: Registry | None, run_id: str
) -> Decision | str:
    """What the base says of the same model; or why it says nothing."""
    if not {CASE_SET, POLICY} <= change.before.keys():
        return "the base has no such baseline"
    try:
        old = change.old.baseline(Path(change.folder))
    except CasegateError as error:
        return f"the base's: {error}"
    root = old.case_set.merkle_root
    known = [
        scores if scores.scored_case_set == root else None,
        registry.scores(root) if registry else None,
        old.golden.scores if old.golden else None,
    ]
    for one in known:
        if one is not None and one.model_sha256 == scores.model_sha256:
            return judge_scores(old, one, judged, run_id)
    return f"the base judges other cases, of which {judged} has no scores"


def judge_scores(baseline: Baseline, scores: CaseScores, judged: str, run_id: str) -> Decision:
    """The decision on a model that is released or approved already; counted as no look."""
    return decide(
        policy=baseline.policy,
        case_set=baseline.case_set,
        candidate=scores,
        champion=None,
        golden=baseline.golden,
        evaluator=None,
        scores_only=True,
        findings=(f"judged anew from its scores: {judged}; no look at the cases is counted",),
        # It is known to be the released model: that golden may be the same one is no mistake.
        same_inputs=("golden",),
        run_id=run_id,
        created=utc_now(),
    )


def _released(baseline: Baseline, registry: Registry | None) -> tuple[CaseScores, str]:
    root = baseline.case_set.merkle_root
    if registry and (scores := registry.scores(root)):
        return scores, f"the released model, {registry.label}"
    if baseline.golden is None:
        raise NothingEvaluated(
            f"{baseline.folder}: no golden.json, and no registry with the released model's scores "
            "of these cases, so nobody's model can be judged; approve golden scores with "
            "`casegate baseline bootstrap` and commit them along, or give --registry"
        )
    by = baseline.golden.approval.by
    return baseline.golden.scores, f"the model behind golden.json, approved by {by}"
