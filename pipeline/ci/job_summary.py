"""The summary of a checked commit, in Markdown and in a terminal: the verdict, and what changed.

What a stranger may have written, such as a path or a policy's reason, cannot become markup.
"""

from collections.abc import Iterator, Sequence

from components.decision import CheckResult, Flips, Verdict
from components.report import words
from components.report.markdown import MOST_CHARACTERS, fitting, listed, open_checks
from components.report.markdown import safe as text
from components.report.markdown import table_lines as table
from pipeline.ci.checked import CANDIDATE, CheckedCommit, JudgedBaseline
from pipeline.ci.limits import LOOSENED, LimitChange
from pipeline.ci.plan import JUDGE, NOTHING

LISTED = 60
MOST_LINES = 12  # of checks in a terminal
CASES = 30
CUT = "*Cut here to fit a comment: the report holds the rest.*"
WORDS = {0: "PASS", 1: "FAIL", 3: "INCONCLUSIVE"}


def summary(checked: CheckedCommit) -> str:
    """The whole text, at most MOST_CHARACTERS long."""
    lines = [f"# casegate: {headline(checked)}", ""]
    lines += _why(checked)
    for one in checked.judged:
        lines += _judged(one, several=len(checked.judged) > 1)
    lines += _notes(checked)
    room = MOST_CHARACTERS - len(CUT) - 2
    return "\n".join(fitting(lines, room, CUT)).rstrip() + "\n"


def headline(checked: CheckedCommit) -> str:
    if checked.error:
        return f"stopped, {text(str(checked.error))}"
    if checked.plan.kind == NOTHING:
        return "nothing to judge"
    verdict = WORDS.get(checked.exit_code, "FAIL")
    return f"{verdict}, {'; '.join(_sentence(one) for one in checked.judged)}"


def _sentence(one: JudgedBaseline) -> str:
    synthetic = " **All images are synthetic.**" if one.gated.synthetic else ""
    if one.whose == CANDIDATE:
        # A commit's run releases nothing; what it says is whether its model could be.
        return words.sentence(one.gated.decision).removesuffix(".") + synthetic
    gates = [check for check in one.gated.decision.checks if check.role == "gate"]
    left = sum(check.open for check in gates)
    passed = f"misses {left} of {len(gates)} checks" if left else f"passes all {len(gates)} checks"
    return f"{text(one.name)}: {text(one.whose)} {passed}{synthetic}"


def _why(checked: CheckedCommit) -> list[str]:
    plan = checked.plan
    lines = [f"{_done(checked)}: {text('; '.join(plan.reasons))}."]
    lines += [f"Compared: {text(checked.changes.summary)}.", ""]
    lines += [f"> **Note:** {text(finding)}\n" for finding in plan.findings]
    return lines


def _done(checked: CheckedCommit) -> str:
    if checked.plan.kind == NOTHING:
        return "Nothing had to be judged"
    if checked.plan.kind == JUDGE:
        return "The released model was to be judged anew, without any training"
    if any(one.from_cache for one in checked.judged):
        return "An earlier run on the same inputs answers for this one; nothing was released"
    return "A run of the whole pipeline was needed, which releases nothing"


def _judged(one: JudgedBaseline, *, several: bool) -> list[str]:
    decision, compared = one.gated.decision, one.compared
    lines = [f"## {text(one.name)}", ""] if several else []
    if one.remark:
        lines += [f"**{text(one.remark[:1].upper() + one.remark[1:])}.**", ""]
    if blocking := open_checks(decision):
        lines += ["### What stands in the way", "", *blocking[:LISTED], ""]
    lines += _limits(one.limits)
    lines += _checks(one)
    known = [compared.flips] if compared and compared.flips else []
    seen = {flips.against for flips in known}
    for flips in [*known, *(f for f in decision.flips if f.against not in seen)]:
        lines += _flips(flips)
    return lines


def _limits(limits: Sequence[LimitChange]) -> list[str]:
    if not limits:
        return []
    loosened = sum(change.effect == LOOSENED for change in limits)
    head = f"### What the policy asks for: {words.counted(loosened, 'limit')} loosened"
    mark = {LOOSENED: f"**{LOOSENED}**"}
    cells = [
        [text(one.what), text(one.before), text(one.after), mark.get(one.effect, one.effect)]
        for one in limits[:LISTED]
    ]
    return [head, "", *table(["limit", "before", "after", "effect"], cells), ""]


def _checks(one: JudgedBaseline) -> list[str]:
    """Every check that has a figure or does not pass, those that block first.

    Beside the base's limit where the same model was judged, else its figure.
    """
    compared, anew = one.compared, one.compared is not None and one.whose != CANDIDATE
    before = {check.check: check for check in compared.decision.checks} if compared else {}
    checks = one.gated.decision.checks
    found = [c for c in checks if c.estimate is not None or c.verdict is not Verdict.PASS]
    if not found:
        return []
    found.sort(key=lambda check: not check.open)
    base = text(compared.name) if compared else "nothing"
    cells = [_check(check, before.get(check.check), anew=anew) for check in found[:LISTED]]
    head = ["check", "now", "interval", "limit", base, "change", "verdict"]
    if anew:
        head[4:] = ["limit before", "verdict before", "verdict"]
    more = [f"and {len(found) - LISTED} more in the report"] if len(found) > LISTED else []
    return [f"### Checks, beside {base}", "", *table(head, cells), *more, ""]


def _check(check: CheckResult, old: CheckResult | None, *, anew: bool) -> list[str]:
    signed, before = words.is_change(check), old.estimate if old else None
    if anew:
        limit = words.number(old.limit if old else None, signed=signed)
        beside = [limit, old.verdict.value if old else "-"]
    else:
        change = None
        if check.estimate is not None and before is not None:
            change = check.estimate - before
        beside = [words.number(before, signed=signed), words.number(change, signed=True)]
    return [
        text(check.check),
        words.number(check.estimate, signed=signed),
        words.interval(check),
        words.number(check.limit, signed=signed),
        *beside,
        f"**{words.standing(check)}**",
    ]


def _flips(flips: Flips) -> list[str]:
    lines = [f"### Cases that turned, against {text(flips.against)}", ""]
    if flips.lost_sentinels:
        never = listed("lost that must never be missed", flips.lost_sentinels, CASES)
        lines += [f"**{never}**", ""]
    return [
        *lines,
        f"- {listed('right before, wrong now', flips.lost, CASES)}",
        f"- {listed('wrong before, right now', flips.gained, CASES)}",
        "",
    ]


def _notes(checked: CheckedCommit) -> list[str]:
    notes = [f"- {name}: {text(note)}" for name, note in checked.notes.items()]
    if checked.judged:
        notes.insert(0, f"- report: {report_link(checked)}")
    return ["### How it was done", "", *notes, ""] if notes else []


def report_link(checked: CheckedCommit) -> str:
    """Where the page can be had: from the provider's artifacts, else beside this text."""
    page = checked.job.page
    if page is None:
        return "`report.html` beside this summary"
    place = page.replace("{file}", "ci-results/report.html")
    return f"[report.html]({place})" if place.startswith("https://") else f"<{text(place)}>"


def as_lines(checked: CheckedCommit, out: str) -> Iterator[str]:
    """The outcome, plainly: without colour, as it is for logs as much as for people."""
    for finding in checked.plan.findings:
        yield f"note: {finding}"
    for one in checked.judged:
        yield from _lines_of(one)
    for name, note in checked.notes.items():
        yield f"{name}: {note}"
    if checked.plan.kind == NOTHING:
        yield "nothing to judge"
    yield f"results: {out}"


def _lines_of(one: JudgedBaseline) -> Iterator[str]:
    decision = one.gated.decision
    where = f"{one.name}, {one.whose}" if one.whose != CANDIDATE else one.name
    yield f"{decision.verdict.value}  {where}" + (f"; {one.remark}" if one.remark else "")
    left = words.blocking(decision)
    for check in left[:MOST_LINES]:
        yield f"  {check.verdict.value:<12}  {words.explain(check)}"
    if len(left) > MOST_LINES:
        yield f"  and {words.counted(len(left) - MOST_LINES, 'check')} more in the report"
    for change in one.limits:
        if change.effect == LOOSENED:
            yield f"  loosened      {change.what}: {change.before} to {change.after}"
