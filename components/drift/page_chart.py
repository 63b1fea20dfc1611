"""Draws a control chart of sensitivity or specificity."""

from collections.abc import Sequence

from markupsafe import Markup

from components.decision import Verdict
from components.drift.findings import NOT_ENOUGH, Chart, ChartPoint
from components.drift.page_words import feature, share
from components.pages.svg import Scale, drawing, element, label, line, mark, polyline, ticks

CHART = (720, 230)
DATES = 8  # at most, under a chart
MOST_PERIODS = 60  # drawn, the newest; the table beside the chart has more


def control_chart(chart: Chart, place: int) -> Markup:
    """The periods' estimates in their limits; a signal is a cross, too few cases a hollow ring."""
    if not chart.points:
        return Markup("")
    points = chart.points[-MOST_PERIODS:]
    left, right, top, bottom = 44, CHART[0] - 12, 12, CHART[1] - 30
    seen = [value for point in points for value in _values(point)]
    seen += [1.0 if chart.target is None else chart.target]
    low = min(seen) - 0.04 * (1 - min(seen)) - 0.01  # a little room below the lowest
    across = Scale(-0.5, len(points) - 0.5, left, right)
    up = Scale(max(0.0, low), 1.0, bottom, top)
    parts = []
    for value in ticks(up.low, 1, wanted=4):
        parts.append(line(left, up(value), right, up(value), "grid"))
        parts.append(label(left - 6, up(value) + 4, share(value), "tick end"))
    if chart.target is not None:
        parts.append(line(left, up(chart.target), right, up(chart.target), "target"))
    parts += _limits(points, across, up)
    known = [(i, p) for i, p in enumerate(points) if p.estimate is not None]
    parts.append(polyline(((across(i), up(p.estimate or 0)) for i, p in known), "curve candidate"))
    parts += [_dot(point, across(i), up(point.estimate or 0)) for i, point in known]
    for i in range(0, len(points), -(-len(points) // DATES)):
        parts.append(label(across(i), bottom + 18, points[i].start[:10], "tick middle"))
    text = "; ".join(
        f"from {p.start[:10]} {share(p.estimate)} of {p.cases:,}, {p.state}" for _, p in known
    )
    title = f"{feature(chart.name)} over time"
    return drawing(CHART, f"chart-{place}", title, f"{text or 'no labels yet'}.", *parts)


def _values(point: ChartPoint) -> list[float]:
    return [value for value in (point.estimate, point.lower) if value is not None]


def _limits(points: Sequence[ChartPoint], across: Scale, up: Scale) -> list[Markup]:
    """A step on each side for every period that has limits."""
    parts = []
    for place, point in enumerate(points):
        for bound in (point.lower, point.upper):
            if bound is not None:
                ends = across(place - 0.5), across(place + 0.5)
                parts.append(line(ends[0], up(bound), ends[1], up(bound), "limit"))
    return parts


def _dot(point: ChartPoint, x: float, y: float) -> Markup:
    if point.state == "signal":
        return mark(Verdict.FAIL, x, y)
    css = "hollow candidate" if point.state == NOT_ENOUGH else "dot candidate"
    return element("circle", cx=x, cy=y, r=4.5, class_=css)
