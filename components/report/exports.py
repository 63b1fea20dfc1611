"""What the reports say of exported artefacts: a row for each runtime of each."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.decision import CheckResult, Decision, ExportDecision, Verdict
from components.records.text import first_few
from components.report.words import interval, number

COLUMNS = (
    *("verdict", "artefact", "runtime", "called alike", "interval", "furthest apart"),
    *("lost", "p95 ms", "size"),
)


@dataclass(frozen=True)
class ExportRow:
    """Attributes:
    required: whether the model is released only with it.
    runtime: its name and version; `-` where nothing was asked.
    figures: what stands under the other names of `COLUMNS`, in their order; `-` where unknown.
    """

    kind: str
    verdict: Verdict
    required: bool
    runtime: str
    figures: tuple[str, ...]

    @property
    def standing(self) -> str:
        """Such as `PASS, required`."""
        return self.verdict.value + (", required" if self.required else "")


def export_rows(decision: Decision) -> list[ExportRow]:
    """In the order of the decision; an artefact that nobody could ask has one row."""
    return [row for export in decision.exports for row in _rows(export)]


def export_faults(decision: Decision, export: ExportDecision) -> list[CheckResult]:
    """The checks that stand in an artefact's way, FAIL before INCONCLUSIVE.

    Those of a runtime that the candidate itself does not pass either are one.
    """
    left = [check for check in export.checks if check.open]
    missed = {c.check for c in decision.checks if c.verdict is not Verdict.PASS}
    shared: dict[str, list[CheckResult]] = {}
    own = []
    for check in left:
        runtime, _, name = check.check.partition(":")
        if name in missed:
            shared.setdefault(runtime, []).append(check)
        else:
            own.append(check)
    for runtime, checks in shared.items():
        worst = min(checks, key=_fails_first)
        names = first_few([check.check.partition(":")[2] for check in checks])
        reason = f"the candidate does not pass them either: {names}"
        own.append(CheckResult(f"{runtime}:as the candidate", "export", worst.verdict, reason))
    return sorted(own, key=_fails_first)


def _fails_first(check: CheckResult) -> bool:
    return check.verdict is not Verdict.FAIL


def _rows(export: ExportDecision) -> Iterator[ExportRow]:
    shares = {c.check.partition(":")[0]: c for c in export.checks if c.rule == "alike"}
    lost = {flips.against: flips for flips in export.flips}
    size = f"{export.size_bytes / 1000:,.0f} kB" if export.size_bytes is not None else "-"
    for runtime, found in export.runtimes.items():
        apart, turned = found.largest_difference, lost.get(runtime)
        yield ExportRow(
            export.kind,
            export.verdict,
            export.required,
            f"{runtime} {found.version or ''}".strip(),
            (
                f"{found.alike:,} of {found.n:,}" if found.n else "-",
                interval(shares[runtime]) if runtime in shares else "-",
                f"{apart:.0e}" if apart and apart < 0.001 else number(apart),
                _lost(len(turned.lost), len(turned.lost_sentinels)) if turned else "-",
                number((found.latency_ms or {}).get("p95")),
                size,
            ),
        )
    if not export.runtimes:
        unknown = ("-",) * 5
        yield ExportRow(export.kind, export.verdict, export.required, "-", (*unknown, size))


def _lost(cases: int, sentinels: int) -> str:
    """How many cases that the model has right the artefact has wrong."""
    return f"{cases:,}" + (f" ({sentinels} never-miss)" if sentinels else "")
