"""Where the boxes and lines of a trace go: in layers, what came first to the left.

A line that passes a layer gets a place of its own in it, so that no line runs through a box. Within
a layer, places are ordered by the middle of their neighbours: the usual way to few crossings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.bundle.trace_graph import TraceEdge, TraceGraph

WIDTH, HEIGHT = 200, 58
ACROSS, DOWN = 56, 18
THIN = 8  # height of the place that a passing line takes
SWEEPS = 12

Place = str | tuple[int, int]  # a node's key, or (number of the edge, layer) for a line that passes


@dataclass(frozen=True)
class Layout:
    """Attributes:
    boxes: upper left corner of each node's box, by key.
    lines: for each edge of the graph, the points it goes through.
    """

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
    """The places in each layer, and which are tied to which in the next one."""
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
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            middle = {
                place: sum(rank[n] for n in neighbours.get(place, [place]))
                / len(neighbours.get(place, [place]))
                for place in column
            }
            column.sort(key=middle.__getitem__)
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
