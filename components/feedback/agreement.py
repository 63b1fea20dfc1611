"""How far model and readers agree, what both leave open, and which cases somebody has to look at.

Feedback comes for the cases somebody chose to give it for, so none of these shares is an estimate
for all that is served: among cases that were looked at because they seemed wrong, a good model
looks bad. Begg and Greenes (1983), Biometrics 39:207-215, call this verification bias.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from components.feedback.opinion import NEGATIVE, POSITIVE, UNSURE, JudgedCase, Opinion

# Why a case is on the worklist, the worst first; perhaps: some reader says so, nothing is settled.
MISSED = "missed"
FALSE_ALARM = "false alarm"
MAYBE_MISSED = "perhaps missed"
MAYBE_FALSE = "perhaps a false alarm"
READERS_DIFFER = "readers differ"
REASONS = (MISSED, FALSE_ALARM, MAYBE_MISSED, MAYBE_FALSE, READERS_DIFFER)

ALPHA = 0.025  # of each side, so that intervals have a level of 95 %


@dataclass(frozen=True)
class AgreementShare:
    """A proportion with its interval, all in [0, 1]; estimate and bounds None where no case is.

    Attributes:
      kappa: Cohen's, in [-1, 1]; None where it is undefined or means nothing.
    """

    name: str
    count: int
    cases: int
    estimate: float | None
    lower: float | None
    upper: float | None
    kappa: float | None = None


@dataclass(frozen=True)
class Open:
    """A case that somebody has to look at: why, and all opinions."""

    why: str
    case: JudgedCase


@dataclass(frozen=True)
class Agreement:
    """Attributes:
    cases, opinions, unsure, undecided: cases with an opinion; the newest opinions; those that are
      unsure; those of cases whose decision the log does not say. The last two count nowhere else.
    readers: agreement of the model with each reader.
    overall: with all; the opinions on one case are counted as belonging together.
    models: with all readers, by model.
    between: of each pair of readers, on the cases that both judged.
    sensitivity, specificity: of the model's decisions, against settled labels.
    worklist: disagreements, the worst first.
    """

    cases: int
    settled: int
    opinions: int
    unsure: int
    undecided: int
    overall: AgreementShare
    readers: tuple[AgreementShare, ...]
    models: tuple[AgreementShare, ...]
    between: tuple[AgreementShare, ...]
    sensitivity: AgreementShare
    specificity: AgreementShare
    worklist: tuple[Open, ...]


def agreement(cases: Sequence[JudgedCase]) -> Agreement:
    """What the opinions come to."""
    newest = [one for case in cases for one in case.opinions]
    counted = [one for one in newest if one.label != UNSURE]
    usable = [one for one in counted if one.predicted.positive is not None]
    settled = [case for case in cases if case.right is not None]
    return Agreement(
        cases=len(cases),
        settled=sum(case.label is not None for case in cases),
        opinions=len(newest),
        unsure=len(newest) - len(counted),
        undecided=len(counted) - len(usable),
        overall=_with_model("all readers", usable),
        readers=_by([(one.by, one) for one in usable]),
        models=_by([(one.predicted.model, one) for one in usable]),
        between=tuple(_between(cases)),
        sensitivity=_right("sensitivity", settled, POSITIVE),
        specificity=_right("specificity", settled, NEGATIVE),
        worklist=worklist(cases),
    )


def worklist(cases: Iterable[JudgedCase]) -> tuple[Open, ...]:
    """Where model and readers, or readers among each other, differ; missed positives first."""
    found = [Open(why, case) for case in cases if (why := _why(case)) is not None]
    return tuple(sorted(found, key=_urgency))


def cohens_kappa(one: Sequence[bool], other: Sequence[bool]) -> float | None:
    """Agreement of two beyond chance: (p_observed - p_chance) / (1 - p_chance), in [-1, 1].

    Args:
      one, other: what each judged of the same cases, in the same order.

    Returns:
      None where it is undefined: no case, or both gave every case the same one label.

    Source: Cohen (1960), Educational and Psychological Measurement 20:37-46.
    """
    if len(one) != len(other):
        raise ValueError(f"kappa: got {len(one)} and {len(other)} judgements, wanted as many")
    n, a, b = len(one), sum(one), sum(other)
    by_chance = a * b + (n - a) * (n - b)  # times n squared, so that all is whole numbers
    if by_chance == n * n:
        return None
    return (n * sum(map(bool.__eq__, one, other)) - by_chance) / (n * n - by_chance)


def _why(case: JudgedCase) -> str | None:
    labels = {one.label for one in case.opinions} - {UNSURE}
    decision = case.predicted.positive
    if case.missed:
        return MISSED
    if case.right is False:
        return FALSE_ALARM
    if case.label is not None:
        return None  # settled, and the model was right
    if POSITIVE in labels and decision is False:
        return MAYBE_MISSED
    if NEGATIVE in labels and decision is True:
        return MAYBE_FALSE
    return READERS_DIFFER if len(labels) > 1 else None


def _urgency(one: Open) -> tuple[int, float, str]:
    predicted = one.case.predicted
    confidence = -predicted.score if predicted.positive else predicted.score
    return REASONS.index(one.why), confidence, one.case.case_id


def _with_model(name: str, opinions: Sequence[Opinion]) -> AgreementShare:
    """Agreement of opinions with the model; several on one case tell less than as many cases."""
    model = [bool(one.predicted.positive) for one in opinions]
    readers = [one.label == POSITIVE for one in opinions]
    agreeing = [a == b for a, b in zip(model, readers)]
    kappa = cohens_kappa(model, readers)
    return _share(name, agreeing, [one.case_id for one in opinions], kappa)


def _by(opinions: Iterable[tuple[str, Opinion]]) -> tuple[AgreementShare, ...]:
    groups: dict[str, list[Opinion]] = {}
    for name, one in opinions:
        groups.setdefault(name, []).append(one)
    return tuple(_with_model(name, group) for name, group in sorted(groups.items()))


def _between(cases: Sequence[JudgedCase]) -> Iterable[AgreementShare]:
    labels: dict[str, dict[str, bool]] = {}
    for case in cases:
        for one in case.opinions:
            if one.label != UNSURE:
                labels.setdefault(one.by, {})[case.case_id] = one.label == POSITIVE
    for a, b in combinations(sorted(labels), 2):
        if both := sorted(labels[a].keys() & labels[b].keys()):
            first, second = ([labels[name][case_id] for case_id in both] for name in (a, b))
            same = [x == y for x, y in zip(first, second)]
            yield _share(f"{a} and {b}", same, both, cohens_kappa(first, second))


def _right(name: str, settled: Sequence[JudgedCase], label: str) -> AgreementShare:
    of_label = [case for case in settled if case.label == label]
    right = [bool(case.right) for case in of_label]
    return _share(name, right, [case.case_id for case in of_label], None)


def _share(
    name: str, values: Sequence[bool], groups: Sequence[str], kappa: float | None
) -> AgreementShare:
    if not values:
        return AgreementShare(name, 0, 0, None, None, None)
    # NumPy and SciPy are for whoever asks for a report, not for whoever adds an opinion.
    import numpy as np

    from components.statistics.clustered import clustered_proportion

    codes = np.unique(np.array(groups, dtype=object), return_inverse=True)[1]
    found = clustered_proportion(np.array(values, dtype=np.bool_), codes, alpha=ALPHA)
    return AgreementShare(
        name, sum(values), len(values), found.estimate, found.lower, found.upper, kappa
    )
