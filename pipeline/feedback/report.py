"""What feedback has come to: agreement, what the reader of it has to know, and the worklist."""

import csv
import io
from dataclasses import asdict, dataclass
from typing import Any

from components.feedback.agreement import ALPHA, Agreement, Open, agreement
from components.feedback.opinion import judged_cases
from components.records.errors import SourceError
from pipeline.feedback.served import FeedbackPlaces, ServedCases

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
