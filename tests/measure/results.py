"""What the page and its pictures are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.gate.policy import Check
from components.metrics import METRICS
from components.statistics.intervals import normal_quantile
from tests.measure.cache import Scored
from tests.measure.grid import REPLICATIONS, SEED, Simulated
from tests.measure.judging import Baseline, Group, Pairs, groups, honest_pairs, judge
from tests.measure.simulation import score, shares


@dataclass(frozen=True)
class Provable:
    """What one check can show on the cases it has.

    Attributes:
      n: cases it judges; margin: against golden.
      tolerated: most lost cases, with none gained, at which it still passes; None where it cannot
        pass even then.
      power: share of equally good models that pass it, at the policy's expected discordance.
    """

    check: str
    n: int
    margin: float
    tolerated: int | None
    power: float


@dataclass(frozen=True)
class DataResults:
    """The retrainings on one data set, judged by its shipped policy.

    Attributes:
      limits, margins: the policy's gated floors and ceilings, and its margins against champion
        and golden, by `metric[slice]`.
    """

    data: str
    cases: int
    positives: int
    policy_sha256: str
    golden_sha256: str
    groups: tuple[Group, ...]
    pairs: Pairs
    provable: tuple[Provable, ...]
    limits: dict[str, float]
    margins: Mapping[str, Mapping[str, float]]

    @property
    def negatives(self) -> int:
        return self.cases - self.positives


@dataclass(frozen=True)
class Results:
    simulated: Simulated
    data: tuple[DataResults, ...]


def data_results(data: str, models: Sequence[Scored], baseline: Baseline) -> DataResults:
    """Judges every cached model, and every honest one against every other as champion."""
    cases = baseline.case_set.cases
    gated = [check for check in baseline.policy.checks if check.role == "gate"]
    return DataResults(
        data=data,
        cases=len(cases),
        positives=sum(case.label == 1 for case in cases),
        policy_sha256=baseline.policy.sha256,
        golden_sha256=baseline.golden.golden_sha256,
        groups=groups(judge(model, baseline) for model in models),
        pairs=honest_pairs(models, baseline),
        provable=_provable(baseline, gated),
        limits={check.name: check.limit for check in gated if check.limit is not None},
        margins={check.name: check.margins for check in gated if check.margins},
    )


def tolerated(n: int, margin: float, *, alpha: float = 0.025) -> int | None:
    """Most lost cases, with none gained, at which the non-inferiority rule passes on n cases."""
    lost = np.arange(n + 1)
    passes = score(np.zeros(n + 1), lost, n, margin) > normal_quantile(alpha)
    return int(np.count_nonzero(passes)) - 1 if passes.any() else None


def _provable(baseline: Baseline, gated: Sequence[Check]) -> tuple[Provable, ...]:
    """For each gated check with a margin against golden that counts right and wrong calls."""
    found = []
    for check in gated:
        judges = METRICS[check.metric].judges
        if judges == "all" or "golden" not in check.margins:
            continue
        wanted = 1 if judges == "positives" else 0
        n = sum(
            case.label == wanted
            and all(case.attributes.get(name) == value for name, value in check.slice.items())
            for case in baseline.case_set.cases
        )
        margin = check.margins["golden"]
        power = shares(
            n=n,
            discordance=baseline.policy.expected_discordance,
            difference=0.0,
            margin=margin,
            alpha=check.alpha,
            replications=REPLICATIONS,
            seed=SEED,
        ).passed
        found.append(
            Provable(check.name, n, margin, tolerated(n, margin, alpha=check.alpha), power)
        )
    return tuple(found)
