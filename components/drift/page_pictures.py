"""Draws what a comparison found: distributions, values against limits, rates."""

import itertools
from collections.abc import Sequence

from markupsafe import Markup

from components.decision import Verdict
from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, ObservedRate, Shift
from components.drift.page_words import feature, number, share
from components.pages.svg import Scale, drawing, element, label, line, mark, polyline, ticks

SIGN = {MOVED: Verdict.FAIL, STEADY: Verdict.PASS, NOT_ENOUGH: Verdict.INCONCLUSIVE}

STRIP, STRIP_HEIGHT = 180, 26
GRAPH = (360, 210)
LEFT, RIGHT, TOP, BOTTOM = 44, GRAPH[0] - 10, 12, GRAPH[1] - 34
ROW, NAME = 30, 110  # of a value of an attribute: its height, and the room for its name
MOST_VALUES = 12


def sign(state: str) -> Markup:
    """The sign of a state, to stand before its word."""
    drawn = mark(SIGN.get(state, Verdict.INCONCLUSIVE), 8, 8)
    return element("svg", drawn, viewBox="0 0 16 16", aria_hidden="true")


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
    return _by_value(shift, place) if found.edges is None else _by_bin(shift, place)


def _by_bin(shift: Shift, place: int) -> Markup:
    found = shift.histogram
    assert found is not None and found.edges is not None
    edges = _drawn_edges(found.edges)
    across = Scale(edges[0], edges[-1], LEFT, RIGHT)
    most = max(*found.reference, *found.current) or 1.0
    up = Scale(0, most * 1.08, BOTTOM, TOP)
    parts = _share_grid(most, up)
    for low, high, amount in zip(edges, edges[1:], found.reference):
        bar = {"x": across(low), "y": up(amount), "height": BOTTOM - up(amount)}
        parts.append(element("rect", **bar, width=across(high) - across(low), class_="bar"))
    outline = [(across(edges[0]), up(0))]
    for low, high, amount in zip(edges, edges[1:], found.current):
        outline += [(across(low), up(amount)), (across(high), up(amount))]
    outline.append((across(edges[-1]), up(0)))
    parts.append(polyline(outline, "curve candidate"))
    parts.append(line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"))
    for drawn, text in _edge_labels(found.edges, edges):
        anchor = "start" if drawn == edges[0] else "end" if drawn == edges[-1] else "middle"
        parts.append(label(across(drawn), BOTTOM + 15, text, f"tick {anchor}"))
    return drawing(GRAPH, f"spread-{place}", _title(shift), _both(shift), *parts)


def _drawn_edges(edges: Sequence[float]) -> list[float]:
    """As they are where the bins are equally wide, else one step a bin: areas must not mislead."""
    widths = [high - low for low, high in itertools.pairwise(edges)]
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


def _share_grid(most: float, up: Scale) -> list[Markup]:
    parts = []
    for value in ticks(0, most * 1.08, wanted=3):
        parts.append(line(LEFT, up(value), RIGHT, up(value), "grid"))
        parts.append(label(LEFT - 6, up(value) + 4, share(value), "tick end"))
    return parts


def _by_value(shift: Shift, place: int) -> Markup:
    """A pair of bars for each value, the commonest first."""
    found = shift.histogram
    assert found is not None
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
    size = (GRAPH[0], len(kept) * ROW + 6)
    return drawing(size, f"spread-{place}", _title(shift), _both(shift), *parts)


def _title(shift: Shift) -> str:
    return f"{feature(shift.name)}: the model's own data and what is served"


def _both(shift: Shift) -> str:
    found = shift.histogram
    assert found is not None
    rows = zip(found.names, found.reference, found.current)
    listed = "; ".join(f"{name}: {share(a)} then, {share(b)} now" for name, a, b in rows)
    return f"{listed[:2000]}."


def rate_strip(rate: ObservedRate, place: int | str) -> Markup:
    """A proportion with its interval on a scale from 0 to 1; empty where it has none."""
    if rate.estimate is None:
        return Markup("")
    scale, middle = Scale(0, 1, 6, STRIP - 6), STRIP_HEIGHT / 2
    parts = [line(scale(value), 0, scale(value), STRIP_HEIGHT, "grid") for value in (0, 0.5, 1)]
    if rate.lower is not None and rate.upper is not None:
        ends = scale(rate.lower), scale(rate.upper)
        parts.append(line(ends[0], middle, ends[1], middle, "curve candidate"))
        parts += [line(x, middle - 5, x, middle + 5, "curve candidate") for x in ends]
    dot = {"cx": scale(rate.estimate), "cy": middle, "r": 4.5}
    parts.append(element("circle", **dot, class_="dot candidate"))
    text = f"{share(rate.estimate)}, {rate.positives:,} of {rate.cases:,}."
    return drawing((STRIP, STRIP_HEIGHT), f"rate-{place}", feature(rate.name), text, *parts)
