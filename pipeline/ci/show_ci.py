"""A checked commit as a person reads it in a terminal or a job's log, in few lines."""

from collections.abc import Iterator

from components.report.words import blocking, counted, explain
from pipeline.ci.checked import CANDIDATE, CheckedCommit, JudgedBaseline
from pipeline.ci.limits import LOOSENED
from pipeline.ci.plan import NOTHING

LISTED = 12


def as_lines(checked: CheckedCommit, out: str) -> Iterator[str]:
    """The outcome, plainly: without colour, as it is for logs as much as for people."""
    for finding in checked.plan.findings:
        yield f"note: {finding}"
    for one in checked.judged:
        yield from _judged(one)
    for name, said in checked.notes.items():
        yield f"{name}: {said}"
    if checked.plan.kind == NOTHING:
        yield "nothing to judge"
    yield f"results: {out}"


def _judged(one: JudgedBaseline) -> Iterator[str]:
    decision = one.gated.decision
    where = f"{one.name}, {one.whose}" if one.whose != CANDIDATE else one.name
    yield f"{decision.verdict.value}  {where}" + (f"; {one.remark}" if one.remark else "")
    left = blocking(decision)
    for check in left[:LISTED]:
        yield f"  {check.verdict.value:<12}  {explain(check)}"
    if len(left) > LISTED:
        yield f"  and {counted(len(left) - LISTED, 'check')} more in the report"
    for change in one.limits:
        if change.effect == LOOSENED:
            yield f"  loosened      {change.what}: {change.before} to {change.after}"
