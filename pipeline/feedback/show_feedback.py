"""What `casegate feedback` prints for a person."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from components.feedback.agreement import AgreementShare
from components.feedback.opinion import Opinion
from components.records.rows import shown
from pipeline.feedback.report import BIAS, FeedbackCoverage, Report
from pipeline.settings.tables import MOST_ROWS, cell, many, plain_table, print_facts, print_line

NOT_ENOUGH = "not enough"


def recorded(opinion: Opinion) -> str:
    """What was written down, in one line."""
    again = f", opinion {opinion.version} of this reader" if opinion.version > 1 else ""
    settles = ", which settles it" if opinion.role == "adjudicator" else ""
    return (
        f"entry {opinion.seq}: case {shown(opinion.case_id)} is {opinion.label} by "
        f"{shown(opinion.by)}{again}{settles}; the model said {_said(opinion)}"
    )


def show_report(console: Console, report: Report) -> None:
    """Agreement, what it is worth, and whom to look at first."""
    found = report.agreement
    print_line(console, f"feedback on {many(found.cases, 'case')}", "bold")
    facts = {
        "opinions": f"{many(found.opinions, 'newest opinion')}, {found.unsure:,} of them unsure",
        "settled": f"{found.settled:,} of {found.cases:,}, by {report.readers} readers who agree "
        "or by an adjudicator",
        "feedback on": _coverage(report.coverage, report.no_coverage),
    }
    if found.undecided:
        facts["left out"] = f"{found.undecided:,}: the log does not say what the model decided"
    print_facts(console, facts)
    print_line(console, f"WARNING: {BIAS}", "yellow")
    level = f"{100 * (1 - 2 * report.alpha):g} %"
    models = [replace(share, name=f"model {share.name[:12]}") for share in found.models]
    agreeing = [found.overall, *found.readers, *models]
    _table(console, "model and readers agree", agreeing, level, kappa=True)
    _table(console, "readers agree with each other", found.between, level, kappa=True)
    right = [found.sensitivity, found.specificity]
    _table(console, "model, against settled cases", right, level, kappa=False)
    print_line(
        console,
        "interval: Clopper-Pearson, several opinions on a case counted as belonging together; "
        "kappa: Cohen 1960",
        "dim",
    )
    _worklist(console, report)


def _table(
    console: Console, title: str, shares: Sequence[AgreementShare], level: str, *, kappa: bool
) -> None:
    columns = [title, "agree" if kappa else "right", "share", level, *(["kappa"] if kappa else [])]
    table = plain_table(*columns, numbers=len(columns) - 1)
    for share in shares:
        table.add_row(cell(share.name), *_numbers(share), *([_kappa(share)] if kappa else []))
    if shares:
        console.print(table)


def _numbers(share: AgreementShare) -> tuple[str, str, str]:
    if share.estimate is None or share.lower is None or share.upper is None:
        return f"{share.count:,} of {share.cases:,}", NOT_ENOUGH, NOT_ENOUGH
    interval = f"{share.lower:.3f} to {share.upper:.3f}"
    return f"{share.count:,} of {share.cases:,}", f"{share.estimate:.3f}", interval


def _kappa(share: AgreementShare) -> str:
    return NOT_ENOUGH if share.kappa is None else f"{share.kappa:.2f}"


def _coverage(coverage: FeedbackCoverage | None, why: str) -> str:
    if coverage is None:
        return f"unknown: {why}"
    return (
        f"{coverage.positive_judged:,} of {coverage.positive_served:,} cases called positive, "
        f"{coverage.negative_judged:,} of {coverage.negative_served:,} called negative"
    )


def _worklist(console: Console, report: Report) -> None:
    work = report.agreement.worklist
    if not work:
        print_line(console, "nothing to look at: nobody disagrees")
        return
    print_line(console, f"to look at, the worst first: {many(len(work), 'case')}", "bold")
    table = plain_table("case", "score", "model", "readers", "why")
    for one in work[:MOST_ROWS]:
        case = one.case
        said = ", ".join(f"{opinion.by}: {opinion.label}" for opinion in case.opinions)
        model = {True: "positive", False: "negative", None: "?"}[case.predicted.positive]
        table.add_row(
            cell(case.case_id), f"{case.predicted.score:.3f}", model, cell(said), cell(one.why)
        )
    console.print(table)
    if len(work) > MOST_ROWS:
        more = len(work) - MOST_ROWS
        print_line(console, f"  and {more:,} more: --format csv lists all", "dim")


def _said(opinion: Opinion) -> str:
    predicted = opinion.predicted
    decision = {True: "positive", False: "negative", None: "a score"}[predicted.positive]
    return f"{decision} ({predicted.score:.3f})"
