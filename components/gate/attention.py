"""Whether a candidate still looks at the lesions, where somebody knows where they are."""

from typing import Any

import numpy as np

from components.baselines.scores import Attention
from components.decision import CheckResult, Verdict
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Policy
from components.gate.rules import margin_verdict
from components.statistics.calibration import mean_interval

UNKNOWN_LESIONS = "nobody knows where the lesions of these cases lie"
_SIDE = {Verdict.PASS: "above", Verdict.FAIL: "below", Verdict.INCONCLUSIVE: "on both sides of"}


def attention_checks(
    policy: Policy, cases: JudgedCases, candidate: Attention | None, champion: Attention | None
) -> list[CheckResult]:
    """A check that the heat of the candidate's maps did not move out of the lesions.

    It is held against the champion's, case by case; where that gives no map, against the lesion's
    share of the area, which heat that knows nothing has. A map of the candidate that is 0 all over
    has no heat in the lesion; a case where the champion's is says nothing.

    Args:
      candidate: None where nobody knows where the lesions are; then only a gate has an answer.
    """
    role, margin = policy.attention.role, policy.attention.margin
    if role == "off" or (candidate is None and role == "supporting"):
        return []
    ours = candidate.shares if candidate else {}
    theirs = {id_: heat for id_, (heat, _) in champion.shares.items()} if champion else {}
    compared = any(heat is not None for heat in theirs.values())
    if not compared:
        theirs, margin = {id_: area for id_, (_, area) in ours.items()}, 0.0
    rows = [i for i, id_ in enumerate(cases.ids) if id_ in ours and theirs.get(id_) is not None]
    facts: dict[str, Any] = {"against": "champion" if compared else "none", "role": role}
    name = f"attention.{'champion' if compared else 'area'}", "attention"
    patients = cases.patients[rows]
    if np.unique(patients).size < 2:
        reason = f"{len(rows)} maps are too few to judge" if candidate else UNKNOWN_LESIONS
        return [CheckResult(*name, Verdict.INCONCLUSIVE, reason, **facts)]
    pairs = np.array([(ours[cases.ids[i]][0] or 0.0, theirs[cases.ids[i]]) for i in rows])
    change, clusters = pairs[:, 0] - pairs[:, 1], None
    if policy.patients == "aggregated":
        place = np.unique(patients, return_inverse=True)[1]
        change = np.bincount(place, change) / np.bincount(place)
    elif policy.patients == "clustered":
        clusters = patients
    found = mean_interval(change, -1.0, 1.0, alpha=policy.alpha, clusters=clusters)
    verdict = margin_verdict(found.lower, found.upper, margin)
    inside, held_against = pairs.mean(axis=0)
    whose, limit = "of the champion's heat" if compared else "of the area", 0.0 - margin
    reason = (
        f"{inside:.3f} of the heat lies inside the lesions, {whose} {held_against:.3f}; the change "
        f"is {found.lower:+.4f} to {found.upper:+.4f}, {_SIDE[verdict]} the limit {limit:g}"
    )
    facts |= {"limit": limit, "method": "normal", **vars(found)}
    return [CheckResult(*name, verdict, reason, **facts)]
