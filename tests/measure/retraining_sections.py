"""The sections of the page on real retrainings: verdicts, headroom, and what went by."""

import statistics
from collections.abc import Sequence

from components.metrics import METRICS
from tests.bench.page import table
from tests.measure.jobs import HONEST
from tests.measure.judging import Group
from tests.measure.results import DataResults

SHOWN_CHECKS = 4
SHOWN_METRICS = ("sensitivity", "specificity", "auc", "brier")


def retrainings(results: DataResults) -> str:
    """One data set: every group's verdicts, and what honest retraining needs."""
    shown = [name for name in SHOWN_METRICS if name in results.groups[0].models[0].estimates]
    rows = [
        [
            group.name,
            str(len(group.models)),
            *(str(group.count(verdict)) for verdict in ("PASS", "FAIL", "INCONCLUSIVE")),
            *(_range([model.estimates[name] for model in group.models]) for name in shown),
            _blocked_by(group),
        ]
        for group in results.groups
    ]
    header = ["models", "n", "PASS", "FAIL", "INCONCLUSIVE", *shown, "blocked by (models)"]
    parts = [
        f"## Retrainings: {results.data}\n",
        f"Case set: {results.cases} cases, {results.positives} positive, "
        f"{results.negatives} negative. Metrics are of the whole case set,\nleast to most; each "
        f"model has its row in [retrainings-{results.data}.csv](oc/retrainings-{results.data}.csv)."
        "\n",
        table(header, rows),
        f"\n![Verdicts on honest and damaged models of {results.data}]"
        f"(oc/retrainings-{results.data}.svg)\n",
        _pairs(results),
        _headroom(results),
    ]
    if any(group.family.endswith("left out") for group in results.groups):
        parts.append(
            "\nEach dot is a model's loss against golden on one gated slice, its line ends at the "
            "bound\nthat the margin (dashed) is held against: a line that reaches it is not PASS. "
            "Blue models are\nhonest, those in vermilion never saw the slice.\n\n"
            f"![Losses on gated slices of honest models and of models that never saw the slice]"
            f"(oc/separation-{results.data}.svg)\n"
        )
    return "\n".join(parts)


def _blocked_by(group: Group) -> str:
    """The checks that blocked most models; a badly damaged one fails nearly every check."""
    found = group.blocking()
    named = ", ".join(f"{code(check)} {count}" for check, count in found[:SHOWN_CHECKS])
    return named + (f", {len(found) - SHOWN_CHECKS} more" if len(found) > SHOWN_CHECKS else "")


def _pairs(results: DataResults) -> str:
    verdicts = results.pairs.verdicts
    total = sum(verdicts.values())
    if not total:
        return ""
    return (
        f"With each honest retraining on the same cases as champion of each other one, and golden "
        f"besides:\n{verdicts['PASS']} of {total} ordered pairs pass, {verdicts['FAIL']} "
        f"fail, {verdicts['INCONCLUSIVE']} are inconclusive.\n"
    )


def _headroom(results: DataResults) -> str:
    """What honest retraining on the same cases needs of each limit and margin."""
    (honest,) = [group for group in results.groups if group.family == HONEST]
    rows = []
    for check in dict.fromkeys([*results.limits, *results.margins]):
        levels = [model.levels[check][0] for model in honest.models if check in model.levels]
        limit = results.limits.get(check)
        margins = results.margins.get(check, {})
        bounds = [model.losses[check][1] for model in honest.models if check in model.losses]
        rows.append(
            [
                code(check),
                _range(levels) if levels else "",
                _worst_level(check, honest) if levels else "",
                _number(limit),
                _signed(max(bounds, default=None)),
                _number(margins.get("golden")),
                _signed(results.pairs.worst.get(check)),
                _number(margins.get("champion")),
            ]
        )
    return (
        "What honest retraining on the same cases needs: the worst bound of any model, which has "
        "to stay\nwithin the floor or ceiling, and the largest bound of the loss, against golden "
        "and between any\ntwo, which has to stay below the margin.\n\n"
        + table(
            [
                "check",
                "estimates",
                "worst bound",
                "limit",
                "worst loss: golden",
                "margin",
                "worst loss: any two",
                "margin",
            ],
            rows,
        )
        + "\n"
    )


def _worst_level(check: str, group: Group) -> str:
    bounds = [model.levels[check][1] for model in group.models]
    higher_is_better = METRICS[check.partition("[")[0]].higher_is_better
    return f"{min(bounds) if higher_is_better else max(bounds):.4f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"


def went_by(data: Sequence[DataResults]) -> str:
    """The damage that passed at least once, and what it cost."""
    rows = []
    for results in data:
        (honest,) = [group for group in results.groups if group.family == HONEST]
        for group in results.groups:
            if group.honest or not group.count("PASS"):
                continue
            changes = (
                _mean_change(*(_of(one, name) for one in (group, honest))) for name in SHOWN_METRICS
            )
            passed = f"{group.count('PASS')} of {len(group.models)}"
            rows.append([results.data, group.name, passed, *changes, _on_its_slice(group, honest)])
    if not rows:
        return "Nothing: every damaged model was blocked."
    return table(
        ["data", "damage", "passed", *SHOWN_METRICS, "on the slice left out"], rows, texts=2
    )


def _on_its_slice(group: Group, honest: Group) -> str:
    """The change on the slice that a group's models never saw."""
    if not group.family.endswith("left out"):
        return ""
    slice_name = f"{group.family.split()[0]}={group.grade}"
    found = []
    for metric in SHOWN_METRICS:
        name = f"{metric}[{slice_name}]"
        if change := _mean_change(*(_of(one, name) for one in (group, honest))):
            found.append(f"{metric} {change}")
    return ", ".join(found)


def _of(group: Group, name: str) -> list[float]:
    """An estimate of each model that has it, overall or of a slice."""
    known = [{**model.estimates, **model.slice_estimates} for model in group.models]
    return [estimates[name] for estimates in known if name in estimates]


def _mean_change(ours: Sequence[float], theirs: Sequence[float]) -> str:
    if not ours or not theirs:
        return ""
    change = statistics.fmean(ours) - statistics.fmean(theirs)
    return f"{round(change, 3) + 0.0:+.3f}"  # never -0.000


def _range(values: Sequence[float]) -> str:
    low, high = (f"{value:.3f}".removeprefix("0") for value in (min(values), max(values)))
    return low if low == high else f"{low}-{high}"


def code(check: str) -> str:
    """As code, so that Markdown leaves its brackets alone."""
    return f"`{check}`"
