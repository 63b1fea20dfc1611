"""The released model judged anew, from scores that exist, because what judges it was changed.

Nothing is trained and no image is read. The same scores are judged by the base's policy as well, so
that a reviewer sees what the change does to the verdict.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.baselines.golden import Golden
from components.baselines.names import POLICY
from components.baselines.scores import CaseScores
from components.decision import Decision
from components.gate.decide import decide
from components.gate.policy import load_policy
from components.records.clock import utc_now
from components.records.errors import CasegateError, NothingEvaluated
from pipeline.ci.changes import Changes
from pipeline.ci.limits import LimitChange, limit_changes
from pipeline.ci.registry import Registry
from pipeline.ci.verify import Baseline, base_files, verify_baseline
from pipeline.run.score_gate import Gated


@dataclass(frozen=True, eq=False)
class RejudgedBaseline:
    """Attributes:
    judged: whose scores these are, for a person.
    gated: the decision by what judges now.
    before: that by the base's policy, case set and golden; None where there is none.
    no_before: why there is none; empty where there is one.
    limits: what the change does to the policy's limits.
    """

    name: str
    judged: str
    gated: Gated
    before: Decision | None
    no_before: str
    limits: tuple[LimitChange, ...]


def rejudge(
    folder: Path, changes: Changes, registry: Registry | None, *, run_id: str, place: Path
) -> RejudgedBaseline:
    """Verifies the baseline in `folder`, and judges the released model by it.

    Args:
      place: a folder for the base's files, which are read and left there.

    Raises:
      IntegrityError, PolicyError: as `verify_baseline`.
      NothingEvaluated: nobody's scores of these cases are known.
    """
    baseline = verify_baseline(folder, changes)
    scores, judged = _released(baseline, registry)
    decision = judge_scores(baseline, scores, judged, run_id)
    models: dict[str, CaseScores] = {"candidate": scores}
    if baseline.golden:
        models["golden"] = baseline.golden.scores
    gated = Gated(decision, baseline.case_set, models, folder / POLICY)
    found = base_files(folder, changes, place / baseline.name)
    if found is None:
        return RejudgedBaseline(
            baseline.name, judged, gated, None, "the base has no such baseline", ()
        )
    try:
        old = verify_baseline(found)
    except CasegateError as error:
        return RejudgedBaseline(baseline.name, judged, gated, None, f"the base's: {error}", ())
    before = _by_base(old, baseline, scores, judged, registry, run_id)
    limits = limit_changes(old.policy, baseline.policy)
    why = "" if before else f"the base judges other cases, of which {judged} has no scores"
    return RejudgedBaseline(baseline.name, judged, gated, before, why, limits)


def changed_limits(baseline: Baseline, changes: Changes, place: Path) -> tuple[LimitChange, ...]:
    """What a change does to the limits of a baseline's policy; none where the base has no such.

    Args:
      place: a folder for the base's policy, which is read and left there.
    """
    found = base_files(baseline.folder, changes, place / baseline.name)
    if found is None:
        return ()
    try:
        return limit_changes(load_policy(found / POLICY), baseline.policy)
    except CasegateError:  # a policy of an older format blocks nothing, and can't be compared
        return ()


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
        return scores, f"the released model, {registry.said}"
    if baseline.golden is None:
        raise NothingEvaluated(
            f"{baseline.folder}: no golden.json, and no registry with the released model's scores "
            "of these cases, so nobody's model can be judged; approve golden scores with "
            "`casegate baseline bootstrap` and commit them along, or give --registry"
        )
    return baseline.golden.scores, _approved(baseline.golden)


def _approved(golden: Golden) -> str:
    return f"the model behind golden.json, approved by {golden.approval.by}"


def _by_base(
    old: Baseline,
    new: Baseline,
    scores: CaseScores,
    judged: str,
    registry: Registry | None,
    run_id: str,
) -> Decision | None:
    """What the base says of the same model; None where it has not scored the base's cases."""
    if old.case_set.merkle_root == new.case_set.merkle_root:
        return judge_scores(old, scores, judged, run_id)
    known: Mapping[str, CaseScores | None] = {
        "registry": registry.scores(old.case_set.merkle_root) if registry else None,
        "golden": old.golden.scores if old.golden else None,
    }
    for found in known.values():
        if found is not None and found.model_sha256 == scores.model_sha256:
            return judge_scores(old, found, judged, run_id)
    return None
