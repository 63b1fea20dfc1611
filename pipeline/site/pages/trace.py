"""What led to a run or release: the picture to click through, and the same as tables."""

from markupsafe import Markup

from components.bundle.trace_graph import TraceGraph, TraceNode
from components.records.errors import CasegateError
from pipeline.evidence.answer import Table
from pipeline.evidence.subject import Subject
from pipeline.evidence.trace.drawings import facts
from pipeline.evidence.trace.svg import as_svg
from pipeline.evidence.trace.trace import trace
from pipeline.site.content import PageSection
from pipeline.site.links import Links
from pipeline.site.places import named_by_hash
from pipeline.site.view import View, refused


def trace_sections(view: View, subject: Subject, links: Links) -> tuple[PageSection, ...]:
    """The picture, every thing in it with all that is known, and what led to what."""
    try:
        graph = trace(view.evidence, subject)
    except CasegateError as error:
        return (refused("Trace", "trace", error),)
    drawn = as_svg(graph, link=lambda node: _address(node, links), name="picture")
    return (
        PageSection(
            "Trace",
            "trace",
            picture=Markup(drawn),  # noqa: S704 - escaped where it is drawn
            notes=(
                "What came first stands on the left. A box leads to its page, or else to its row "
                "below.",
                *graph.notes,
            ),
        ),
        PageSection(
            "Everything in it",
            "things",
            tables=(_things(graph),),
            row_names=tuple(map(row_of, graph.nodes)),
        ),
        PageSection("What led to what", "edges", tables=(_edges(graph),), folded=True),
    )


def _address(node: TraceNode, links: Links) -> str | None:
    page = links.of(*node.names) if node.names else None
    return page or f"#{row_of(node)}"


def row_of(node: TraceNode) -> str:
    """Where the node stands in the table; keys may hold what an address may not."""
    return f"place-{named_by_hash(node.key)}"


def _things(graph: TraceGraph) -> Table:
    rows = tuple((n.kind, n.label, "; ".join(facts(n)), n.sha256) for n in graph.nodes)
    columns = ("kind", "what", "known", "sha256")
    return Table("things", "Everything in the picture", columns, rows, {"sha256": "sha256"})


def _edges(graph: TraceGraph) -> Table:
    label = {node.key: node.label for node in graph.nodes}
    rows = tuple((label[e.target], e.label, label[e.source]) for e in graph.edges)
    return Table("edges", "What led to what", ("what", "how", "from"), rows)
