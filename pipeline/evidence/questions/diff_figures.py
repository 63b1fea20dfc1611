"""How two models do on the cases they were judged on: figures, paired changes, flipped cases."""

from components.gate.rules import judged_part
from components.metrics import METRICS
from components.records.errors import NothingEvaluated
from pipeline.evidence.answer import Table, Value
from pipeline.evidence.judged import CANDIDATE, JudgedRun
from pipeline.evidence.questions.performance import UNDEFINED, figures, interval

_FIGURES = ("estimate", "lower", "upper")


def measured(one: JudgedRun, other: JudgedRun) -> tuple[list[Table], tuple[str, ...]]:
    """Metrics side by side, their paired change, and the cases that flipped; and why not all."""
    points = _operating_points(one, other)
    if one.case_set.merkle_root == other.case_set.merkle_root:
        return [points, _metrics(one, other, paired=True), _flips(one, other)], _bases(one, other)
    note = (
        "The two were judged on different cases or versions, so their figures are side by side and "
        "no paired change is given."
    )
    return [points, _metrics(one, other, paired=False)], (note, *_bases(one, other))


def _bases(one: JudgedRun, other: JudgedRun) -> tuple[str, ...]:
    """What makes the two columns of figures unlike, if anything."""
    ways = [side.decision.patients for side in (one, other)]
    if ways[0] == ways[1]:
        return ()
    return (
        f"Several images of one patient are taken as {ways[0]} in the first and as {ways[1]} in "
        "the second, each as its decision did; paired changes are taken as the second did.",
    )


def _operating_points(one: JudgedRun, other: JudgedRun) -> Table:
    sides = [side.decision.operating_points for side in (one, other)]
    rows = tuple(
        (model, *(side.get(model) for side in sides))
        for model in sides[1]
        if sides[0].get(model) != sides[1].get(model)
    )
    return Table("operating_points", "Operating points", ("model", "first", "second"), rows)


def _metrics(one: JudgedRun, other: JudgedRun, *, paired: bool) -> Table:
    rows = []
    for before, after in zip(figures(one, []), figures(other, [])):
        row: list[Value] = [after.metric]
        for side in (before, after):
            row += [UNDEFINED if v is None else v for v in (side.estimate, side.lower, side.upper)]
        row += _change(one, other, after.metric) if paired else [None] * 3
        rows.append(tuple(row))
    sides = [f"{side} {what}" for side in ("first", "second", "change") for what in _FIGURES]
    return Table("metrics", "Metrics, and their paired change", ("metric", *sides), tuple(rows))


def _change(one: JudgedRun, other: JudgedRun, name: str) -> list[Value]:
    """The paired change, by the interval that the second's policy asks for."""
    _, method, alpha = interval(other.policy, name, {})
    everything = other.cases.mask({})
    before, after = (
        judged_part(other.policy, other.cases, outputs, everything)
        for outputs in (
            other.on_its_terms(one.scores[CANDIDATE]),
            other.outputs[CANDIDATE],
        )
    )
    try:
        moved = METRICS[name].change(after, before, alpha=alpha, method=method)
    except NothingEvaluated:
        return [UNDEFINED] * 3
    return [moved.estimate, moved.lower, moved.upper]


def _flips(one: JudgedRun, other: JudgedRun) -> Table:
    """Every case that one of the two has right and the other has not; never-miss cases first."""
    before, after = one.outputs[CANDIDATE], other.outputs[CANDIDATE]
    rows = []
    for place in (before.right != after.right).nonzero()[0]:
        case = one.case_set.cases[place]
        told = ", ".join(f"{k}={v}" for k, v in sorted(case.attributes.items()))
        rows.append(
            (
                case.case_id,
                "gained" if after.right[place] else "lost",
                "positive" if case.label else "negative",
                case.sentinel,
                float(before.scores[place]),
                float(after.scores[place]),
                told,
            )
        )
    rows.sort(key=lambda row: (not row[3], row[1] == "gained", row[0]))
    columns = ("case", "turned", "label", "never miss", "first score", "second score", "attributes")
    return Table("cases", "Cases gained and lost", columns, tuple(rows), links={"case": "case"})
