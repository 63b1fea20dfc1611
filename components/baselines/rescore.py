"""Golden on a new version of its case set: the same model and operating point, judged anew.

The score of an image that did not change carries over; only cases that are new to golden need its
model. Labels and marks are no part of a score.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from components.baselines.case_set import CaseSet
from components.baselines.golden import Golden, Rescoring
from components.baselines.scores import CaseScores, aligned
from components.records.errors import IntegrityError
from components.records.text import first_few


def unscored(before: CaseSet, after: CaseSet) -> tuple[str, ...]:
    """The cases of `after`, in order, that a model which scored `before` has to score still."""
    pixels = {case.case_id: case.pixels_sha256 for case in before.cases}
    return tuple(
        case.case_id for case in after.cases if pixels.get(case.case_id) != case.pixels_sha256
    )


def rescored_scores(
    scores: CaseScores, before: CaseSet, after: CaseSet, new: Mapping[str, float]
) -> CaseScores:
    """The scores for `after` of a model that scored `before`.

    Args:
      new: the model's score of each of `unscored(before, after)`, by id.

    Raises:
      IntegrityError: other cases were scored than those of `before`, or `new` lacks one or holds
        one that is not finite.
    """
    old = aligned(scores, before, who="golden")
    missing = set(unscored(before, after))
    if absent := missing - new.keys():
        raise IntegrityError(f"golden: no score for {first_few(absent)}")
    if broken := [name for name in missing if not np.isfinite(new[name])]:
        raise IntegrityError(f"golden: its model's score is not finite: {first_few(broken)}")
    carried = {case.case_id: score for case, score in zip(before.cases, old)}
    ids = tuple(case.case_id for case in after.cases)
    return replace(
        scores,
        case_ids=ids,
        scores=np.array([new[name] if name in missing else carried[name] for name in ids]),
        scored_case_set=after.merkle_root,
    )


def rescored_golden(
    golden: Golden, before: CaseSet, after: CaseSet, new: Mapping[str, float]
) -> Golden:
    """Golden for `after`; its approval stands, and names the amendment that carried it over.

    Raises:
      IntegrityError: as `rescored_scores`.
    """
    step = Rescoring(
        from_case_set=before.merkle_root,
        to_case_set=after.merkle_root,
        by=after.author,
        reason=after.reason,
        date=after.date,
    )
    approval = replace(golden.approval, rescored=(*golden.approval.rescored, step))
    return Golden(rescored_scores(golden.scores, before, after, new), approval)
