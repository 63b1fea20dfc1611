"""The shipped gate's word on each cached model, and what it rests on."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import Golden, load_golden
from components.baselines.scores import CaseScores
from components.decision import CheckResult, Decision, Verdict
from components.gate.decide import decide
from components.gate.policy import Policy, load_policy
from components.metrics import METRICS
from tests.measure.cache import Scored
from tests.measure.jobs import HONEST, NEW_PATIENTS

FAMILIES = (
    HONEST,
    NEW_PATIENTS,
    "device left out",
    "aetiology left out",
    "label noise",
    "fewer cases",
    "served wrongly",
)


Bounds = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Baseline:
    """What judges: one folder of `baselines/`."""

    policy: Policy
    case_set: CaseSet
    golden: Golden


@dataclass(frozen=True)
class Judged:
    """One model after the gate.

    Attributes:
      estimates: overall, by metric; slice_estimates: by `metric[slice]`.
      losses, champion_losses: against golden and champion, by `metric[slice]`: the estimate and
        the bound that a margin is held against, above 0 where the candidate is worse.
      levels: the estimate and the bound that a floor or ceiling is held against.
      blocking: names of the checks that did not pass, without what they compared with.
    """

    family: str
    grade: str
    seed: int
    verdict: str
    estimates: dict[str, float]
    slice_estimates: dict[str, float]
    losses: Bounds
    champion_losses: Bounds
    levels: Bounds
    blocking: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """All models of one kind and grade of change."""

    family: str
    grade: str
    models: tuple[Judged, ...]

    @property
    def honest(self) -> bool:
        return self.family in (HONEST, NEW_PATIENTS)

    @property
    def name(self) -> str:
        return f"{self.family}: {self.grade}" if self.grade else f"honest, {self.family}"

    def count(self, verdict: str) -> int:
        return sum(model.verdict == verdict for model in self.models)

    def blocking(self) -> list[tuple[str, int]]:
        """The checks that blocked these models: the most frequent first, of as frequent ones those
        on the slice that was left out, then those on another slice."""
        counted = Counter(name for model in self.models for name in model.blocking)
        own = f"={self.grade}]"
        return sorted(
            counted.items(),
            key=lambda item: (-item[1], not item[0].endswith(own), "=" not in item[0], item[0]),
        )


@dataclass(frozen=True)
class Pairs:
    """Verdicts on ordered pairs of honest models, and the largest loss bound of each check."""

    verdicts: Counter[str]
    worst: dict[str, float]


def load_baseline(folder: Path) -> Baseline:
    return Baseline(
        load_policy(folder / "policy.yaml"),
        load_case_set(folder / "case_set.json"),
        load_golden(folder / "golden.json"),
    )


def judge(scored: Scored, baseline: Baseline, champion: Scored | None = None) -> Judged:
    """The gate's word on one model, against golden and, where there is one, a champion."""
    decision = decide(
        policy=baseline.policy,
        case_set=baseline.case_set,
        candidate=case_scores(scored, baseline),
        champion=case_scores(champion, baseline) if champion else None,
        golden=baseline.golden,
        evaluator=None,
        scores_only=True,
        trained_on=scored.trained_on,
        findings=(),
        run_id="measurement",
        created="2000-01-01T00:00:00Z",
    )
    return summed_up(scored, decision)


def summed_up(scored: Scored, decision: Decision) -> Judged:
    compared = [check for check in decision.checks if check.rule == "non_inferiority"]
    limited = [check for check in decision.checks if check.rule in ("floor", "ceiling")]
    return Judged(
        family=scored.family,
        grade=scored.grade,
        seed=scored.seed,
        verdict=decision.verdict.value,
        estimates={s.metric: s.estimate for s in decision.slices if s.slice == "overall"},
        slice_estimates={
            f"{s.metric}[{s.slice}]": s.estimate for s in decision.slices if s.slice != "overall"
        },
        losses={_named(check): _loss(check) for check in compared if check.against == "golden"},
        champion_losses={
            _named(check): _loss(check) for check in compared if check.against == "champion"
        },
        levels={_named(check): _level(check) for check in limited},
        blocking=tuple(dict.fromkeys(_named(check) for check in _blocking(decision))),
    )


def groups(models: Iterable[Judged]) -> tuple[Group, ...]:
    """The models by family and grade: the honest ones first, then as they come."""
    found: dict[tuple[str, str], list[Judged]] = {}
    for model in models:
        found.setdefault((model.family, model.grade), []).append(model)
    ordered = sorted(found, key=_place)
    return tuple(Group(*key, tuple(found[key])) for key in ordered)


def honest_pairs(models: Sequence[Scored], baseline: Baseline) -> Pairs:
    """Each honest retraining on the same cases against each other one as champion."""
    honest = [model for model in models if model.family == HONEST]
    found = [
        judge(candidate, baseline, champion)
        for candidate in honest
        for champion in honest
        if champion is not candidate
    ]
    worst: dict[str, float] = {}
    for judged in found:
        for check, (_, bound) in judged.champion_losses.items():
            worst[check] = max(bound, worst.get(check, bound))
    return Pairs(Counter(judged.verdict for judged in found), worst)


def case_scores(scored: Scored, baseline: Baseline) -> CaseScores:
    name = f"{scored.family}/{scored.grade}/{scored.seed}"
    return CaseScores(
        case_ids=scored.case_ids,
        scores=scored.scores,
        operating_point=scored.operating_point,
        model_sha256=name.encode().hex().ljust(64, "0")[-64:],
        scored_case_set=baseline.case_set.merkle_root,
    )


def _blocking(decision: Decision) -> list[CheckResult]:
    return [
        check
        for check in decision.checks
        if check.verdict is not Verdict.PASS and getattr(check, "role", "gate") == "gate"
    ]


def _named(check: CheckResult) -> str:
    """Such as `sensitivity[device=Cirrus]`, whatever it was held against."""
    if check.metric:
        return f"{check.metric}[{check.slice}]"
    return re.sub(r"\.(champion|golden)$", "", check.check)


def _level(check: CheckResult) -> tuple[float, float]:
    assert check.estimate is not None and check.lower is not None and check.upper is not None
    higher_is_better = METRICS[str(check.metric)].higher_is_better
    return check.estimate, check.lower if higher_is_better else check.upper


def _loss(check: CheckResult) -> tuple[float, float]:
    assert check.estimate is not None and check.lower is not None and check.upper is not None
    if METRICS[str(check.metric)].higher_is_better:
        return -check.estimate, -check.lower
    return check.estimate, check.upper


def _place(key: tuple[str, str]) -> tuple[int, float, str]:
    """Families in their order; grades by damage: more noise, or fewer cases, further down."""
    family, grade = key
    words = grade.split()
    if family == "label noise":
        return FAMILIES.index(family), float(grade), ""
    if family == "fewer cases":
        left = float(words[0]) / float(words[2])
        return FAMILIES.index(family), -left, ""
    return FAMILIES.index(family), 0.0, grade
