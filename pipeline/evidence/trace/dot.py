"""A trace as a graph in Graphviz' DOT language, for whoever wants another layout."""

from components.bundle.trace_graph import EXECUTION, PERSON, TraceGraph
from pipeline.evidence.trace.node_words import facts, label

_SHAPES = {EXECUTION: "box", PERSON: "oval", "release": "doubleoctagon", "decision": "diamond"}


def as_dot(graph: TraceGraph) -> str:
    """Text in quotes throughout: no name can become syntax."""
    names = {node.key: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = [
        "digraph trace {",
        "  rankdir=LR;",
        f"  label={_quoted(graph.subject)};",
        '  node [fontname="sans-serif", shape=note];',
    ]
    for node in graph.nodes:
        words = "\n".join([label(node), *facts(node)])
        shape = _SHAPES.get(node.kind, "note")
        lines.append(f"  {names[node.key]} [shape={shape}, label={_quoted(words)}];")
    for edge in graph.edges:
        ends = f"{names[edge.source]} -> {names[edge.target]}"
        lines.append(f"  {ends} [label={_quoted(edge.label)}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    """A DOT string; a line break becomes the escape that DOT has for it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
