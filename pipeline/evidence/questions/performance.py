"""How well a model does: every metric with its interval, overall and for every attribute's values.

Computed again from the kept scores by the gate's own functions, so that what a page says and what
the gate decided on cannot drift apart.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.gate.policy import Policy, slice_name
from components.gate.rules import judged_part
from components.metrics import METRICS, Outputs
from components.records.errors import ConfigError, NothingEvaluated, suggestion
from pipeline.evidence.answer import Answer, Columns, Table, named, shown_of
from pipeline.evidence.judged import CANDIDATE, CHAMPION, GOLDEN, JudgedRun, judged
from pipeline.evidence.subject import Evidence, Subject

OVERALL = "overall"
UNDEFINED = "undefined"


@dataclass(frozen=True)
class SliceFigure:
    """A metric of the candidate on one slice.

    Attributes:
      n: cases it is taken over; patients where the policy aggregates to them.
      estimate, lower, upper: None where it is undefined.
      method: of the interval: the one that the policy judges this slice by, if it does.
      champion, golden: their estimates on the same cases, where they were scored.
    """

    metric: str
    attribute: str
    value: str
    n: int
    estimate: float | None
    lower: float | None
    upper: float | None
    method: str
    champion: float | None
    golden: float | None

    @property
    def slice(self) -> str:
        return slice_name(_piece(self.attribute, self.value))


def performance(evidence: Evidence, subject: Subject, *, by: str | None = None) -> Answer:
    """Figures of one run's model on the case set that judged it.

    Args:
      by: only this attribute's values, beside the overall figures.

    Raises:
      ConfigError: no case has the attribute.
    """
    found = judged(evidence, subject)
    known = attributes_of(found)
    if by is not None and by not in known:
        raise ConfigError(f"--by {by}: no attribute of the case set{suggestion(by, known)}")
    attributes = dividing_attributes(found) if by is None else [by]
    rows = tuple(figures(found, attributes))
    inputs = found.record.inputs
    return Answer(
        question=f"how well does the model of {subject.name} do",
        facts={
            "case set": f"{inputs.case_set} version {inputs.case_set_version}",
            "cases": len(found.cases.ids),
            "positives": int(found.cases.labels.sum()),
            "operating point": found.decision.operating_points[CANDIDATE],
            "verdict": found.decision.verdict.value,
        },
        tables=(_table(rows),),
        notes=tuple(_notes(found, attributes, rows)),
        evidence=(
            f"scores {found.decision.hashes['candidate_scores']} of decision "
            f"{found.decision.decision_sha256}",
        ),
    )


def _notes(found: JudgedRun, attributes: list[str], rows: tuple[SliceFigure, ...]) -> Iterator[str]:
    level = 1 - 2 * found.policy.alpha
    yield (
        f"Each interval is two-sided at {level:.1%}, taken alone, or at the level of the check "
        "that judges its slice; several images of one patient are taken as "
        f"{found.decision.patients}."
    )
    undefined = sum(row.estimate is None for row in rows)
    if undefined:
        yield f"{undefined} figures are undefined: too few cases, or none of a class."
    for name in attributes:
        without = sum(name not in case.attributes for case in found.case_set.cases)
        if without:
            yield f"{without} cases have no {name}, and so stand in none of its groups."


def attributes_of(found: JudgedRun) -> list[str]:
    """Names of all attributes that any case of the set has."""
    return sorted({name for case in found.case_set.cases for name in case.attributes})


def dividing_attributes(found: JudgedRun) -> list[str]:
    """Those that cut the set: one that has the same value for every case repeats the overall."""

    def cuts(name: str) -> bool:
        first, *others = found.cases.values(name)
        return bool(others) or not found.cases.mask({name: first}).all()

    return [name for name in attributes_of(found) if cuts(name)]


def interval(policy: Policy, metric: str, piece: Mapping[str, str]) -> tuple[str, str, float]:
    """Method, paired method and one-sided alpha: those of the check on this slice, if there is one.

    Else the metric's own default at the policy's alpha, as descriptive slices are given.
    """
    for check in policy.checks:
        if check.metric == metric and dict(check.slice) == dict(piece):
            return check.method, check.paired_method, check.alpha
    return METRICS[metric].methods[0], METRICS[metric].paired_methods[0], policy.alpha


def figures(found: JudgedRun, attributes: list[str]) -> Iterator[SliceFigure]:
    """Every metric overall, then for each value of each attribute."""
    pieces = [(OVERALL, "")]
    pieces += [(name, value) for name in attributes for value in found.cases.values(name)]
    for attribute, value in pieces:
        for metric in METRICS:
            yield _figure(found, metric, attribute, value)


def _figure(found: JudgedRun, name: str, attribute: str, value: str) -> SliceFigure:
    piece = _piece(attribute, value)
    mask = found.cases.mask(piece)
    method, _, alpha = interval(found.policy, name, piece)
    estimates = {}
    for model, outputs in found.outputs.items():
        part = judged_part(found.policy, found.cases, outputs, mask)
        with contextlib.suppress(NothingEvaluated):
            estimates[model] = METRICS[name].estimate(part, alpha=alpha, method=method)
    ours = estimates.get(CANDIDATE)
    part = judged_part(found.policy, found.cases, found.outputs[CANDIDATE], mask)
    return SliceFigure(
        metric=name,
        attribute=attribute,
        value=value,
        n=ours.n if ours else _cases(part, METRICS[name].judges),
        estimate=shown_of(ours, "estimate"),
        lower=shown_of(ours, "lower"),
        upper=shown_of(ours, "upper"),
        method=method,
        champion=shown_of(estimates.get(CHAMPION), "estimate"),
        golden=shown_of(estimates.get(GOLDEN), "estimate"),
    )


def _piece(attribute: str, value: str) -> dict[str, str]:
    return {} if (attribute, value) == (OVERALL, "") else {attribute: value}


def _cases(part: Outputs, judges: str) -> int:
    if judges == "all":
        return int(part.labels.size)
    positives = int(part.labels.sum())
    return positives if judges == "positives" else int(part.labels.size) - positives


def defined(number: float | None) -> float | str:
    """A figure as tables have it."""
    return UNDEFINED if number is None else number


def _table(rows: tuple[SliceFigure, ...]) -> Table:
    columns: Columns = {
        **named("attribute", "value", "metric", "n"),
        "estimate": lambda row: defined(row.estimate),
        "lower": lambda row: defined(row.lower),
        "upper": lambda row: defined(row.upper),
        **named("champion", "golden", "method"),
    }
    title = "Figures of the model, and of champion and golden on the same cases"
    return Table.of("performance", title, rows, columns)
