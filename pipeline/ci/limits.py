"""What a change of policy does to each limit, row by row, so that none is loosened unseen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.records.export import KINDS

if TYPE_CHECKING:  # its import takes longer than all that a change of documentation may
    from components.gate.policy import Check, Policy

LOOSENED, TIGHTENED, CHANGED = "loosened", "tightened", "changed"
# They ask for more where they are higher, other numbers where they are lower.
HIGHER = ("floor", "at_least", "shortcuts.alpha", "agreement", "minimum_cell")
WEAKER = (
    "report",
    "supporting",
    "off",
    "optional",
    "image",
)  # ask for less than the words that they stand in place of
PLAIN = ("alpha", "planned_looks", "leakage", "patients", "near_duplicates")
NEITHER = ("patients", "method", "paired_method", "checks", "key")


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
    ignored = {*before.shortcuts.ignore, *after.shortcuts.ignore}
    had, has = _asked(before, ignored), _asked(after, ignored)
    old: dict[str, Any] = dict.fromkeys(sorted(had - has), "asked for")
    new: dict[str, Any] = dict.fromkeys(sorted(has - had), "asked for")
    found = [_change(what, old.get(what), new.get(what)) for what in (*old, *new)]
    old, new = _limits(before, had & has), _limits(after, had & has)
    moved = [what for what in {**old, **new} if old.get(what) != new.get(what)]
    found += [_change(what, old.get(what), new.get(what)) for what in moved]
    order = (LOOSENED, CHANGED, TIGHTENED)
    return tuple(sorted(found, key=lambda change: order.index(change.effect)))


def _asked(policy: "Policy", ignored: set[str]) -> set[str]:
    """What is there or not: the checks, the attributes to cover, and what may be a shortcut."""
    covered = policy.coverage.attributes if policy.coverage else ()
    watched = ignored - {*policy.shortcuts.ignore}
    return {
        *_checks(policy),
        *(
            f"exports.{kind}.{runtime}"
            for kind in KINDS
            for runtime in policy.export_rule(kind).runtimes
        ),
        *(f"coverage.{name}" for name in covered),
        *(f"sites.{name}" for name in policy.sites),
        *(f"shortcuts.{name}" for name in watched),
    }


def _checks(policy: "Policy") -> dict[str, "Check"]:
    """Those of the model, and those that an exported artefact has of its own, by name."""
    found = {check.name: check for check in policy.checks}
    for kind, rule in policy.exports.items():
        found |= {f"exports.{kind}.{check.name}": check for check in rule.checks or ()}
    return found


def _limits(policy: "Policy", both: set[str]) -> dict[str, Any]:
    """What can be more or less; of a check only where `both` policies have it."""
    from components.gate.policy import DEFAULT_AGREEMENT

    found = {name: value for name, value in vars(policy).items() if name in PLAIN}
    found["agreement.tolerance"] = DEFAULT_AGREEMENT
    for part, asked in vars(policy).items():
        limits = vars(asked) if hasattr(asked, "rationale") else {}
        found |= {
            f"{part}.{name}": value
            for name, value in limits.items()
            if name != "rationale" and isinstance(value, int | float | str)
        }
    for name, check in _checks(policy).items():
        if name in both:
            found[f"{name}.{check.limit_rule}"] = check.limit
            found |= {f"{name}.margin.{against}": m for against, m in check.margins.items()}
            for word in ("alpha", "role", "method", "paired_method"):
                found[f"{name}.{word}"] = getattr(check, word)
    for name, site in policy.sites.items():
        if f"sites.{name}" in both:
            found |= {f"sites.{name}.{word}": getattr(site, word) for word in ("key", "role")}
    for kind in KINDS:
        rule, place = policy.export_rule(kind), f"exports.{kind}"
        found[f"{place}.required"] = "required" if rule.required else "optional"
        found |= {f"{place}.agreement": rule.agreement, f"{place}.difference": rule.difference}
        found[f"{place}.checks"] = "the policy's" if rule.checks is None else "of its own"
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
        higher = word in HIGHER or what in HIGHER
        effect = LOOSENED if (new < old) == higher else TIGHTENED
    return LimitChange(what, _text(old), _text(new), effect)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else f"{value:g}"
