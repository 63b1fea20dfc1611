"""What feedback has come to: agreement, what the reader of it has to know, and the worklist; and
what `casegate feedback` prints for a person."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from components.feedback.agreement import ALPHA, Agreement, AgreementShare, Open, agreement
from components.feedback.opinion import Opinion, judged_cases
from components.feedback.sides import LeftOut
from components.records.errors import SourceError
from components.records.text import spell
from components.report.terminal import MOST_ROWS, cell, plain_table, print_facts, print_line
from components.report.words import counted
from pipeline.feedback.served import FeedbackPlaces, ServedCases

if TYPE_CHECKING:
    from pipeline.feedback.promote import Promoted

COLUMNS: tuple[str, ...] = ("why", "case_id", "score", "model_says", "model", "settled")
COLUMNS += ("settled_by", "open_because", "opinions", "notes")
BIAS = (
    "feedback is no random sample of what was served: cases that somebody chose to look at, often "
    "because something seemed wrong; none of these shares estimates all served cases "
    "(Begg and Greenes 1983)"
)


@dataclass(frozen=True)
class FeedbackCoverage:
    """For how many of the served cases there is feedback, by what the model said of them."""

    positive_judged: int
    positive_served: int
    negative_judged: int
    negative_served: int


@dataclass(frozen=True)
class Report:
    """Attributes:
    readers: how many have to agree before a case is settled.
    coverage: None where the prediction log cannot be read; `no_coverage` then says why.
    """

    readers: int
    agreement: Agreement
    coverage: FeedbackCoverage | None
    no_coverage: str

    def as_json(self) -> dict[str, Any]:
        found = self.agreement
        shares = ("overall", "sensitivity", "specificity")
        groups = ("readers", "models", "between")
        counts = ("cases", "settled", "opinions", "unsure", "undecided")
        return {
            **{name: getattr(found, name) for name in counts},
            "readers_needed": self.readers,
            "level": 1 - 2 * ALPHA,
            "warning": BIAS,
            "coverage": asdict(self.coverage) if self.coverage else None,
            **{name: asdict(getattr(found, name)) for name in shares},
            **{name: [asdict(one) for one in getattr(found, name)] for name in groups},
            "worklist": [_row(one) for one in found.worklist],
        }

    def worklist_csv(self) -> str:
        """The worklist as a table; a cell that a spreadsheet would calculate is made text."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in self.agreement.worklist:
            row = _row(one)
            labels = "; ".join(f"{name}: {label}" for name, label in row["opinions"].items())
            cells = {**row, "opinions": labels, "notes": "; ".join(row["notes"])}
            writer.writerow([_text(cells[name]) for name in COLUMNS])
        return stream.getvalue()


def make_report(places: FeedbackPlaces, served: ServedCases, *, readers: int) -> Report:
    """Reads the record, verified, and the log as far as there is one.

    Raises:
      IntegrityError: the record was altered.
    """
    cases = judged_cases(places.record.opinions(), readers=readers)
    try:
        _, positive, negative = served.counts()
    except SourceError as error:
        coverage, why = None, str(error)
    else:
        judged, why = [case.predicted.positive for case in cases], ""
        coverage = FeedbackCoverage(judged.count(True), positive, judged.count(False), negative)
    return Report(readers, agreement(cases), coverage, why)


def _row(one: Open) -> dict[str, Any]:
    case = one.case
    return {
        "why": one.why,
        "case_id": case.case_id,
        "score": case.predicted.score,
        "model_says": {True: "positive", False: "negative", None: None}[case.predicted.positive],
        "model": case.predicted.model,
        "settled": case.label,
        "settled_by": case.settled_by,
        "open_because": case.open_because or None,
        "opinions": {opinion.by: opinion.label for opinion in case.opinions},
        "notes": [f"{opinion.by}: {opinion.note}" for opinion in case.opinions if opinion.note],
    }


def _text(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


NOT_ENOUGH = "not enough"


def opinion_line(opinion: Opinion) -> str:
    again = f", opinion {opinion.version} of this reader" if opinion.version > 1 else ""
    settles = ", which settles it" if opinion.role == "adjudicator" else ""
    predicted = opinion.predicted
    decision = {True: "positive", False: "negative", None: "a score"}[predicted.positive]
    return (
        f"entry {opinion.seq}: case {spell(opinion.case_id)} is {opinion.label} by "
        f"{spell(opinion.by)}{again}{settles}; the model said {decision} "
        f"({predicted.score:.3f})"
    )


def show_report(console: Console, report: Report) -> None:
    found = report.agreement
    print_line(console, f"feedback on {counted(found.cases, 'case')}", "bold")
    facts = {
        "opinions": f"{counted(found.opinions, 'newest opinion')}, {found.unsure:,} of them unsure",
        "settled": f"{found.settled:,} of {found.cases:,}, by {report.readers} readers who agree "
        "or by an adjudicator",
        "feedback on": _coverage(report.coverage, report.no_coverage),
    }
    if found.undecided:
        facts["left out"] = f"{found.undecided:,}: the log does not say what the model decided"
    print_facts(console, facts)
    print_line(console, f"WARNING: {BIAS}", "yellow")
    level = f"{100 * (1 - 2 * ALPHA):g} %"
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
        words = NOT_ENOUGH if share.kappa is None else f"{share.kappa:.2f}"
        table.add_row(cell(share.name), *_numbers(share), *([words] if kappa else []))
    if shares:
        console.print(table)


def _numbers(share: AgreementShare) -> tuple[str, str, str]:
    count = f"{share.count:,} of {share.cases:,}"
    if share.estimate is None or share.lower is None or share.upper is None:
        return count, NOT_ENOUGH, NOT_ENOUGH
    return count, f"{share.estimate:.3f}", f"{share.lower:.3f} to {share.upper:.3f}"


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
    print_line(console, f"to look at, the worst first: {counted(len(work), 'case')}", "bold")
    table = plain_table("case", "score", "model", "readers", "why")
    for one in work[:MOST_ROWS]:
        case = one.case
        labels = ", ".join(f"{opinion.by}: {opinion.label}" for opinion in case.opinions)
        model = {True: "positive", False: "negative", None: "?"}[case.predicted.positive]
        score = f"{case.predicted.score:.3f}"
        table.add_row(cell(case.case_id), score, model, cell(labels), cell(one.why))
    console.print(table)
    if len(work) > MOST_ROWS:
        more = len(work) - MOST_ROWS
        print_line(console, f"  and {more:,} more: --format csv lists all", "dim")


def show_promoted(console: Console, done: "Promoted") -> None:
    title = "would be promoted" if done.dry_run else "promoted"
    plan, sides = done.plan, done.sides
    print_line(console, f"{title}: {counted(len(sides.training), 'case')} to training", "bold")
    facts = {
        "settled": f"{counted(plan.settled, 'case')}, {plan.sent_before:,} of them sent before",
        "span": f"{done.span or 'none'}",
        "proposed": f"{counted(len(sides.proposed), 'case')} for the case set, "
        f"{sum(case.missed for case in sides.proposed):,} of them as sentinels",
        "left out": f"{counted(len(sides.left_out), 'case')}",
    }
    cut_short = done.cut_short
    if ids := cut_short.finished:
        facts["finished"] = f"{', '.join(ids)}, which had been cut short"
    if ids := cut_short.taken_back:
        facts["taken back"] = f"{', '.join(ids)}, which had been cut short"
    if ids := cut_short.waiting:
        facts["cut short"] = f"{', '.join(ids)}; promote to settle that first"
    print_facts(console, facts)
    _left_out(console, sides.left_out)
    if done.proposal:
        print_line(console, f"proposal: {done.proposal.folder}.json")
        print_line(console, "next, after looking at each image, by whoever answers for the set:")
        for command in done.proposal.next:
            # Printed without wrapping, so that it can be copied.
            console.print(Text(command), soft_wrap=True)


def _left_out(console: Console, left_out: Sequence[LeftOut]) -> None:
    if not left_out:
        return
    table = plain_table("left out", "why")
    for one in left_out[:MOST_ROWS]:
        table.add_row(cell(one.case_id), cell(one.why))
    console.print(table)
    more = Counter(one.why for one in left_out[MOST_ROWS:])
    for why, count in more.most_common(5):
        print_line(console, f"  and {count:,} more: {why}", "dim")
