"""The drift report: one self-contained page, without script and without network.

Everything from the log is escaped by the template; the content policy of the page admits only its
own style, by its hash.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from markupsafe import Markup

from components.decision import Verdict
from components.drift import page_words as words
from components.drift.findings import (
    MOVED,
    NOT_ENOUGH,
    STEADY,
    Chart,
    ChartPoint,
    Drift,
    Histogram,
    ObservedRate,
    Shift,
)
from components.drift.page_words import feature, number, share
from components.pages.page import page_of, style_of
from components.pages.svg import (
    Scale,
    drawing,
    element,
    label,
    line,
    mark,
    polyline,
    sign,
    ticks,
    whisker,
)

FOLDER = Path(__file__).parent

SIGN = {MOVED: Verdict.FAIL, STEADY: Verdict.PASS, NOT_ENOUGH: Verdict.INCONCLUSIVE}

STRIP, STRIP_HEIGHT = 180, 26
GRAPH = (360, 210)
LEFT, RIGHT, TOP, BOTTOM = 44, GRAPH[0] - 10, 12, GRAPH[1] - 34
ROW, NAME = 30, 110  # of a value of an attribute: its height, and the room for its name
MOST_VALUES = 12
CHART = (720, 230)
DATES = 8  # at most, under a chart
MOST_PERIODS = 60  # drawn, the newest; the table beside the chart has more


def drift_page(drift: Drift, record: Mapping[str, Any]) -> str:
    """The whole page; the same comparison and record give the same bytes.

    Args:
      record: what report.json holds.
    """
    shifts = words.moved_first(drift.shifts)
    return page_of(
        FOLDER / "page.html.j2",
        style_of(FOLDER / "page.css"),
        drift=drift,
        record=record,
        shifts=shifts,
        moved=[shift for shift in shifts if shift.state == MOVED and shift.histogram],
        others=[shift for shift in shifts if shift.state != MOVED and shift.histogram],
        words=words,
        shown_periods=MOST_PERIODS,
        css_of=lambda state: SIGN[state].value.lower(),
        sign=lambda state: sign(SIGN.get(state, Verdict.INCONCLUSIVE)),
        limit_strip=limit_strip,
        distribution=distribution,
        rate_strip=rate_strip,
        control_chart=control_chart,
    )


def limit_strip(shift: Shift, place: int) -> Markup:
    """The value as a bar against its limit; empty where there is no value."""
    if shift.value is None:
        return Markup("")
    value = max(shift.value, 0.0)  # a rate that rose has not moved
    scale = Scale(0, max(2 * shift.limit, 1.08 * value) or 1, 1, STRIP - 1)
    css = f"amount {SIGN[shift.state].value.lower()}"
    middle = STRIP_HEIGHT / 2
    parts = [
        line(1, middle, STRIP - 1, middle, "grid"),
        element("rect", x=1, y=middle - 5, width=scale(value) - 1, height=10, class_=css),
        line(scale(shift.limit), 1, scale(shift.limit), STRIP_HEIGHT - 1, "limit"),
    ]
    text = f"{number(shift.value)} against a limit of {number(shift.limit)}: {shift.state}."
    return drawing(
        (STRIP, STRIP_HEIGHT), f"strip-{place}", f"{feature(shift.name)}, shift", text, *parts
    )


def distribution(shift: Shift, place: int) -> Markup:
    """Both samples' shares, by bin of a number or by value of an attribute."""
    found = shift.histogram
    if found is None or not found.names:
        return Markup("")
    size, parts = _by_value(found) if found.edges is None else (GRAPH, _by_bin(found, found.edges))
    title = f"{feature(shift.name)}: the model's own data and what is served"
    rows = zip(found.names, found.reference, found.current)
    listed = "; ".join(f"{name}: {share(a)} then, {share(b)} now" for name, a, b in rows)
    return drawing(size, f"spread-{place}", title, f"{listed[:2000]}.", *parts)


def _by_bin(found: Histogram, real: Sequence[float]) -> list[Markup]:
    edges = _drawn_edges(real)
    across = Scale(edges[0], edges[-1], LEFT, RIGHT)
    most = (max(*found.reference, *found.current) or 1.0) * 1.08
    up = Scale(0, most, BOTTOM, TOP)
    parts = _share_grid(ticks(0, most, wanted=3), up, RIGHT)
    outline = [(across(edges[0]), up(0))]
    for (low, high), before, now in zip(pairwise(edges), found.reference, found.current):
        bar = {"x": across(low), "y": up(before), "height": BOTTOM - up(before)}
        parts.append(element("rect", **bar, width=across(high) - across(low), class_="bar"))
        outline += [(across(low), up(now)), (across(high), up(now))]
    outline.append((across(edges[-1]), up(0)))
    parts.append(polyline(outline, "curve candidate"))
    parts.append(line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"))
    for drawn, text in _edge_labels(real, edges):
        anchor = "start" if drawn == edges[0] else "end" if drawn == edges[-1] else "middle"
        parts.append(label(across(drawn), BOTTOM + 15, text, f"tick {anchor}"))
    return parts


def _drawn_edges(edges: Sequence[float]) -> list[float]:
    """As they are where the bins are equally wide, else one step a bin: areas must not mislead."""
    widths = [high - low for low, high in pairwise(edges)]
    if min(widths) > 0 and max(widths) <= 1.02 * min(widths):
        return list(edges)
    return [float(place) for place in range(len(edges))]


def _edge_labels(edges: Sequence[float], drawn: Sequence[float]) -> list[tuple[float, str]]:
    if list(edges) == list(drawn):
        marks = ticks(edges[0], edges[-1])
        inside = [m for m in marks if edges[0] < m < edges[-1]] if len(marks) < 2 else marks
        return [(value, f"{value + 0.0:.6g}") for value in inside]
    step = max(1, (len(edges) - 1) // 4)
    return [(drawn[place], f"{edges[place]:.3g}") for place in range(0, len(edges), step)]


def _share_grid(marks: Sequence[float], up: Scale, right: float) -> list[Markup]:
    parts = []
    for value in marks:
        parts.append(line(LEFT, up(value), right, up(value), "grid"))
        parts.append(label(LEFT - 6, up(value) + 4, share(value), "tick end"))
    return parts


def _by_value(found: Histogram) -> tuple[tuple[int, int], list[Markup]]:
    """Size of the picture, and a pair of bars for each value, the commonest first."""
    rows = sorted(
        zip(found.names, found.reference, found.current), key=lambda row: -max(row[1], row[2])
    )
    kept, rest = rows[:MOST_VALUES], rows[MOST_VALUES:]
    if rest:
        sums = sum(row[1] for row in rest), sum(row[2] for row in rest)
        kept.append((f"{len(rest):,} others", *sums))
    across = Scale(0, 1, NAME, RIGHT - 44)
    parts = []
    for position, (name, reference, current) in enumerate(kept):
        y = position * ROW + 4
        shown = name if len(name) <= 16 else f"{name[:15]}…"
        parts.append(label(NAME - 8, y + 15, shown, "name end"))
        for offset, amount, css in ((0, reference, "bar"), (11, current, "fill candidate")):
            bar = {"x": NAME, "y": y + offset, "width": across(amount) - NAME, "height": 10}
            parts.append(element("rect", **bar, class_=css))
            parts.append(label(across(amount) + 5, y + offset + 9, share(amount), "tick"))
    return (GRAPH[0], len(kept) * ROW + 6), parts


def rate_strip(rate: ObservedRate, place: int | str) -> Markup:
    """A proportion with its interval on a scale from 0 to 1; empty where it has none."""
    if rate.estimate is None:
        return Markup("")
    scale, middle = Scale(0, 1, 6, STRIP - 6), STRIP_HEIGHT / 2
    parts = [line(scale(value), 0, scale(value), STRIP_HEIGHT, "grid") for value in (0, 0.5, 1)]
    if rate.lower is not None and rate.upper is not None:
        parts += whisker(scale(rate.lower), scale(rate.upper), middle, "curve candidate")
    dot = {"cx": scale(rate.estimate), "cy": middle, "r": 4.5}
    parts.append(element("circle", **dot, class_="dot candidate"))
    text = f"{share(rate.estimate)}, {rate.positives:,} of {rate.cases:,}."
    return drawing((STRIP, STRIP_HEIGHT), f"rate-{place}", feature(rate.name), text, *parts)


def control_chart(chart: Chart, place: int) -> Markup:
    """The periods' estimates in their limits; a signal is a cross, too few cases a hollow ring."""
    if not chart.points:
        return Markup("")
    points = chart.points[-MOST_PERIODS:]
    left, right, top, bottom = LEFT, CHART[0] - 12, TOP, CHART[1] - 30
    seen = [v for point in points for v in (point.estimate, point.lower) if v is not None]
    seen += [1.0 if chart.target is None else chart.target]
    low = min(seen) - 0.04 * (1 - min(seen)) - 0.01  # a little room below the lowest
    across = Scale(-0.5, len(points) - 0.5, left, right)
    up = Scale(max(0.0, low), 1.0, bottom, top)
    parts = _share_grid(ticks(up.low, 1, wanted=4), up, right)
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


def _limits(points: Sequence[ChartPoint], across: Scale, up: Scale) -> list[Markup]:
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
