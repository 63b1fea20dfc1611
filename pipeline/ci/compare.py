"""What a candidate's decision stands beside: the one at the branch's base, if it can be had."""

from collections.abc import Mapping

from components.baselines.scores import CaseScores
from components.decision import Flips
from components.gate.describe import describe_flips
from components.gate.judged_cases import JudgedCases
from components.gate.preconditions import align_outputs
from pipeline.ci.cache import Cache
from pipeline.ci.changes import Changes
from pipeline.ci.rejudge import judge_scores
from pipeline.ci.rows import Compared
from pipeline.ci.verify import Baseline
from pipeline.run.score_gate import Gated


def compare_with_base(
    gated: Gated, baseline: Baseline, changes: Changes, cache: Cache | None, run_id: str
) -> Compared | None:
    """What the candidate is compared with: the base's own result where the cache has it, else the
    released model, else golden; None where there is none of them.
    """
    if cache and changes.checkout and changes.base:
        tree = changes.checkout.tree(changes.base)
        kept = cache.of_tree(tree) if tree else None
        if kept and kept.decision.hashes["case_set"] == gated.decision.hashes["case_set"]:
            name = f"the base, {changes.base[:12]}"
            return Compared(name, kept.decision, _flips(gated, "base", kept.scores))
    for name in ("champion", "golden"):
        if name in gated.scores:
            scores = gated.scores[name]
            decision = judge_scores(baseline, scores, name, run_id)
            return Compared(name, decision, _flips(gated, name, scores))
    return None


def _flips(gated: Gated, name: str, base: CaseScores) -> Flips | None:
    cases = JudgedCases(gated.case_set)
    models: Mapping[str, CaseScores] = {"candidate": gated.scores["candidate"], name: base}
    outputs, faults = align_outputs(models, gated.case_set, cases, clustered=False)
    if faults:
        return None
    return describe_flips(cases, outputs.pop("candidate"), outputs)[0]
