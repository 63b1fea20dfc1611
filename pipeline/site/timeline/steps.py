"""The steps of a series of releases, in the order in which the ledger has them.

What was released when and why, what was not, what moved, and who approved, as one list.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from components.decision import Decision, load_decision
from components.lineage.record import RunRecord, load_record
from components.records.errors import CasegateError, IntegrityError, NothingEvaluated
from components.records.ledger.ledger import Entry, Ledger
from components.records.run_files import DECISION, HTML_REPORT, RUN_RECORD
from components.records.text import one_line
from components.report.words import explain
from pipeline.settings.workspace import Workspace

METRICS = ("sensitivity", "specificity")
GOLDEN = "golden"
# Entries that are part of a run's own step.
_OF_A_RUN = ("look", "decision", "release")


@dataclass(frozen=True)
class TimelineFigure:
    """A metric over all cases of the case set, in [0, 1], with its interval."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Margin:
    """What golden reached, and the least that its margin leaves a candidate."""

    golden: float
    least: float


@dataclass(frozen=True)
class TimelineStep:
    """Attributes:
    at: ISO 8601 in UTC.
    kind: run, approval, rollback, waiver, amendment, drift, promotion or retention.
    state: what became of a run; empty for the rest.
    words: one line for a person.
    reasons: why a candidate was not released, a line each.
    figures, margins: of a judged run, by metric; only those that are defined.
    only_golden: nothing but the comparison with golden stood in the way.
    report: path of the page, relative to the workspace; None where there is none.
    """

    at: str
    kind: str
    title: str
    words: str
    state: str = ""
    run_id: str | None = None
    trigger: str = ""
    why: str = ""
    data: str = ""
    version: int | None = None
    figures: Mapping[str, TimelineFigure] = field(default_factory=dict)
    margins: Mapping[str, Margin] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    only_golden: bool = False
    report: str | None = None


def steps(workspace: Workspace, sentence: Callable[[Entry], str]) -> list[TimelineStep]:
    """Every step, oldest first, after checking the chain of the ledger.

    Args:
      sentence: an entry of the ledger as a person reads it.

    Raises:
      NothingEvaluated: nothing ever happened here.
      IntegrityError: the ledger, a run record or a decision was altered.
    """
    entries = Ledger(workspace.ledger).entries()
    if not entries:
        raise NothingEvaluated(f"{workspace.root}: nothing ever happened here; run the pipeline")
    return [
        _of_run(entry, workspace) if entry.kind == "run" else _of_entry(entry, sentence(entry))
        for entry in entries
        if entry.kind not in _OF_A_RUN
    ]


def _of_entry(entry: Entry, words: str) -> TimelineStep:
    report = entry.body["report"] if entry.kind == "drift" else None
    return TimelineStep(
        at=entry.at,
        kind=entry.kind,
        title=_TITLES.get(entry.kind, entry.kind),
        words=words if entry.by == "casegate" else f"{entry.by}: {words}",
        report=str(Path(report).with_suffix(".html")) if report else None,
    )


_TITLES = {
    "approval": "golden approved",
    "rollback": "rolled back",
    "amendment": "case set amended",
    "promotion": "feedback promoted",
    "retention": "files removed",
}


def _of_run(entry: Entry, workspace: Workspace) -> TimelineStep:
    run_id = str(entry.body["run_id"])
    folder = workspace.run_folder(run_id)
    try:
        record = load_record(folder / RUN_RECORD, known=str(entry.body["record_sha256"]))
        decision = load_decision(folder / DECISION) if record.decision else None
    except IntegrityError:
        raise
    except (CasegateError, OSError) as error:
        raise IntegrityError(f"{folder}: the run cannot be read: {error}") from None
    page = folder / HTML_REPORT
    objecting = [check for check in decision.checks if check.open] if decision else []
    only_golden = decision is not None and _only_golden(decision)
    figures = _figures(decision) if decision else {}
    return TimelineStep(
        at=record.started,
        kind="run",
        title=record.state.replace("_", " "),
        words=_words(record, len(objecting), only_golden=only_golden),
        state=record.state,
        run_id=run_id,
        trigger=record.why.trigger,
        why=record.why.detail or "",
        data=record.inputs.data or "",
        version=record.release.version if record.release else None,
        figures=figures,
        margins=_margins(decision, figures) if decision else {},
        reasons=tuple(explain(check) for check in objecting),
        only_golden=only_golden,
        report=page.relative_to(workspace.root).as_posix() if page.exists() else None,
    )


def _words(record: RunRecord, objecting: int, *, only_golden: bool) -> str:
    if record.release:
        return f"released as version {record.release.version}"
    if record.error:
        return record.error
    if record.state == "unchanged" and not record.decision:
        return "nothing changed since the last decision"
    if record.state == "blocked" and only_golden:
        return "not released: as good as the champion within the margin, but not as golden"
    if record.state in ("blocked", "inconclusive") and record.decision:
        checks = "check objects" if objecting == 1 else "checks object"
        return f"not released: {objecting} {checks}"
    return ""


def _figures(decision: Decision) -> dict[str, TimelineFigure]:
    return {
        one.metric: TimelineFigure(one.estimate, one.lower, one.upper)
        for one in decision.slices
        if one.metric in METRICS and one.slice == "overall"
    }


def _margins(decision: Decision, figures: Mapping[str, TimelineFigure]) -> dict[str, Margin]:
    """Golden's own figures, as its comparisons with the candidate imply them."""
    found, wanted = {}, ("non_inferiority", GOLDEN, "overall")
    for check in decision.checks:
        figure = figures.get(check.metric or "")
        if figure is None or (check.rule, check.against, check.slice) != wanted:
            continue
        if check.estimate is not None and check.limit is not None:
            golden = figure.estimate - check.estimate
            found[str(check.metric)] = Margin(golden, golden + check.limit)
    return found


def _only_golden(decision: Decision) -> bool:
    """Whether a comparison with the champion alone would have let the candidate pass."""
    objecting = [check for check in decision.checks if check.open]
    return bool(objecting) and all(check.against == GOLDEN for check in objecting)


def as_text(steps: Sequence[TimelineStep]) -> str:
    """A line for each step, what a candidate reached below it, and why it was not released."""
    return "\n".join(line for number, step in enumerate(steps, 1) for line in _lines(number, step))


def _lines(number: int, step: TimelineStep) -> Iterator[str]:
    words = f": {one_line(step.words)}" if step.words else ""
    trigger = f" [{step.trigger}]" if step.trigger else ""
    yield f"{number:>3}  {step.at[:16].replace('T', ' ')}  {step.title}{trigger}{words}"
    if step.why:
        yield f"     why: {one_line(step.why)}"
    if step.data:
        yield f"     data: {one_line(step.data)}"
    if step.figures:
        yield "     " + ", ".join(
            f"{name} {one.estimate:.3f} ({one.lower:.3f} to {one.upper:.3f})"
            for name, one in step.figures.items()
        )
    for reason in step.reasons:
        yield f"     - {one_line(reason)}"
