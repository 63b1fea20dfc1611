"""A decision's checks beside those of another: plain figures, for whoever shows them."""

from dataclasses import dataclass

from components.decision import CheckResult, Decision, Flips, Verdict


@dataclass(frozen=True, eq=False)
class Compared:
    """Attributes:
    name: what it is compared with, for a person.
    decision: on that, by the same case set.
    flips: the cases that turned, where those scores are known.
    """

    name: str
    decision: Decision
    flips: Flips | None = None


@dataclass(frozen=True)
class CheckRow:
    """A check, now and at the base; what there is none of is None."""

    check: CheckResult
    before: float | None
    limit_before: float | None
    verdict_before: Verdict | None

    @property
    def change(self) -> float | None:
        if self.check.estimate is None or self.before is None:
            return None
        return self.check.estimate - self.before


def rows(decision: Decision, before: Decision | None) -> tuple[CheckRow, ...]:
    """Every check of a decision that is not settled without a figure, those that block first."""
    known = {check.check: check for check in before.checks} if before else {}
    found = []
    for check in decision.checks:
        old = known.get(check.check)
        if check.estimate is None and check.verdict is Verdict.PASS:
            continue
        found.append(
            CheckRow(
                check,
                before=old.estimate if old else None,
                limit_before=old.limit if old else None,
                verdict_before=old.verdict if old else None,
            )
        )
    return tuple(sorted(found, key=lambda row: not row.check.open))
