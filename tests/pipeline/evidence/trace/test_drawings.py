"""Every form of a trace says the same, and no name in it becomes syntax."""

import re
import subprocess
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from components.bundle.trace_graph import TraceEdge, TraceGraph, TraceNode
from pipeline.evidence.trace.drawings import as_dot, as_mermaid, as_text
from pipeline.evidence.trace.svg import HEIGHT, WIDTH, as_svg, layout
from tests.components.bundle.tracing import AWKWARD, traced
from tests.foreign import needs

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=["Dr. Lang", AWKWARD], ids=["plain", "awkward"])
def graph(request: pytest.FixtureRequest) -> TraceGraph:
    return traced(request.param)


def test_text_goes_from_the_release_down_to_the_data() -> None:
    lines = as_text(traced()).splitlines()
    assert lines[2] == "version 7"
    assert lines[3] == "├─ serves: candidate model (SHA-256 cdcdcdcdcdcd)"
    assert lines[4].startswith("│  └─ made by: training (state complete;")
    assert lines[5] == "│     └─ read: training data (cases 6; SHA-256 abababababab)"


def test_text_names_a_shared_node_once(graph: TraceGraph) -> None:
    text = as_text(graph)
    assert text.count("candidate model (SHA-256") == 1
    assert text.count("candidate model (named above)") == 1


def test_text_has_one_line_a_node_whatever_its_name(graph: TraceGraph) -> None:
    assert len(as_text(graph).splitlines()) == 2 + len(graph.nodes) + 1
    assert "\u202e" not in as_text(graph)


def test_dot_keeps_every_name_inside_its_quotes(graph: TraceGraph) -> None:
    outside = re.sub(r'"(\\.|[^"\\])*"', "", as_dot(graph))
    assert "script" not in outside
    assert len(re.findall(r"^  n\d+ \[shape=\w+, label=\];$", outside, re.MULTILINE)) == len(
        graph.nodes
    )


def test_graphviz_draws_it(graph: TraceGraph) -> None:
    drawn = subprocess.run(
        [needs("dot", "graphviz"), "-Tsvg"], input=as_dot(graph).encode(), capture_output=True
    )
    assert drawn.returncode == 0
    assert drawn.stdout.count(b'class="node"') == len(graph.nodes)


def test_mermaid_keeps_every_name_inside_its_quotes(graph: TraceGraph) -> None:
    for line in as_mermaid(graph).splitlines()[1:]:
        assert line.count('"') == 2
        assert "<script" not in line
    assert len(as_mermaid(graph).splitlines()) == 1 + len(graph.nodes) + len(graph.edges)


def test_svg_is_sound_xml_with_a_box_a_node_and_a_line_an_edge(graph: TraceGraph) -> None:
    root = ElementTree.fromstring(as_svg(graph))
    assert len(root.findall(f".//{SVG}g/{SVG}rect")) == len(graph.nodes)
    lines = [p for p in root.iter(f"{SVG}path") if p.get("class") == "trace-line"]
    assert len(lines) == len(graph.edges)
    assert not root.findall(f".//{SVG}script")


def test_svg_says_what_it_shows_to_whoever_cannot_see_it() -> None:
    root = ElementTree.fromstring(as_svg(traced()))
    title, text = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert text is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {text.get('id')}"
    assert "candidate model: made by training" in str(text.text)


def test_svg_needs_nothing_that_a_strict_content_policy_forbids(graph: TraceGraph) -> None:
    drawn = as_svg(graph)
    assert "style=" not in drawn
    assert "<style" not in drawn
    assert not re.search(r"\son\w+=", re.sub(r">[^<]*<", "><", drawn))


def test_svg_links_only_where_it_is_told_to() -> None:
    def link(node: TraceNode) -> str | None:
        return f"runs/{node.names[1]}.html" if node.names and node.kind == "run" else None

    root = ElementTree.fromstring(as_svg(traced(), link=link))
    (found,) = root.iter(f"{SVG}a")
    assert (found.get("href"), found.get("aria-label")) == ("runs/R1.html", "run: run")
    assert not list(ElementTree.fromstring(as_svg(traced())).iter(f"{SVG}a"))


def test_what_came_first_stands_to_the_left_and_no_boxes_overlap() -> None:
    graph = traced()
    plan = layout(graph)
    for edge in graph.edges:
        assert plan.boxes[edge.source][0] + WIDTH < plan.boxes[edge.target][0]
    corners = list(plan.boxes.values())
    for i, (x, y) in enumerate(corners):
        assert 0 <= x <= plan.width - WIDTH
        assert 0 <= y <= plan.height - HEIGHT
        for u, v in corners[i + 1 :]:
            assert x != u or abs(y - v) >= HEIGHT


def test_no_line_runs_through_a_box() -> None:
    graph = traced()
    plan = layout(graph)
    for edge, points in plan.lines:
        for x, y in points[1:-1]:
            for key, (u, v) in plan.boxes.items():
                inside = u < x < u + WIDTH and v < y < v + HEIGHT
                assert not inside, (edge, key)
                assert not (x == u and v < y < v + HEIGHT), (edge, key)


def test_a_record_that_goes_in_a_circle_is_drawn_all_the_same() -> None:
    graph = traced()
    edges = (*graph.edges, TraceEdge("model", "execution-1", "read"))
    circle = replace(graph, edges=edges)
    assert "candidate model" in as_text(circle)
    assert as_svg(circle).count('class="trace-line"') == len(edges)
