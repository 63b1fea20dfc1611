"""What a comparison of served cases with a model's own data found, as a report keeps it."""

from dataclasses import dataclass

MOVED, STEADY, NOT_ENOUGH = "moved", "steady", "not enough data"


@dataclass(frozen=True)
class Histogram:
    """Shares of both samples by bin or by value.

    Attributes:
      names: of the values of an attribute, or of the bins of a number, ascending.
      edges: of the bins, one more than bins; None for an attribute.
      reference, current: shares in [0, 1], one per bin.
    """

    names: tuple[str, ...]
    edges: tuple[float, ...] | None
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True)
class Shift:
    """How far one feature, the score or the positive rate lies from the reference.

    Attributes:
      name: the feature's, `score`, `positive_rate`, `sensitivity`, `specificity` or `calls`.
      kind: quality, attribute, score or rate.
      measure: jensen_shannon, l_infinity or difference.
      value: of the measure; None where there are not enough cases.
      limit: from which on a shift matters.
      p_value: how often undrifted cases differ as much, before correction; None as above.
      state: MOVED (it matters and is no accident), STEADY or NOT_ENOUGH.
      reference_cases, current_cases: how many cases had a value.
      words: one clause for a person.
    """

    name: str
    kind: str
    measure: str
    value: float | None
    limit: float
    p_value: float | None
    state: str
    reference_cases: int
    current_cases: int
    words: str
    histogram: Histogram | None = None


@dataclass(frozen=True)
class ObservedRate:
    """A proportion with its interval, both in [0, 1]; all None where no case counts."""

    name: str
    positives: int
    cases: int
    estimate: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class ChartPoint:
    """One period of a control chart.

    Attributes:
      start: ISO 8601 date.
      lower, upper: control limits for this many cases, in [0, 1].
      state: in control, signal, or NOT_ENOUGH.
    """

    start: str
    right: int
    cases: int
    estimate: float | None
    lower: float | None
    upper: float | None
    state: str


@dataclass(frozen=True)
class Chart:
    """A control chart of sensitivity or specificity over time.

    Attributes:
      target: what the model reached on its reference, in [0, 1]; None where unknown.
      source: which chart this is, and who described it.
    """

    name: str
    target: float | None
    points: tuple[ChartPoint, ...]
    source: str
    signal: bool


@dataclass(frozen=True)
class DriftReading:
    """What the features that moved point to, together.

    Attributes:
      kind: nothing, population, new_source, acquisition, scores_only, performance, calls, or mixed.
      where: `device=Cirrus` and the like, where the shift is in one place.
      words: one sentence for a person.
    """

    kind: str
    where: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Drift:
    """A whole comparison.

    Attributes:
      state: MOVED, STEADY or NOT_ENOUGH; STEADY only where enough cases were there.
      first, last: ISO 8601 times in UTC of the window's first and last prediction.
      alpha: of the whole comparison, after correction for its many parts.
    """

    state: str
    cases: int
    labelled: int
    first: str | None
    last: str | None
    alpha: float
    shifts: tuple[Shift, ...]
    rates: tuple[ObservedRate, ...]
    charts: tuple[Chart, ...]
    reading: DriftReading
