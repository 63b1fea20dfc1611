"""Pictures of what the rule does where the truth is known."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.measure.drawing import COLOURS, LINES, MARKERS, STYLE, verdict_legend
from tests.measure.grid import (
    ALPHA,
    CHAIN_SIZES,
    DIFFERENCES,
    DISCORDANCES,
    MARGIN,
    SHOWN_DISCORDANCE,
    SIZES,
    SLICES,
    STEPS,
    Simulated,
)


def verdicts(simulated: Simulated) -> Figure:
    """Shares of the verdicts by number of cases: a column per true difference, a row per slices."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(SLICES), len(DIFFERENCES), figsize=(9.6, 5.6), sharex=True, sharey=True
        )
        for row, slices in enumerate(SLICES):
            for column, difference in enumerate(DIFFERENCES):
                cells = [simulated.cell(n, SHOWN_DISCORDANCE, difference, slices) for n in SIZES]
                axis = axes[row][column]
                _stack(axis, [(c.passed, c.inconclusive, c.failed) for c in cells])
                if row == 0:
                    axis.set_title(_difference_words(difference))
            axes[row][0].set_ylabel(f"{slices} slice{'s' if slices > 1 else ''}\nshare")
        figure.supxlabel("cases, in all slices together", fontsize=9)
        verdict_legend(figure)
        figure.tight_layout(rect=(0, 0, 1, 0.94))
    return figure


def equal_models(simulated: Simulated) -> Figure:
    """How often a model as good as both baselines passes."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(SLICES), figsize=(9.6, 3.0), sharey=True)
        for axis, slices in zip(axes, SLICES):
            for place, discordance in enumerate(DISCORDANCES):
                found = [simulated.cell(n, discordance, 0.0, slices).passed for n in SIZES]
                axis.plot(
                    SIZES,
                    found,
                    color=LINES[place],
                    marker=MARKERS[place],
                    markersize=4,
                    label=f"{discordance:.0%}",
                )
            axis.set_xscale("log")
            axis.set_xticks(SIZES, [str(n) for n in SIZES], rotation=45)
            axis.minorticks_off()
            axis.set_title(f"{slices} slice{'s' if slices > 1 else ''}")
            axis.set_xlabel("cases")
            axis.grid(axis="y", color="#E5E5E5")
        axes[0].set_ylabel("share that passes")
        axes[-1].legend(title="discordant pairs", frameon=False, loc="upper left")
        figure.tight_layout()
    return figure


def at_margin(simulated: Simulated) -> Figure:
    """The probability of PASS at a true loss of exactly the margin."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.4, 3.2))
        for place, discordance in enumerate(DISCORDANCES):
            points = [p for p in simulated.at_margin if p.discordance == discordance]
            axis.plot(
                [p.n for p in points],
                [p.probability for p in points],
                color=LINES[place],
                marker=MARKERS[place],
                markersize=4,
                label=f"{discordance:.0%}",
            )
        axis.axhline(ALPHA, color="black", linestyle="--", linewidth=1)
        axis.annotate(f"alpha = {ALPHA}", (5000, ALPHA), (0, 3), textcoords="offset points",
                      ha="right")  # fmt: skip
        axis.set_xscale("log")
        axis.set_xticks(SIZES, [str(n) for n in SIZES])
        axis.minorticks_off()
        axis.set_ylim(0, None)
        axis.set_xlabel("cases")
        axis.set_ylabel("probability of PASS")
        axis.legend(title="discordant pairs", frameon=False, ncols=2, loc="lower right")
        figure.tight_layout()
    return figure


def losses(simulated: Simulated) -> Figure:
    """Share of the chains of small losses that the gate has stopped, release by release."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(STEPS), figsize=(9.6, 3.2), sharey=True)
        for axis, step in zip(axes, STEPS):
            for place, n in enumerate(CHAIN_SIZES):
                (chain,) = [c for c in simulated.losses if (c.step, c.n) == (step, n)]
                releases = range(1, len(chain.with_golden) + 1)
                for stopped, line, name in (
                    (chain.with_golden, "-", "golden too"),
                    (chain.champion_only, ":", "champion only"),
                ):
                    axis.plot(
                        releases,
                        stopped,
                        color=LINES[place],
                        linestyle=line,
                        marker=MARKERS[place],
                        markersize=4,
                        label=f"{n} cases, {name}",
                    )
            axis.set_title(f"each release loses {step:.4g} more; the margin is {MARGIN:g}")
            axis.set_xticks(list(releases))
            axis.set_xlabel("release")
            axis.grid(axis="y", color="#E5E5E5")
        axes[0].set_ylabel("share stopped by then")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, frameon=False, ncols=3, loc="upper center", fontsize=8)
        figure.tight_layout(rect=(0, 0, 1, 0.86))
    return figure


def _stack(axis: Axes, shares: list[tuple[float, float, float]]) -> None:
    places = range(len(shares))
    bottom = [0.0] * len(shares)
    for verdict, heights in zip(("PASS", "INCONCLUSIVE", "FAIL"), zip(*shares)):
        shown = [place for place in places if heights[place] > 0]
        axis.bar(
            shown,
            [round(heights[place], 3) for place in shown],
            bottom=[bottom[place] for place in shown],
            color=COLOURS[verdict],
            width=0.85,
            clip_on=False,
        )
        bottom = [low + height for low, height in zip(bottom, heights)]
    axis.set_xticks(list(places), [str(n) for n in SIZES], rotation=60)
    axis.set_ylim(0, 1)


def _difference_words(difference: float) -> str:
    if difference == 0:
        return "equally good"
    if difference > 0:
        return f"better by {difference:g}"
    times = -difference / MARGIN
    return f"worse by {-difference:g}\n= {'' if times == 1 else f'{times:g} x '}the margin"
