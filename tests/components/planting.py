"""Small case sets, scores and policies whose verdict is known before the gate sees them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from components.baselines.case_set import CaseSet, cases_root, lock_cases
from components.baselines.golden import Approval, Golden
from components.baselines.scores import CaseScores, OriginalsAgreement, Servability
from components.gate.policy import BASELINES, Check, NegativeFlips, Policy
from components.metrics import METRICS
from components.records.case import CaseRecord

CHEST_POLICY = """\
name: chest
alpha: 0.025
leakage: stop
planned_looks: 20
patients: independent
checks:
  - metric: sensitivity
    slice: overall
    floor: 0.60
    margin: 0.30
    rationale: test
"""


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def seen_case(i: int, label: int, **attributes: str) -> CaseRecord:
    return CaseRecord(
        case_id=f"case-{i:04d}",
        label=label,
        bytes_sha256=sha(f"bytes {i}"),
        pixels_sha256=sha(f"pixels {i}"),
        patient_id=f"patient-{i // 2}",
        attributes=attributes or {"device": "Aster" if i % 2 else "Boreal"},
    )


def locked(positives: int, negatives: int, *, sentinels: Sequence[int] = ()) -> CaseSet:
    """Positives first, negatives after them, on two devices in turn."""
    case_set = lock_cases(
        [seen_case(i, int(i < positives)) for i in range(positives + negatives)],
        name="planted",
        author="A. Radiologist",
        reason="test",
        date="2025-03-31",
        source="planted",
    )
    cases = tuple(replace(c, sentinel=i in sentinels) for i, c in enumerate(case_set.cases))
    return replace(case_set, cases=cases, merkle_root=cases_root(cases))


def scored(case_set: CaseSet, *, wrong: Sequence[int] = (), model: str = "candidate") -> CaseScores:
    """Scores that are right but for the cases at the places in `wrong`."""
    labels = np.array([case.label for case in case_set.cases], dtype=float)
    labels[list(wrong)] = 1 - labels[list(wrong)]
    jitter = np.arange(labels.size) / (10 * labels.size)
    return CaseScores(
        case_ids=tuple(case.case_id for case in case_set.cases),
        scores=0.2 + 0.6 * labels + jitter,
        operating_point=0.5,
        model_sha256=sha(model),
        scored_case_set=case_set.merkle_root,
        served=Servability(None, "a loader", len(case_set.cases), 2, 0.0, OriginalsAgreement()),
    )


def approved(scores: CaseScores, reason: str = "first") -> Golden:
    return Golden(scores, Approval(by="A. Radiologist", reason=reason, date="2025-03-31"))


def check(
    metric: str = "sensitivity",
    *,
    floor: float | None = None,
    margin: float | Mapping[str, float] | None = None,
    ceiling: float | None = None,
    role: str = "gate",
    alpha: float = 0.025,
    **where: str,
) -> Check:
    """A check of one slice; `floor` or `ceiling`, whichever its metric has."""
    if margin is None or isinstance(margin, float):
        margin = {} if margin is None else dict.fromkeys(BASELINES, margin)
    metric_ = METRICS[metric]
    return Check(
        metric=metric,
        slice=where,
        limit=floor if metric_.higher_is_better else ceiling,
        margins=margin,
        method=metric_.methods[0],
        paired_method=metric_.paired_methods[0],
        alpha=alpha,
        role=role,
        rationale="planted",
    )


def policy(*checks: Check, ceiling: float | None = None, patients: str = "independent") -> Policy:
    return Policy(
        name="planted",
        alpha=0.025,
        leakage="stop",
        planned_looks=10,
        patients=patients,
        expected_discordance=0.04,
        checks=checks,
        negative_flips=None if ceiling is None else NegativeFlips(ceiling, "planted"),
        sentinels=None,
        latency=None,
        coverage=None,
        descriptive_slices=("device",),
        sha256=sha("policy"),
    )
