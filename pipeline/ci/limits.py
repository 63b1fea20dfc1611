"""What a change of policy does to each limit, row by row, so that none is loosened unseen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # its import takes longer than all that a change of documentation may
    from components.gate.policy import Policy

LOOSENED, TIGHTENED, CHANGED = "loosened", "tightened", "changed"
HIGHER = ("floor", "at_least")  # ask for more where they are higher, other numbers where lower
WEAKER = (
    "report",
    "supporting",
    "off",
)  # words that ask for less than those they stand in place of
NEITHER = ("patients", "method", "paired_method")


@dataclass(frozen=True)
class LimitChange:
    """Attributes:
    what: such as `sensitivity[overall].floor`.
    before, after: as text; `none` where there is no such limit.
    """

    what: str
    before: str
    after: str
    effect: str


def limit_changes(before: "Policy | None", after: "Policy") -> tuple[LimitChange, ...]:
    """Every limit that differs, loosened ones first; none where there was no policy to compare.

    One of an older format is none: it cannot be compared, and blocks nothing.
    """
    if before is None:
        return ()
    had, has = _asked(before), _asked(after)
    old: dict[str, Any] = dict.fromkeys(sorted(had - has), "asked for")
    new: dict[str, Any] = dict.fromkeys(sorted(has - had), "asked for")
    found = [_change(what, old.get(what), new.get(what)) for what in (*old, *new)]
    old, new = _limits(before, had & has), _limits(after, had & has)
    moved = [what for what in {**old, **new} if old.get(what) != new.get(what)]
    found += [_change(what, old.get(what), new.get(what)) for what in moved]
    order = (LOOSENED, CHANGED, TIGHTENED)
    return tuple(sorted(found, key=lambda change: order.index(change.effect)))


def _asked(policy: "Policy") -> set[str]:
    """What is there or not: the checks, and the attributes to cover."""
    covered = policy.coverage.attributes if policy.coverage else ()
    return {*(check.name for check in policy.checks), *(f"coverage.{name}" for name in covered)}


def _limits(policy: "Policy", both: set[str]) -> dict[str, Any]:
    """What can be more or less; of a check only where `both` policies have it."""
    found: dict[str, Any] = {"alpha": policy.alpha, "planned_looks": policy.planned_looks}
    for part in ("negative_flips", "sentinels", "latency", "coverage", "attention"):
        if asked := vars(policy)[part]:
            numbers = {n: v for n, v in vars(asked).items() if isinstance(v, int | float)}
            found |= {f"{part}.{name}": value for name, value in numbers.items()}
    found |= {"leakage": policy.leakage, "patients": policy.patients}
    found["attention.role"] = policy.attention.role
    for check in policy.checks:
        if check.name in both:
            found[f"{check.name}.{check.limit_rule}"] = check.limit
            found |= {f"{check.name}.margin.{name}": m for name, m in check.margins.items()}
            for word in ("alpha", "role", "method", "paired_method"):
                found[f"{check.name}.{word}"] = getattr(check, word)
    return found


def _change(what: str, old: Any, new: Any) -> LimitChange:
    word = what.rpartition(".")[2]
    if old is None or new is None:
        effect = LOOSENED if new is None else TIGHTENED
    elif word in NEITHER:
        effect = CHANGED
    elif isinstance(new, str):
        effect = LOOSENED if new in WEAKER and old != "off" else TIGHTENED
    else:
        effect = LOOSENED if (new < old) == (word in HIGHER) else TIGHTENED
    return LimitChange(what, _text(old), _text(new), effect)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else f"{value:g}"
