"""The steps of a workspace as one page without network, for whoever was not there."""

from collections.abc import Callable, Sequence
from pathlib import Path

from markupsafe import Markup

from components.decision import Verdict
from components.pages.page import page_of, style_of
from components.pages.svg import Scale, drawing, element, label, line, mark, polyline, ticks
from pipeline.site.timeline.steps import METRICS, TimelineStep

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 1120, 260
LEFT, RIGHT, TOP, BOTTOM = 60, WIDTH - 16, 14, HEIGHT - 40
VERDICTS = {
    "released": Verdict.PASS,
    "passed": Verdict.PASS,
    "already_released": Verdict.PASS,
    "blocked": Verdict.FAIL,
    "inconclusive": Verdict.INCONCLUSIVE,
}


def pictures(steps: Sequence[TimelineStep]) -> list[tuple[str, Markup]]:
    """A picture for each metric that some run was judged by; none where none was."""
    return [(name, _picture(name, shown)) for name in METRICS if (shown := _judged(name, steps))]


def _judged(metric: str, steps: Sequence[TimelineStep]) -> list[tuple[int, TimelineStep]]:
    """The runs with this figure, with their numbers in the table."""
    numbered = enumerate(steps, 1)
    return [(n, step) for n, step in numbered if metric in step.figures and step.state in VERDICTS]


def _picture(metric: str, shown: Sequence[tuple[int, TimelineStep]]) -> Markup:
    lows = [step.figures[metric].lower for _, step in shown]
    lows += [step.margins[metric].least for _, step in shown if metric in step.margins]
    highs = [step.figures[metric].upper for _, step in shown]
    low, high = max(0.0, min(lows) - 0.01), min(1.0, max(highs) + 0.01)
    across = Scale(-0.5, len(shown) - 0.5, LEFT, RIGHT)
    up = Scale(low, max(high, low + 0.02), BOTTOM, TOP)
    parts = [*_axes(shown, across, up), *_golden(metric, shown, across, up)]
    served = None
    for place, (_, step) in enumerate(shown):
        figure, x = step.figures[metric], across(place)
        verdict = VERDICTS[step.state]
        css = f"whisker {verdict.value.lower()}"
        parts.append(line(x, up(figure.lower), x, up(figure.upper), css))
        if step.state == "released":
            if served is not None:
                parts.append(polyline([served, (x, served[1]), (x, up(figure.estimate))], "served"))
            served = (x, up(figure.estimate))
        words = f"{step.title}: {figure.estimate:.3f}, {figure.lower:.3f} to {figure.upper:.3f}"
        sign = mark(verdict, x, up(figure.estimate), 7)
        parts.append(element("g", element("title", words), sign))
    if served is not None:
        parts.append(polyline([served, (RIGHT, served[1])], "served"))
    text = f"{len(shown)} candidates in order; the table below has every figure."
    return drawing((WIDTH, HEIGHT), metric, f"{metric} of each candidate", text, *parts)


def _axes(shown: Sequence[tuple[int, TimelineStep]], across: Scale, up: Scale) -> list[Markup]:
    parts = []
    for value in ticks(up.low, up.high):
        parts.append(line(LEFT, up(value), RIGHT, up(value), "grid"))
        parts.append(label(8, up(value) + 4, f"{value:.2f}", "tick"))
    every = max(1, len(shown) // 20)
    for place in range(0, len(shown), every):
        parts.append(label(across(place), BOTTOM + 18, str(shown[place][0]), "tick middle"))
    parts.append(label(LEFT, HEIGHT - 4, "step, as numbered in the table", "tick"))
    return parts


def _golden(
    metric: str, shown: Sequence[tuple[int, TimelineStep]], across: Scale, up: Scale
) -> list[Markup]:
    """Golden's level and the least that its margin allows, where a candidate was held to it."""
    parts = []
    for place, (_, step) in enumerate(shown):
        if metric not in step.margins:
            continue
        margin, start, end = step.margins[metric], across(place - 0.5), across(place + 0.5)
        parts.append(line(start, up(margin.golden), end, up(margin.golden), "golden"))
        parts.append(line(start, up(margin.least), end, up(margin.least), "least"))
    return parts


def timeline_page(
    steps: Sequence[TimelineStep], *, workspace: str, link: Callable[[str], str]
) -> str:
    """The whole page; the same steps give the same bytes.

    Args:
      link: from a path in the workspace to the address that the page links to.
    """
    return page_of(
        FOLDER / "page.html.j2",
        style_of(FOLDER / "page.css"),
        steps=steps,
        numbered=list(enumerate(steps, 1)),
        workspace=workspace,
        released=[step for step in steps if step.version is not None],
        only_golden=[step for step in steps if step.only_golden],
        blocked=[step for step in steps if step.state in ("blocked", "inconclusive")],
        failed=[step for step in steps if step.state in ("failed", "killed")],
        drifts=[step for step in steps if step.kind == "drift"],
        pictures=pictures(steps),
        sign=_sign,
        links=link,
    )


def _sign(step: TimelineStep) -> Markup:
    if step.state not in VERDICTS:
        return Markup("")
    return element("svg", mark(VERDICTS[step.state], 8, 8, 6), viewBox="0 0 16 16", class_="sign")
