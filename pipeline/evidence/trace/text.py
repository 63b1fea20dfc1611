"""A trace as an indented tree that a person reads from the release down to the examples."""

from collections.abc import Iterator

from components.bundle.trace_graph import PERSON, TraceEdge, TraceGraph
from pipeline.evidence.trace.node_words import facts, label


def as_text(graph: TraceGraph) -> str:
    """One node a line, with what led to it below it; what was named before is not repeated."""
    root = graph.node(graph.root)
    lines = [f"{graph.subject}, back to its training examples", ""]
    seen = {graph.root}
    lines.append(_line(graph, graph.root))
    lines += _below(graph, root.key, "", seen)
    lost = [node.key for node in graph.nodes if node.key not in seen]
    if lost:
        lines += ["", "not led to it:", *(f"  {_line(graph, key)}" for key in lost)]
    if graph.notes:
        lines += ["", *graph.notes]
    return "\n".join(lines) + "\n"


def _below(graph: TraceGraph, key: str, indent: str, seen: set[str]) -> Iterator[str]:
    edges = sorted(graph.led_to(key), key=lambda edge: _late(graph, edge))
    for place, edge in enumerate(edges):
        last = place == len(edges) - 1
        branch, on = ("└─ ", "   ") if last else ("├─ ", "│  ")
        if edge.source in seen:
            yield f"{indent}{branch}{edge.label}: {label(graph.node(edge.source))} (named above)"
            continue
        seen.add(edge.source)
        yield f"{indent}{branch}{edge.label}: {_line(graph, edge.source)}"
        yield from _below(graph, edge.source, indent + on, seen)


# What the release is made of comes first, who and what stood around it last.
_ORDER = ("release", "model", "decision", "evidence", "data", "execution", "rule", "code", "run")


def _late(graph: TraceGraph, edge: TraceEdge) -> int:
    kind = graph.node(edge.source).kind
    return len(_ORDER) if kind == PERSON else _ORDER.index(kind)


def _line(graph: TraceGraph, key: str) -> str:
    node = graph.node(key)
    known = "; ".join(facts(node))
    return f"{label(node)} ({known})" if known else label(node)
