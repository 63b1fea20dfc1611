"""What a model card says of figures: performance, what went before, and the acceptance criteria."""

from components.card import CardSection, CardTable
from pipeline.evidence.judged import CANDIDATE, CHAMPION, GOLDEN, JudgedRun
from pipeline.evidence.questions.performance import OVERALL, UNDEFINED, SliceFigure

NONE = "none"  # there is no such figure; unlike one that is not known


def performance_section(found: JudgedRun, rows: list[SliceFigure]) -> CardSection:
    """Every figure, those without a value too: a group that is left out looks like a good one."""
    columns = ("slice", "metric", "n", "estimate", "lower", "upper")
    tables = []
    for title, chosen in (
        ("Overall", [row for row in rows if row.slice == OVERALL]),
        ("By attribute", [row for row in rows if row.slice != OVERALL]),
    ):
        cells = tuple(
            (row.slice, row.metric, row.n, *map(_defined, (row.estimate, row.lower, row.upper)))
            for row in chosen
        )
        if cells:
            tables.append(CardTable(title, columns, cells))
    level = 1 - 2 * found.policy.alpha
    text = (
        f"Intervals are two-sided at {level:.1%} where a check names no level of its own, each "
        f"taken alone; several images of one patient are taken as {found.decision.patients}."
    )
    return CardSection("Performance", texts=(text,), tables=tuple(tables))


def _defined(number: float | None) -> float | str:
    return UNDEFINED if number is None else number


def compared_section(found: JudgedRun, rows: list[SliceFigure]) -> CardSection:
    known = [model for model in (CHAMPION, GOLDEN) if model in found.outputs]
    texts = {
        CHAMPION: "There was no champion: nothing was in service before this model.",
        GOLDEN: "There was no golden: no model had been approved on these cases.",
    }
    said = tuple(text for model, text in texts.items() if model not in known)
    if not known:
        return CardSection("Against what went before", texts=said)
    overall = tuple(
        (row.metric, _defined(row.estimate), *(_defined(getattr(row, model)) for model in known))
        for row in rows
        if row.slice == OVERALL
    )
    tables = [CardTable("Overall figures", ("metric", "this model", *known), overall)]
    flips = tuple(
        (f.against, len(f.gained), len(f.lost), len(f.lost_sentinels)) for f in found.decision.flips
    )
    if flips:
        columns = ("against", "cases gained", "cases lost", "never-miss cases lost")
        tables.append(CardTable("Cases that turned", columns, flips))
    return CardSection("Against what went before", texts=said, tables=tuple(tables))


def checks_section(found: JudgedRun) -> CardSection:
    """Each check with its verdict, whatever became of it, and whether it decided anything."""
    rows = tuple(
        (
            check.check,
            check.verdict.value + (", waived" if check.waived else ""),
            check.role,
            *(
                NONE if value is None else value
                for value in (check.estimate, check.lower, check.upper, check.limit)
            ),
        )
        for check in found.decision.checks
    )
    columns = ("check", "verdict", "role", "estimate", "lower", "upper", "limit")
    return CardSection(
        "Acceptance criteria",
        facts={
            "policy": found.policy.name,
            "SHA-256 of the policy": found.record.inputs.policy_sha256,
            "committed": found.record.inputs.policy_committed,
            "one-sided alpha": found.policy.alpha,
            "verdict": found.decision.verdict.value,
            "operating point judged at": found.decision.operating_points[CANDIDATE],
        },
        tables=(CardTable("Checks", columns, rows),),
    )
