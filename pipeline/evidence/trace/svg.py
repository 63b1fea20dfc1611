"""A trace as a plain SVG picture, drawn here: no program, no network, no script, no style sheet.

Colours are attributes, so that the strict content policy of a page needs no exception and a style
sheet may change them by class; each box also says in words what it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from components.bundle.trace_graph import TraceEdge, TraceGraph, TraceNode
from components.pages.svg import element
from components.records.text import one_line
from pipeline.evidence.trace.drawings import facts, label, shortened

# Fill and edge by kind; the text on each keeps a contrast above 7:1.
_COLOURS = {
    "release": ("#d7ecd9", "#22633a"),
    "run": ("#ececec", "#4a4a4a"),
    "model": ("#dbe6f8", "#1f4e8c"),
    "decision": ("#fbeccb", "#7a5200"),
    "evidence": ("#f4f1e4", "#6b6236"),
    "data": ("#dcf0f2", "#1c5f68"),
    "rule": ("#f3e0ee", "#7c2d65"),
    "code": ("#e6e3f5", "#4b3f8f"),
    "execution": ("#ffffff", "#4a4a4a"),
    "person": ("#fde3d8", "#8a3715"),
}
_INK, _MARGIN, _TITLE = "#1a1a1a", 16, 34
_MARKER: dict[str, str | float] = {"viewBox": "0 0 8 8", "refX": 8, "refY": 4}
_MARKER |= {"markerWidth": 7, "markerHeight": 7, "orient": "auto"}
_MOST = 30  # letters that fit in a box
_SHOWN_FIRST = ("verdict", "state", "source", "destination", "name", "commit", "cases", "version")

Link = Callable[[TraceNode], str | None]


def as_svg(graph: TraceGraph, *, link: Link | None = None, name: str = "trace") -> str:
    """A whole SVG document, or a part of a page.

    Args:
      link: where a node leads; None for a node that leads nowhere. Without it nothing is a link.
      name: unique within the page.
    """
    plan = layout(graph)
    size = (plan.width + 2 * _MARGIN, plan.height + 2 * _MARGIN + _TITLE)
    boxes = [_box(node, plan.boxes[node.key], link) for node in graph.nodes]
    style: dict[str, str | float] = {"fill": "none", "stroke": "#767676", "stroke_width": 1.2}
    style |= {"marker_end": f"url(#{name}-arrow)", "class_": "trace-line"}
    lines = [
        element("path", element("title", _sentence(graph, edge)), d=_path(points), **style)
        for edge, points in plan.lines
    ]
    title = f"{graph.subject}: what led to it"
    found = [_sentence(graph, edge) for edge in graph.edges]  # for whoever cannot see it
    arrow = element("path", d="M0 0L8 4L0 8z", fill="#767676")
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", ". ".join([*found, *graph.notes]), id=f"{name}-text"),
        element("defs", element("marker", arrow, id=f"{name}-arrow", **_MARKER)),
        element("rect", width=size[0], height=size[1], fill="#ffffff", class_="trace-page"),
        element("text", title, x=_MARGIN, y=_MARGIN + 12, font_size=16, fill=_INK),
        element("g", *lines, *boxes, transform=f"translate({_MARGIN} {_MARGIN + _TITLE})"),
        xmlns="http://www.w3.org/2000/svg",
        width=size[0],
        height=size[1],
        viewBox=f"0 0 {size[0]:g} {size[1]:g}",
        font_family="sans-serif",
        role="group" if link else "img",
        aria_labelledby=f"{name}-title {name}-text",
        class_="trace",
    )


def _box(node: TraceNode, corner: tuple[float, float], link: Link | None) -> Markup:
    fill, edge = _COLOURS[node.kind]
    known = facts(node)
    state = str(node.facts.get("state", ""))
    x = 18 if node.kind == "person" else 8  # clear of the round ends
    lines = [
        element("text", node.kind, x=x, y=14, font_size=10, fill=edge, class_="trace-kind"),
        element("text", shortened(label(node), _MOST), x=x, y=31, font_size=12.5, fill=_INK),
        element("text", _short(node, known), x=x, y=48, font_size=10.5, fill=_INK),
    ]
    group = element(
        "g",
        element("title", "\n".join([f"{node.kind}: {label(node)}", *known])),
        element(
            "rect",
            width=WIDTH,
            height=HEIGHT,
            rx=HEIGHT / 2 if node.kind == "person" else 2 if node.kind == "execution" else 8,
            fill=fill,
            stroke=edge,
            stroke_width=2.2 if node.kind in ("release", "decision") else 1.2,
            **({"stroke_dasharray": "5 3"} if state in ("cached", "failed", "never ended") else {}),
        ),
        *lines,
        transform=f"translate({corner[0]:g} {corner[1]:g})",
        class_=f"trace-node trace-{node.kind}",
    )
    target = link(node) if link else None
    if target is None:
        return group
    return element("a", group, href=target, aria_label=f"{node.kind}: {label(node)}")


def _short(node: TraceNode, known: list[str]) -> str:
    found = known[-1] if known else ""
    if wanted := next((name for name in _SHOWN_FIRST if node.facts.get(name) is not None), None):
        value = one_line(str(node.facts[wanted]))
        words = value[:12] if wanted == "commit" else value
        found = words if wanted in ("verdict", "state", "source") else f"{wanted} {words}"
    return shortened(found, _MOST + 4)


def _path(points: tuple[tuple[float, float], ...]) -> str:
    x, y = points[0]
    parts = [f"M{x:g} {y:g}"]
    for left, right in pairwise(points):
        middle = (left[0] + right[0]) / 2
        parts.append(f"C{middle:g} {left[1]:g} {middle:g} {right[1]:g} {right[0]:g} {right[1]:g}")
    return "".join(parts)


def _sentence(graph: TraceGraph, edge: TraceEdge) -> str:
    return f"{label(graph.node(edge.target))}: {edge.label} {label(graph.node(edge.source))}"


WIDTH, HEIGHT = 200, 58
ACROSS, DOWN = 56, 18
THIN = 8  # height of the place that a passing line takes
SWEEPS = 12

Place = str | tuple[int, int]  # a node's key, or (number of the edge, layer) for a line that passes


@dataclass(frozen=True)
class Layout:
    """The upper left corner of each box, by key, and the points that each edge goes through."""

    width: float
    height: float
    boxes: Mapping[str, tuple[float, float]]
    lines: Sequence[tuple[TraceEdge, tuple[tuple[float, float], ...]]]


def layout(graph: TraceGraph) -> Layout:
    """The same for the same graph, wherever it is drawn."""
    layer = _layers(graph)
    columns, ties = _columns(graph, layer)
    _order(columns, ties)
    tops = _tops(columns)
    boxes = {node.key: (_x(layer[node.key], columns), tops[node.key]) for node in graph.nodes}
    lines = []
    for number, edge in enumerate(graph.edges):
        start, end = layer[edge.source], layer[edge.target]
        x, y = boxes[edge.source]
        points = [(x + WIDTH, y + HEIGHT / 2)]
        for passed in range(start - 1, end, -1):
            left, middle = _x(passed, columns), tops[number, passed] + THIN / 2
            points += [(left, middle), (left + WIDTH, middle)]
        x, y = boxes[edge.target]
        points.append((x, y + HEIGHT / 2))
        lines.append((edge, tuple(points)))
    width = len(columns) * (WIDTH + ACROSS) - ACROSS
    height = max(tops[place] + _tall(place) for column in columns for place in column)
    return Layout(width, height, boxes, lines)


def _layers(graph: TraceGraph) -> dict[str, int]:
    """How many steps each node is away from the end, by the longest way; 0 is the end."""
    targets: dict[str, list[str]] = {node.key: [] for node in graph.nodes}
    for edge in graph.edges:
        targets[edge.source].append(edge.target)
    layer: dict[str, int] = {}
    for start in targets:
        waiting = [start]
        while waiting:
            key = waiting[-1]
            later = [t for t in targets[key] if t not in layer and t not in waiting]
            if later:
                waiting.extend(later[:1])
                continue
            layer[waiting.pop()] = max((layer.get(t, -1) + 1 for t in targets[key]), default=0)
    return layer


def _columns(
    graph: TraceGraph, layer: Mapping[str, int]
) -> tuple[list[list[Place]], list[tuple[Place, Place]]]:
    columns: list[list[Place]] = [[] for _ in range(max(layer.values()) + 1)]
    for node in graph.nodes:
        columns[layer[node.key]].append(node.key)
    ties: list[tuple[Place, Place]] = []
    for number, edge in enumerate(graph.edges):
        last: Place = edge.source
        for passed in range(layer[edge.source] - 1, layer[edge.target], -1):
            place = (number, passed)
            columns[passed].append(place)
            ties.append((last, place))
            last = place
        ties.append((last, edge.target))
    return columns, ties


def _order(columns: list[list[Place]], ties: Sequence[tuple[Place, Place]]) -> None:
    neighbours: dict[Place, list[Place]] = {}
    for left, right in ties:
        neighbours.setdefault(left, []).append(right)
        neighbours.setdefault(right, []).append(left)
    rank = {place: i / len(column) for column in columns for i, place in enumerate(column)}

    def middle(place: Place) -> float:
        beside = neighbours.get(place, [place])
        return sum(rank[other] for other in beside) / len(beside)

    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            column.sort(key=middle)
            rank.update({place: (i + 0.5) / len(column) for i, place in enumerate(column)})


def _tops(columns: Sequence[Sequence[Place]]) -> dict[Place, float]:
    """The upper edge of each place; every column is centred on the tallest."""
    tall = [sum(_tall(p) + DOWN for p in column) - DOWN for column in columns]
    tops: dict[Place, float] = {}
    for column, height in zip(columns, tall, strict=True):
        y = (max(tall) - height) / 2
        for place in column:
            tops[place] = y
            y += _tall(place) + DOWN
    return tops


def _tall(place: Place) -> float:
    return HEIGHT if isinstance(place, str) else THIN


def _x(layer: int, columns: Sequence[object]) -> float:
    return (len(columns) - 1 - layer) * (WIDTH + ACROSS)
