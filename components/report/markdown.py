"""The report of a run as Markdown: what a reviewer reads first, in a pull request or an editor."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from components.decision import CheckResult, Decision, Flips
from components.records.files import write_atomically
from components.records.text import one_line
from components.report import words

LISTED = 50
SLICES = 20
MOST_CHARACTERS = 60_000  # a pull request's comment holds 65,536
LONGEST = 240  # characters of one text from data
CUT = "*Cut here to fit a comment: the decision holds the rest.*"


def write_report(decision: Decision, path: Path, *, synthetic: bool) -> Path:
    """Writes the report; returns `path`."""
    write_atomically(path, report(decision, synthetic=synthetic).encode())
    return path


def report(decision: Decision, *, synthetic: bool) -> str:
    """The decision as one Markdown text of at most MOST_CHARACTERS, the most urgent first."""
    blocked = words.blocking(decision)
    middle = [
        *_waivers(decision),
        *(_section("What stands in the way", open_checks(decision)) if blocked else []),
        *_checks(decision),
        *_comparisons(decision),
        *(line for flips in decision.flips for line in _changed(flips)),
        *_slices(decision),
        *_section("Findings", [f"- {safe(finding)}" for finding in decision.findings[:LISTED]]),
        *_self_tests(decision),
    ]
    head, tail = _head(decision, synthetic), _hashes(decision)
    room = MOST_CHARACTERS - len("\n".join([*head, *tail, CUT])) - 10
    return "\n".join([*head, *fitting(middle, room, CUT), *tail]) + "\n"


def _head(decision: Decision, synthetic: bool) -> list[str]:
    cases = decision.case_set
    return [
        f"# {decision.verdict.value}: run {safe(decision.run_id)}",
        "",
        words.sentence(decision) + (" **All images are synthetic.**" if synthetic else ""),
        "",
        f"Judged on {cases['cases']} cases ({cases['positives']} positive) of case set "
        f"{safe(str(cases['name']))} version {cases['version']} by policy "
        f"{safe(decision.policy)}, {decision.created}. Looks at these cases: "
        f"{words.looks(decision)}.",
    ]


def _waivers(decision: Decision) -> list[str]:
    if not decision.waivers:
        return []
    head = ["check", "state", "by", "second", "until", "reason"]
    rows = [
        [safe(text) for text in (w.check, w.state, w.by, w.second, w.expires, w.reason)]
        for w in decision.waivers
    ]
    return _section("Waivers", table_lines(head, rows))


def open_checks(decision: Decision) -> list[str]:
    """A line for each check that stands in the way."""
    return [
        f"- **{check.verdict.value}** {safe(words.title(check))}: {safe(check.reason)}"
        for check in words.blocking(decision)
    ]


def _checks(decision: Decision) -> list[str]:
    head = ["check", "against", "n", "estimate", "interval", "limit", "verdict", "why"]
    table = table_lines(head, [_check_row(check) for check in decision.checks])
    note = (
        f"Bounds are one-sided at {decision.alpha} unless the policy says otherwise, and decide; "
        f"{words.PATIENTS.get(decision.patients, decision.patients)}."
    )
    return [*_section("Checks", table), "", note]


def _check_row(check: CheckResult) -> list[str]:
    signed = words.is_change(check)
    return [
        safe(check.check),
        check.against,
        str(check.n or "-"),
        words.number(check.estimate, signed=signed),
        words.interval(check),
        words.number(check.limit, signed=signed),
        f"**{words.standing(check)}**",
        safe(check.reason),
    ]


def _comparisons(decision: Decision) -> list[str]:
    ordered = words.regressed_first(decision)
    if not ordered:
        return []
    regressed = sum(row.regressed for row in ordered)
    shown = ordered[: min(LISTED, max(regressed, SLICES))]
    head = ["slice", "metric", "against", "gained", "lost", "difference", "p exact", "p Holm", ""]
    rows = [
        [
            safe(row.slice),
            row.metric,
            row.against,
            str(row.gained),
            str(row.lost),
            words.number(words.difference(row), signed=True),
            words.p_value(row.exact),
            words.p_value(row.holm),
            "**regressed**" if row.regressed else "",
        ]
        for row in shown
    ]
    more = _more(len(ordered) - len(rows))
    return _section("Where it changed (decides nothing)", [*table_lines(head, rows), *more])


def _changed(flips: Flips) -> list[str]:
    """Never-miss cases first, and apart."""
    lines = [
        listed("lost (right before, wrong now)", flips.lost),
        "",
        listed("gained (wrong before, right now)", flips.gained),
    ]
    if flips.lost_sentinels:
        lines[:0] = [f"**{listed('lost that must never be missed', flips.lost_sentinels)}**", ""]
    return _section(f"Changed against {flips.against}", lines)


def _slices(decision: Decision) -> list[str]:
    rows = [
        [
            safe(piece.metric),
            safe(piece.slice),
            str(piece.n),
            words.number(piece.estimate),
            f"{words.number(piece.lower)} to {words.number(piece.upper)}",
        ]
        for piece in decision.slices[:LISTED]
    ]
    table = table_lines(["metric", "slice", "n", "estimate", "interval"], rows) if rows else []
    more = _more(len(decision.slices) - len(rows))
    return _section("By slice (described, not judged)", [*table, *more])


def _self_tests(decision: Decision) -> list[str]:
    broken = [test for test in decision.self_tests if not test.passed]
    lines = [
        f"- broken: {safe(test.name)}: wanted {safe(test.wanted)}, got {safe(test.got)}"
        for test in broken
    ]
    passed = len(decision.self_tests) - len(broken)
    return _section(
        "Self-tests of the gate", [f"{passed} as wanted", *([""] if lines else []), *lines]
    )


def _hashes(decision: Decision) -> list[str]:
    rows = [[name, value or "none"] for name, value in sorted(decision.hashes.items())]
    rows.append(["this decision", decision.decision_sha256])
    return _section("What it rests on", table_lines(["what", "SHA-256"], rows))


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *(lines or ["none"])]


def fitting(lines: Iterable[str], room: int, cut: str) -> list[str]:
    """The first lines that fit into `room` characters, and `cut` where there were more."""
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return [*kept, "", cut]
        kept.append(line)
    return kept


def _more(count: int) -> list[str]:
    return ["", f"and {count} more in the decision"] if count > 0 else []


def listed(what: str, ids: Sequence[str], most: int = LISTED) -> str:
    """How many there are, and the first of them."""
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return f"{len(ids)} {what}: {', '.join(safe(name) for name in ids[:most]) or '-'}{more}"


def table_lines(head: list[str], rows: list[list[str]]) -> list[str]:
    """`rows` hold Markdown: whatever comes from data has been through `safe`."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def safe(text: str) -> str:
    """Text from data on one line, which cannot become markup, a link, a mention or a new cell."""
    text = one_line(text, " ")
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    text = re.sub(r"([\\`|<>\[\]*~&]|^[#+=-])", r"\\\1", text)
    text = re.sub(r"^(\d+)([.)])", r"\1\\\2", text)
    # GitHub links bare addresses and names whatever is escaped around them; an empty comment parts
    # them and shows nothing.
    return re.sub(r"@(?=\w)|:(?=//)|www(?=\.)", lambda found: f"{found[0]}<!-- -->", text)
