"""The report of a run as Markdown: what a reviewer reads first, in a pull request or an editor."""

from pathlib import Path

from components.baselines.files import write_atomically
from components.decision import CheckResult, Decision

LISTED = 50


def write_report(decision: Decision, path: Path, *, synthetic: bool) -> Path:
    """Writes the report; returns `path`."""
    write_atomically(path, report(decision, synthetic=synthetic).encode())
    return path


def report(decision: Decision, *, synthetic: bool) -> str:
    """Verdict, checks, slices, changed cases, findings and hashes, as one Markdown text."""
    cases = decision.case_set
    lines = [
        f"# {decision.verdict.value}: run {decision.run_id}",
        "",
        f"Judged on {cases['cases']} cases ({cases['positives']} positive) of case set "
        f"{_text(str(cases['name']))} version {cases['version']} by policy "
        f"{_text(decision.policy)}, {decision.created}."
        + (" **All images are synthetic.**" if synthetic else ""),
        "",
        "## Checks",
        "",
        *_table(
            ["check", "against", "n", "estimate", "interval", "limit", "verdict", "why"],
            [_check_row(check) for check in decision.checks],
        ),
        "",
        f"Intervals are one-sided at {decision.alpha}: the lower bound must reach the limit.",
        "",
        "## By slice (described, not judged)",
        "",
        *_table(
            ["metric", "slice", "n", "estimate", "interval"],
            [
                [
                    piece.metric,
                    piece.slice,
                    str(piece.n),
                    f"{piece.estimate:.3f}",
                    f"{piece.lower:.3f} to {piece.upper:.3f}",
                ]
                for piece in decision.slices
            ],
        ),
    ]
    for flips in decision.flips:
        lines += ["", f"## Changed against {flips.against}", ""]
        lines += [
            _listed("lost (right before, wrong now)", flips.lost),
            "",
            _listed("gained (wrong before, right now)", flips.gained),
        ]
    lines += ["", "## Findings", ""]
    lines += [f"- {_text(finding)}" for finding in decision.findings] or ["none"]
    lines += [
        "",
        "## What it rests on",
        "",
        *_table(
            ["what", "SHA-256"],
            [[name, value or "none"] for name, value in sorted(decision.hashes.items())]
            + [["this decision", decision.decision_sha256]],
        ),
    ]
    return "\n".join(lines) + "\n"


def _check_row(check: CheckResult) -> list[str]:
    return [
        check.check,
        check.against,
        str(check.n or "-"),
        _number(check.estimate),
        "-" if check.lower is None else f"{_number(check.lower)} to {_number(check.upper)}",
        _number(check.limit),
        f"**{check.verdict.value}**",
        check.reason,
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _listed(what: str, ids: tuple[str, ...]) -> str:
    more = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
    return f"{len(ids)} {what}: {', '.join(_text(name) for name in ids[:LISTED]) or '-'}{more}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows),
    ]


def _text(text: str) -> str:
    """Text from data, so that it cannot become markup or break the table."""
    for mark in "\\`|<>[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
