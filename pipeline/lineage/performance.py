"""How well a model does: every metric with its interval, overall and for every attribute's values.

Computed anew from the kept scores by the gate's own functions, so that what a page says and what
the gate decided on cannot drift apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from components.errors import ConfigError, NothingEvaluated, suggestion
from components.gate.judged_cases import JudgedCases
from components.gate.policy import slice_name
from components.gate.rules import judged_part
from components.metrics import METRICS, Outputs
from pipeline.lineage.answer import Answer, Table
from pipeline.lineage.judged import CANDIDATE, CHAMPION, GOLDEN, Judged, judged
from pipeline.lineage.subject import Evidence, Subject

OVERALL = "overall"
UNDEFINED = "undefined"


@dataclass(frozen=True)
class Figure:
    """A metric of the candidate on one slice.

    Attributes:
      n: cases it is taken over; patients where the policy aggregates to them.
      estimate, lower, upper: None where it is undefined, `why` then says the reason.
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
    why: str = ""

    @property
    def slice(self) -> str:
        return slice_name({self.attribute: self.value} if self.value else {})


def performance(evidence: Evidence, subject: Subject, *, by: str | None = None) -> Answer:
    """Figures of one run's model on the case set that judged it.

    Args:
      by: only this attribute's values, beside the overall figures.
    """
    found = judged(evidence, subject)
    attributes = attributes_of(found.cases, found)
    if by is not None and by not in attributes:
        raise ConfigError(f"--by {by}: no attribute of the case set{suggestion(by, attributes)}")
    rows = tuple(figures(found, [by] if by else attributes))
    undefined = [row for row in rows if row.estimate is None]
    level = 1 - 2 * found.policy.alpha
    notes = [
        f"Intervals hold {level:.1%} of the time, each on its own; several images of one patient "
        f"are taken as {found.decision.patients}."
    ]
    if undefined:
        notes.append(f"{len(undefined)} figures are undefined: too few cases, or none of a class.")
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
        notes=tuple(notes),
        evidence=(
            f"scores {found.decision.hashes['candidate_scores']} of decision "
            f"{found.decision.decision_sha256}",
        ),
    )


def attributes_of(cases: JudgedCases, found: Judged) -> list[str]:
    """Names of the attributes that tell cases of the set apart."""
    names = sorted({name for case in found.case_set.cases for name in case.attributes})
    return [name for name in names if len(cases.values(name)) > 1]


def figures(found: Judged, attributes: list[str]) -> Iterator[Figure]:
    """Every metric overall, then for each value of each attribute."""
    pieces = [(OVERALL, "")]
    pieces += [(name, value) for name in attributes for value in found.cases.values(name)]
    for attribute, value in pieces:
        for metric in METRICS:
            yield _figure(found, metric, attribute, value)


def _figure(found: Judged, name: str, attribute: str, value: str) -> Figure:
    mask = found.cases.mask({attribute: value} if value else {})
    method = METRICS[name].methods[0]
    parts = {
        model: judged_part(found.policy, found.cases, outputs, mask)
        for model, outputs in found.outputs.items()
    }
    estimates, why = {}, ""
    for model, part in parts.items():
        try:
            estimates[model] = METRICS[name].estimate(part, alpha=found.policy.alpha, method=method)
        except NothingEvaluated as error:
            why = why or str(error)
    ours = estimates.get(CANDIDATE)
    others = {m: e.estimate for m, e in estimates.items()}
    return Figure(
        metric=name,
        attribute=attribute,
        value=value,
        n=ours.n if ours else _cases(parts[CANDIDATE], METRICS[name].judges),
        estimate=ours.estimate if ours else None,
        lower=ours.lower if ours else None,
        upper=ours.upper if ours else None,
        method=method,
        champion=others.get(CHAMPION),
        golden=others.get(GOLDEN),
        why="" if ours else why,
    )


def _cases(part: Outputs, judges: str) -> int:
    """The cases that a metric is taken over."""
    if judges == "all":
        return int(part.labels.size)
    positives = int(part.labels.sum())
    return positives if judges == "positives" else int(part.labels.size) - positives


def _table(rows: tuple[Figure, ...]) -> Table:
    columns = ("attribute", "value", "metric", "n", "estimate", "lower", "upper")
    return Table(
        "performance",
        "Figures of the model, and of champion and golden on the same cases",
        (*columns, "champion", "golden", "method"),
        tuple(
            (
                row.attribute,
                row.value,
                row.metric,
                row.n,
                *(
                    UNDEFINED if row.estimate is None else number
                    for number in (row.estimate, row.lower, row.upper)
                ),
                row.champion,
                row.golden,
                row.method,
            )
            for row in rows
        ),
    )
