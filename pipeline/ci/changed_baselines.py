"""Changed baselines: each held against the one at the base, and the released model judged by it.

Nothing is trained and no image is read. The scores that exist are judged by the base's policy as
well, so that a reviewer sees what the change does to the verdict.
"""

from collections.abc import Iterable
from pathlib import Path

from components.baselines.history import parent_of
from components.baselines.names import CASE_SET, POLICY
from components.baselines.scores import CaseScores
from components.decision import Decision
from components.gate.decide import decide
from components.records.clock import time_id, utc_now
from components.records.errors import CasegateError, NothingEvaluated
from pipeline.ci.changes import Change, Changes
from pipeline.ci.checked import Compared, JudgedBaseline, Work
from pipeline.ci.limits import limit_changes
from pipeline.ci.registry import Registry
from pipeline.governance.governed_change import (
    Baseline,
    BaselineFiles,
    GovernedChange,
    GovernedFiles,
    broken_rules,
    files_in,
    read_governed,
)
from pipeline.run.score_gate import Gated


def touched_folders(changes: Changes, judging: Iterable[Change]) -> tuple[Path, ...]:
    """The baselines whose files changed: folders that hold a case set now, or did at the base."""
    assert changes.checkout is not None
    found: dict[Path, None] = {}
    for change in judging:
        for parent in Path(change.path).parents:
            folder = changes.checkout.root / parent
            if (folder / CASE_SET).is_file() or CASE_SET in _files_before(folder, changes):
                found[folder] = None
                break
    return tuple(found)


def baseline_change(folder: Path, changes: Changes) -> GovernedChange:
    """What became of the baseline in `folder`; without a base, nothing was there before."""
    before, after = _files_before(folder, changes), files_in(folder)
    root = changes.checkout.root if changes.checkout else folder
    paths = (root / change.path for change in changes.found or ())
    names = {path.relative_to(folder).as_posix() for path in paths if path.is_relative_to(folder)}
    same = {
        name for name in names & before.keys() & after.keys() if before[name]() == after[name]()
    }
    return GovernedChange(str(folder), before, after, frozenset(names - same))


def verify_baseline(change: GovernedChange) -> Baseline:
    """A changed baseline that kept to every rule, and whose files are whole and fit together.

    Raises:
      IntegrityError: a governed file is gone, was edited, or was written over.
      PolicyError: the policy is none, or asks for what no model can prove.
    """
    for fault in broken_rules(change):
        raise fault
    return _sound(change.new, Path(change.folder))


def load_baseline(folder: Path) -> Baseline:
    """The baseline in `folder`, whatever it was before; raises as `verify_baseline`."""
    return _sound(read_governed(files_in(folder), str(folder)), folder)


def _sound(files: GovernedFiles, folder: Path) -> Baseline:
    baseline = files.baseline(folder)
    parent_of(folder / CASE_SET, baseline.case_set)
    return baseline


def _files_before(folder: Path, changes: Changes) -> BaselineFiles:
    """The files as the base has them; none where it has none, or there is no base."""
    checkout = changes.checkout
    name = checkout.relative(folder) if checkout else None
    if name is None or checkout is None or changes.base is None:
        return {}
    return checkout.readers(checkout.committed(changes.base, name), name)


def rejudge_baselines(work: Work, folders: tuple[Path, ...]) -> tuple[JudgedBaseline, ...]:
    """Verifies each of the baselines in `folders` and judges the released model by it.

    Raises:
      IntegrityError, PolicyError: as `verify_baseline`.
      NothingEvaluated: nobody's scores of these cases are known.
    """
    found = []
    for folder in folders:
        with work.steps.step(f"judge {folder.name}") as step:
            judged = _rejudged(baseline_change(folder, work.changes), work.registry)
            step.detail = f"{judged.whose}: {judged.remark}"
        found.append(judged)
    return tuple(found)


def _rejudged(change: GovernedChange, registry: Registry | None) -> JudgedBaseline:
    """By what judges now, beside what the base's policy, case set and golden say."""
    baseline = verify_baseline(change)
    scores, judged = _released(baseline, registry)
    decision = judge_scores(baseline, scores, judged)
    gated = gated_by(baseline, decision, scores)
    verdict, compared = decision.verdict.value, None
    before = _before(change, scores, judged, registry)
    if isinstance(before, Decision):
        compared = Compared("the base's policy", before)
        remark = f"under the base's: {before.verdict.value}; under these: {verdict}"
    else:
        remark = f"{verdict}; {before}"
    limits = limit_changes(change.old.policy, baseline.policy)
    return JudgedBaseline(baseline.name, judged, gated, compared, remark, limits)


def gated_by(
    baseline: Baseline, decision: Decision, scores: CaseScores, champion: CaseScores | None = None
) -> Gated:
    """The decision with all that it compared."""
    models = {"candidate": scores}
    if champion:
        models["champion"] = champion
    if baseline.golden:
        models["golden"] = baseline.golden.scores
    return Gated(decision, baseline.case_set, models, baseline.folder / POLICY)


def _before(
    change: GovernedChange, scores: CaseScores, judged: str, registry: Registry | None
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
            return judge_scores(old, one, judged)
    return f"the base judges other cases, of which {judged} has no scores"


def judge_scores(baseline: Baseline, scores: CaseScores, judged: str) -> Decision:
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
        run_id=time_id(),
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
