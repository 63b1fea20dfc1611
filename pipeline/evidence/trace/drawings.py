"""A trace as an indented tree that a person reads from the release down to the examples."""

import re
from collections.abc import Iterator

from components.bundle.trace_graph import EXECUTION, PERSON, TraceGraph, TraceNode
from components.records.text import one_line

# A path on somebody's disk says little in a picture; JSON and the page have it.
_LEFT_OUT = ("kept in",)
_HASH_NAMES = ("Merkle root", "commit")


def facts(node: TraceNode) -> list[str]:
    """What is known of a node, as 'name value', hashes shortened."""
    found = []
    for name, value in node.facts.items():
        if name in _LEFT_OUT or value is None:
            continue
        words = one_line(str(value))
        if name.endswith("_sha256") or name in _HASH_NAMES:
            words = words[:12]
        found.append(f"{one_line(name).removesuffix('_sha256')} {words}")
    if node.sha256 is not None and not any(node.sha256 == value for value in node.facts.values()):
        found.append(f"SHA-256 {node.sha256[:12]}")
    return found


def label(node: TraceNode) -> str:
    return one_line(node.label)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def as_text(graph: TraceGraph) -> str:
    """One node a line, with what led to it below it; what was named before is not repeated."""
    seen = {graph.root}
    lines = [f"{graph.subject}, back to its training examples", "", _line(graph, graph.root)]
    lines += _below(graph, graph.root, "", seen)
    lost = [node.key for node in graph.nodes if node.key not in seen]
    if lost:
        lines += ["", "not led to it:", *(f"  {_line(graph, key)}" for key in lost)]
    if graph.notes:
        lines += ["", *graph.notes]
    return "\n".join(lines) + "\n"


def _below(graph: TraceGraph, key: str, indent: str, seen: set[str]) -> Iterator[str]:
    kinds = (*_ORDER, PERSON)
    edges = sorted(graph.led_to(key), key=lambda edge: kinds.index(graph.node(edge.source).kind))
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


def _line(graph: TraceGraph, key: str) -> str:
    node = graph.node(key)
    known = "; ".join(facts(node))
    return f"{label(node)} ({known})" if known else label(node)


_DOT_SHAPES = {EXECUTION: "box", PERSON: "oval", "release": "doubleoctagon", "decision": "diamond"}


def as_dot(graph: TraceGraph) -> str:
    """Text in quotes throughout: no name can become syntax."""
    names = {node.key: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["digraph trace {", "  rankdir=LR;", f"  label={_quoted(graph.subject)};"]
    lines.append('  node [fontname="sans-serif", shape=note];')
    for node in graph.nodes:
        words = "\n".join([label(node), *facts(node)])
        shape = _DOT_SHAPES.get(node.kind, "note")
        lines.append(f"  {names[node.key]} [shape={shape}, label={_quoted(words)}];")
    for edge in graph.edges:
        ends = f"{names[edge.source]} -> {names[edge.target]}"
        lines.append(f"  {ends} [label={_quoted(edge.label)}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    """A DOT string; a line break becomes the escape that DOT has for it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


_MERMAID_SHAPES = {EXECUTION: ("[", "]"), PERSON: ("([", "])"), "decision": ("{{", "}}")}
_OTHER = ("(", ")")
_MOST = 60


def as_mermaid(graph: TraceGraph) -> str:
    """Whatever is not a letter, a digit or plain punctuation is written as its character code."""
    names = {node.key: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        first, last = _MERMAID_SHAPES.get(node.kind, _OTHER)
        words = [label(node), *(shortened(fact, _MOST) for fact in facts(node)[:3])]
        text = "<br/>".join(_escaped(word) for word in words)
        lines.append(f'  {names[node.key]}{first}"{text}"{last}')
    for edge in graph.edges:
        ends = names[edge.source], names[edge.target]
        lines.append(f'  {ends[0]} -->|"{_escaped(edge.label)}"| {ends[1]}')
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"[^\w .,:/+-]", lambda found: f"#{ord(found.group())};", text)
