"""Pictures of how the gate judged honest and damaged models."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.measure.drawing import COLOURS, LINES, STYLE, verdict_legend
from tests.measure.judging import Group
from tests.measure.results import DataResults


def retrainings(results: DataResults) -> Figure:
    """The verdicts on every group of models."""
    groups = results.groups
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(8.0, 1.1 + 0.27 * len(groups)))
        for row, group in enumerate(groups):
            left, total = 0.0, len(group.models)
            for verdict, colour in COLOURS.items():
                width = group.count(verdict) / total
                axis.barh(row, width, left=left, color=colour, height=0.75)
                if width:
                    axis.text(left + width / 2, row, str(group.count(verdict)), ha="center",
                              va="center", fontsize=8,
                              color="black" if verdict == "INCONCLUSIVE" else "white")  # fmt: skip
                left += width
        axis.set_yticks(range(len(groups)), [group.name for group in groups])
        axis.invert_yaxis()
        axis.set_xlim(0, 1)
        axis.set_xlabel("share of the models; the numbers count them")
        honest = sum(group.honest for group in groups)
        axis.axhline(honest - 0.5, color="black", linewidth=0.8)
        verdict_legend(figure)
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / figure.get_figheight()))
    return figure


def separation(results: DataResults) -> Figure | None:
    """Loss of honest models, and of those that never saw the slice, on each gated slice."""
    panels = [
        (check, margins["golden"], left_out)
        for check, margins in results.margins.items()
        if "golden" in margins and (left_out := _left_out(results, check)) is not None
    ]
    if not panels:
        return None
    honest = [group for group in results.groups if group.honest]
    columns = 2
    rows = -(-len(panels) // columns)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(9.6, 0.5 + 1.9 * rows), squeeze=False)
        for axis, (check, margin, left_out) in zip(axes.flat, panels):
            _strip(axis, check, margin, [*honest, left_out])
        for axis in axes.flat[len(panels) :]:
            axis.axis("off")
        figure.tight_layout()
    return figure


def _left_out(results: DataResults, check: str) -> Group | None:
    """The models that never saw the slice that a check judges."""
    for group in results.groups:
        if group.family.endswith("left out") and check.endswith(f"={group.grade}]"):
            return group
    return None


def _strip(axis: Axes, check: str, margin: float, groups: list[Group]) -> None:
    """A dot for each model's loss, with a line to the bound that the margin is held against."""
    for row, group in enumerate(groups):
        count = len(group.models)
        colour = LINES[0] if group.honest else COLOURS["FAIL"]
        heights = [row + 0.6 * ((place + 0.5) / count - 0.5) for place in range(count)]
        losses, bounds = zip(*(model.losses[check] for model in group.models))
        axis.hlines(heights, losses, bounds, colors=colour, linewidths=0.8)
        axis.plot(losses, heights, "o", color=colour, markersize=2.5)
    axis.axvline(margin, color="black", linestyle="--", linewidth=1)
    axis.set_yticks(range(len(groups)), [group.name for group in groups])
    axis.set_ylim(len(groups) - 0.5, -0.5)
    axis.set_title(f"loss of {check}, margin {margin:g}", loc="left", fontsize=8.5)
