"""A trace as a Mermaid flow chart, which code hosts and wikis draw by themselves."""

import re

from components.bundle.trace_graph import EXECUTION, PERSON, TraceGraph
from pipeline.evidence.trace.node_words import facts, label, shortened

_SHAPES = {EXECUTION: ("[", "]"), PERSON: ("([", "])"), "decision": ("{{", "}}")}
_OTHER = ("(", ")")
_MOST = 60


def as_mermaid(graph: TraceGraph) -> str:
    """Whatever is not a letter, a digit or plain punctuation is written as its character code."""
    names = {node.key: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        first, last = _SHAPES.get(node.kind, _OTHER)
        words = [label(node), *(shortened(fact, _MOST) for fact in facts(node)[:3])]
        text = "<br/>".join(_escaped(word) for word in words)
        lines.append(f'  {names[node.key]}{first}"{text}"{last}')
    for edge in graph.edges:
        ends = names[edge.source], names[edge.target]
        lines.append(f'  {ends[0]} -->|"{_escaped(edge.label)}"| {ends[1]}')
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"[^\w .,:/+-]", lambda found: f"#{ord(found.group())};", text)
