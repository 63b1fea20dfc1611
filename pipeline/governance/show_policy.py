"""The pre-flight of a policy for a person and for a machine: what each check can prove."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.baselines.case_set import CaseSet
from components.gate.chances import ENOUGH, Chance
from components.gate.policy import BASELINES, Policy
from components.gate.preflight import COUNTED, CheckOutlook
from components.report.terminal import print_line

WIDE = 100
BOTH = " and ".join(BASELINES)


@dataclass(frozen=True)
class Preflight:
    """What was asked and what was found; `discordance` is the share that the power rests on."""

    policy: Policy
    case_set: CaseSet
    discordance: float
    found: Sequence[tuple[CheckOutlook, Chance]]

    def as_json(self) -> dict[str, Any]:
        case_set = self.case_set
        return {
            "policy": self.policy.name,
            "policy_sha256": self.policy.sha256,
            "case_set": case_set.name,
            "case_set_version": case_set.version,
            "case_set_root": case_set.merkle_root,
            "cases": len(case_set.cases),
            "positives": sum(case.label for case in case_set.cases),
            "patients": self.policy.patients,
            "discordance": self.discordance,
            "checks": [
                {**asdict(outlook), "hopeless": outlook.hopeless, **asdict(chance)}
                for outlook, chance in self.found
            ],
        }


def show_preflight(console: Console, preflight: Preflight) -> None:
    """A line per check, then what to do about those that seldom or never pass."""
    policy, case_set = preflight.policy, preflight.case_set
    positives = sum(case.label for case in case_set.cases)
    print_line(
        console,
        f"policy {policy.name} on {case_set.name} version {case_set.version}: "
        f"{len(case_set.cases)} cases, {positives} positive",
        "bold",
    )
    console.print()
    rows = _merged(preflight.found)
    console.print(_table(rows, wide=console.width >= WIDE))
    console.print()
    for outlook, chance in rows:
        if warning := _warning(outlook, chance):
            print_line(console, f"{_title(outlook)}: {warning}", "yellow")
    for note in _notes(preflight):
        print_line(console, note, "dim")


def _table(rows: Sequence[tuple[CheckOutlook, Chance]], *, wide: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("check", no_wrap=True)
    table.add_column("slice", overflow="fold")
    names = ["limit", "n", "tolerates", "needs", "power"]
    shared = any(outlook.worth < outlook.n for outlook, _ in rows)
    if shared:
        names.insert(2, "worth")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("the power assumes", overflow="fold")
    for outlook, chance in rows:
        cells = [f"{outlook.limit:g}", str(outlook.n)]
        if shared:
            cells.append(f"{outlook.worth:.0f}" if outlook.metric in COUNTED else "")
        loss = {"floor": "wrong", "alike": "otherwise"}.get(outlook.rule, "lost")
        tolerates = f"{outlook.tolerates} {loss}"
        cells.append("-" if outlook.tolerates is None else tolerates)
        cells += [str(outlook.fewest or ""), _power(outlook, chance)]
        style = "bold red" if outlook.hopeless else "yellow" if _warning(outlook, chance) else ""
        table.add_row(
            _name(outlook),
            Text(outlook.slice or ""),
            *cells,
            *([chance.assuming] if wide else []),
            style=style,
        )
    return table


def _merged(found: Sequence[tuple[CheckOutlook, Chance]]) -> list[tuple[CheckOutlook, Chance]]:
    """One row where a check asks the same against champion and golden."""
    rows: list[tuple[CheckOutlook, Chance]] = []
    for outlook, chance in found:
        if rows and outlook.against != "none":
            before, its = rows[-1]
            same = replace(before, check=outlook.check, against=outlook.against)
            if before.against in BASELINES and same == outlook and its == chance:
                rows[-1] = replace(before, against=BOTH), chance
                continue
        rows.append((outlook, chance))
    return rows


def _name(outlook: CheckOutlook) -> str:
    if outlook.metric is None:
        known = {"sentinel": "sentinels", "alike": "called alike"}
        name = known.get(outlook.rule, "negative flips")
    elif outlook.rule == "non_inferiority":
        name = f"{outlook.metric} margin"
    else:
        name = f"{outlook.metric} {outlook.rule}"
    return name if outlook.against in ("none", "candidate", BOTH) else f"{name}, {outlook.against}"


def _title(outlook: CheckOutlook) -> str:
    where = "" if outlook.slice in (None, "overall") else f" in {outlook.slice}"
    return f"{_name(outlook)} {outlook.limit:g}{where}"


def _power(outlook: CheckOutlook, chance: Chance) -> str:
    if outlook.possible is False:
        return "never"
    return "-" if chance.power is None else f"{chance.power:.2f}"


def _warning(outlook: CheckOutlook, chance: Chance) -> str:
    """Why a check may block what is as good as before; empty where it will not."""
    if outlook.possible is False:
        unchanged = outlook.rule in ("non_inferiority", "alike")
        best = "an unchanged model" if unchanged else "the best model"
        needs = f", it needs {outlook.fewest}" if outlook.fewest else ""
        blocks = "" if outlook.role == "gate" else "; it only supports, and blocks nothing"
        return f"not even {best} passes on {_has(outlook)}{needs}{blocks}"
    if chance.power is None or chance.power >= ENOUGH:
        return ""
    needs = f"; {chance.needed} give {ENOUGH:g}" if chance.needed else ""
    whose = "a model as good as golden" if outlook.rule == "floor" else "an equally good model"
    return f"{whose} passes with probability {chance.power:.2f} on {_has(outlook)}{needs}"


def _has(outlook: CheckOutlook) -> str:
    shared = f" worth {outlook.worth:.0f}" if outlook.worth < outlook.n else ""
    return f"{outlook.n} {outlook.kind}{shared}"


def _notes(preflight: Preflight) -> list[str]:
    outlooks = [outlook for outlook, _ in preflight.found]
    notes = [
        "tolerates: most that may be wrong, or lost with none gained; needs: fewest independent "
        "cases on which a model without a fault, or an unchanged one, passes"
    ]
    if any(outlook.worth < outlook.n for outlook in outlooks):
        notes.append(
            "worth: images of one patient are taken to be always right or wrong together, so that "
            "the n prove what so many independent cases do"
        )
    margins = [o for o in outlooks if o.rule in ("non_inferiority", "negative_flips")]
    if margins:
        notes.append(
            f"power of margins: two equally good models call {100 * preflight.discordance:g} % of "
            "the cases differently (expected_discordance, or --discordant)"
        )
    if any(chance.power is None for _, chance in preflight.found):
        notes.append("-: not a matter of counts alone, or there is no golden to start from")
    return notes
