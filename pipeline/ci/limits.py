"""What a change of policy does to each limit, row by row, so that none is loosened unseen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # its import takes longer than all that a change of documentation may
    from components.gate.policy import Check, Policy

LOOSENED, TIGHTENED, CHANGED = "loosened", "tightened", "changed"


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


def limit_changes(before: "Policy", after: "Policy") -> tuple[LimitChange, ...]:
    """Every limit that differs, loosened ones first."""
    found = [*_whole(before, after), *_checks(before, after)]
    order = (LOOSENED, CHANGED, TIGHTENED)
    return tuple(sorted(found, key=lambda change: order.index(change.effect)))


def _whole(before: "Policy", after: "Policy") -> Iterator[LimitChange]:
    """The rules beside the checks, and what holds for all of them."""
    pairs: tuple[tuple[str, Callable[[Policy], Any], int], ...] = (
        ("alpha", lambda p: p.alpha, -1),
        ("planned_looks", lambda p: p.planned_looks, -1),
        ("negative_flips.ceiling", lambda p: p.negative_flips and p.negative_flips.ceiling, -1),
        ("sentinels.at_least", lambda p: p.sentinels and p.sentinels.at_least, 1),
        ("latency.p95_ms", lambda p: p.latency and p.latency.p95_ms, -1),
        ("coverage.at_least", lambda p: p.coverage and p.coverage.at_least, 1),
    )
    for what, read, better in pairs:
        yield from _number(what, read(before), read(after), better)
    names = [set(p.coverage.attributes) if p.coverage else set() for p in (before, after)]
    for name in sorted(names[0] ^ names[1]):
        effect = LOOSENED if name in names[0] else TIGHTENED
        asked = ("asked for", "none") if name in names[0] else ("none", "asked for")
        yield LimitChange(f"coverage.{name}", *asked, effect)
    if before.leakage != after.leakage:
        effect = LOOSENED if after.leakage == "report" else TIGHTENED
        yield LimitChange("leakage", before.leakage, after.leakage, effect)
    if before.patients != after.patients:
        yield LimitChange("patients", before.patients, after.patients, CHANGED)


def _checks(before: "Policy", after: "Policy") -> Iterator[LimitChange]:
    old, new = ({check.name: check for check in p.checks} for p in (before, after))
    for name in {**old, **new}:
        if name not in new:
            yield LimitChange(name, "asked for", "none", LOOSENED)
        elif name not in old:
            yield LimitChange(name, "none", "asked for", TIGHTENED)
        else:
            yield from _check(old[name], new[name])


def _check(old: "Check", new: "Check") -> Iterator[LimitChange]:
    from components.gate.policy import BASELINES

    better = 1 if old.limit_rule == "floor" else -1
    yield from _number(f"{old.name}.{old.limit_rule}", old.limit, new.limit, better)
    for name in BASELINES:
        pair = old.margins.get(name), new.margins.get(name)
        yield from _number(f"{old.name}.margin.{name}", *pair, -1)
    yield from _number(f"{old.name}.alpha", old.alpha, new.alpha, -1)
    if old.role != new.role:
        effect = LOOSENED if new.role == "supporting" else TIGHTENED
        yield LimitChange(f"{old.name}.role", old.role, new.role, effect)
    for word in ("method", "paired_method"):
        was, now = getattr(old, word), getattr(new, word)
        if was != now:
            yield LimitChange(f"{old.name}.{word}", was, now, CHANGED)


def _number(what: str, old: float | None, new: float | None, better: int) -> Iterator[LimitChange]:
    """Args:
    better: 1 where a higher number asks for more, -1 where a lower one does; none asks for nothing.
    """
    if old == new:
        return
    stricter = new is not None and (old is None or (new - old) * better > 0)
    yield LimitChange(what, _text(old), _text(new), TIGHTENED if stricter else LOOSENED)


def _text(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
