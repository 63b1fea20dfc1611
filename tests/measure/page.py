"""docs/gate-operating-characteristics.md: prose from a template, every number from the results."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from components.statistics.intervals import clopper_pearson
from tests.bench.page import table
from tests.measure.grid import (
    ALPHA,
    CHAIN_DISCORDANCE,
    CHAINS,
    DISCORDANCES,
    MARGIN,
    REPLICATIONS,
    SEED,
    SHOWN_DISCORDANCE,
    SIZES,
    SLICES,
    Simulated,
)
from tests.measure.jobs import PNEUMONIA
from tests.measure.judging import Group
from tests.measure.results import DataResults, Results, tolerated
from tests.measure.retraining_sections import code, retrainings, went_by

TEMPLATE = Path(__file__).with_name("gate-operating-characteristics.md.template")
SHOWN_MARGINS = (0.02, 0.03, 0.05, 0.10, 0.15)


def render(results: Results) -> str:
    """The page as Markdown."""
    simulated = results.simulated
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        summary=_summary(results.data),
        margin=f"{MARGIN:g}",
        alpha=f"{ALPHA:g}",
        replications=f"{REPLICATIONS:,}",
        seed=SEED,
        shown_discordance=f"{SHOWN_DISCORDANCE:.0%}",
        equal_table=_equal_table(simulated),
        worst_false_pass=f"{max(p.probability for p in simulated.at_margin):.4f}",
        worst_simulated=_worst_simulated(simulated),
        chains=f"{CHAINS:,}",
        chain_discordance=f"{CHAIN_DISCORDANCE:.0%}",
        losses_table=_losses_table(simulated),
        retrainings="\n".join(retrainings(data) for data in results.data),
        went_by=went_by(results.data),
        provable_table=_provable_table(results.data),
        small_set=_small_set(results.data),
        policies="\n".join(_policy(data) for data in results.data),
    )
    return text


def _summary(data: Sequence[DataResults]) -> str:
    lines = []
    for results in data:
        honest = [g for g in results.groups if g.honest]
        damaged = [g for g in results.groups if not g.honest]
        for group in honest:
            lines.append(
                f"- {results.data}, {group.name}: **{group.count('PASS')} of "
                f"{len(group.models)} pass** (lower bound {_lower_bound(group):.0%})."
            )
        blocked = sum(g.count("FAIL") + g.count("INCONCLUSIVE") for g in damaged)
        total = sum(len(g.models) for g in damaged)
        whole = sum(g.count("PASS") == 0 for g in damaged)
        lines.append(
            f"- {results.data}, damaged: **{blocked} of {total} are blocked**; every model in "
            f"{whole} of {len(damaged)} kinds and grades of damage."
        )
    if all(results.data != PNEUMONIA for results in data):
        lines.append("- PneumoniaMNIST was not at hand.")
    return "\n".join(lines)


def _lower_bound(group: Group) -> float:
    """Clopper-Pearson, of the share of such models that pass."""
    bounds = clopper_pearson(group.count("PASS"), len(group.models), alpha=ALPHA)
    return float(bounds.lower)


def _equal_table(simulated: Simulated) -> str:
    rows = [
        [
            f"{discordance:.0%}",
            str(slices),
            *(f"{simulated.cell(n, discordance, 0.0, slices).passed:.3f}" for n in SIZES),
        ]
        for discordance in DISCORDANCES
        for slices in SLICES
    ]
    return table(["discordant pairs", "slices", *(f"n = {n}" for n in SIZES)], rows, texts=0)


def _worst_simulated(simulated: Simulated) -> str:
    found = [cell.shares.passed for cell in simulated.cells if cell.difference == -MARGIN]
    return f"{max(found):.4f}"


def _losses_table(simulated: Simulated) -> str:
    rows = []
    for chain in simulated.losses:
        for name, stopped in (
            ("champion only", chain.champion_only),
            ("golden too", chain.with_golden),
        ):
            shares = (f"{share:.3f}" for share in stopped)
            rows.append([name, str(chain.n), f"{chain.step:g}", *shares])
    count = len(simulated.losses[0].with_golden)
    releases = [str(release) for release in range(1, count + 1)]
    return table(["compared with", "cases", "loss each", *releases], rows)


def _provable_table(data: Sequence[DataResults]) -> str:
    rows = [
        [
            results.data,
            code(found.check),
            str(found.n),
            f"{found.margin:g}",
            "cannot pass" if found.tolerated is None else str(found.tolerated),
            f"{found.power:.3f}",
        ]
        for results in data
        for found in results.provable
    ]
    return table(["data", "check", "cases", "margin", "may lose", "passes"], rows, texts=2)


def _small_set(data: Sequence[DataResults]) -> str:
    """What another margin would tolerate on the smallest class of each data set."""
    return "\n".join(line for results in data for line in _smallest(results))


def _smallest(results: DataResults) -> Iterator[str]:
    word, n = min(
        ("positives", results.positives), ("negatives", results.negatives), key=lambda x: x[1]
    )
    found = []
    for margin in SHOWN_MARGINS:
        most = tolerated(n, margin, alpha=ALPHA)
        losses = {None: "cannot pass", 0: "not one loss"}.get(most, f"{most}")
        found.append(f"{margin:.2f}: {losses}")
    yield f"- {results.data}, {n} {word}: losses tolerated at a margin of {', '.join(found)}."


def _policy(results: DataResults) -> str:
    return (
        f"- {results.data}: policy `{results.policy_sha256[:12]}`, golden "
        f"`{results.golden_sha256[:12]}`, {sum(len(g.models) for g in results.groups)} models."
    )
