"""What came of what, in casegate's words: the one graph that drawings and exports are made from.

It knows nothing of ML Metadata or of the workspace, so that it can be drawn, written as PROV or as
OpenLineage events, and read back, wherever a bundle is opened.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Value = str | int | float | bool | None

# An execution did something; a person answers for something; other nodes are things that were read
# or made.
EXECUTION, PERSON = "execution", "person"


@dataclass(frozen=True)
class TraceNode:
    """Attributes:
    key: unique in the graph, and the same every time it is drawn.
    kind: release, run, model, decision, evidence, data, rule, code, EXECUTION or PERSON.
    facts: what is known of it, in the order it is shown; None is not known.
    sha256: hash (hex) that identifies its content, where there is one.
    names: what a page may link it to, as (kind, value): ('run', run id), ('release', version).
    """

    key: str
    kind: str
    label: str
    facts: Mapping[str, Value] = field(default_factory=dict)
    sha256: str | None = None
    names: tuple[str, str] | None = None


@dataclass(frozen=True)
class TraceEdge:
    """`source` came first and led to `target`; `label` says how, read from the target back."""

    source: str
    target: str
    label: str


@dataclass(frozen=True)
class TraceGraph:
    """Attributes:
    subject: what was asked about, as a person calls it.
    root: key of the node that everything led to.
    notes: what could not be followed, in whole sentences.
    """

    subject: str
    root: str
    nodes: tuple[TraceNode, ...]
    edges: tuple[TraceEdge, ...]
    notes: tuple[str, ...] = ()

    def node(self, key: str) -> TraceNode:
        return next(node for node in self.nodes if node.key == key)

    def led_to(self, key: str) -> Iterator[TraceEdge]:
        """The edges that end at a node, in the order they were added."""
        return (edge for edge in self.edges if edge.target == key)

    def of_kind(self, *kinds: str) -> Iterator[TraceNode]:
        return (node for node in self.nodes if node.kind in kinds)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


class TraceBuilder:
    """Collects nodes and edges; what is added twice stands once."""

    def __init__(self) -> None:
        self._nodes: dict[str, TraceNode] = {}
        self._edges: dict[tuple[str, str], TraceEdge] = {}

    def add(self, key: str, kind: str, label: str, **more: Any) -> str:
        """Adds a node unless its key is there; returns the key."""
        self._nodes.setdefault(key, TraceNode(key, kind, label, **more))
        return key

    def tie(self, source: str | None, target: str, label: str) -> None:
        """Adds an edge, where there is a source."""
        if source is not None:
            self._edges.setdefault((source, target), TraceEdge(source, target, label))

    def lead(self, target: str, how: str, key: str, kind: str, label: str, **more: Any) -> None:
        """Adds a node, and that it led to `target`."""
        self.tie(self.add(key, kind, label, **more), target, how)

    def loose_ends(self) -> list[str]:
        """Keys of the nodes that led to nothing."""
        sources = {source for source, _ in self._edges}
        return [key for key in self._nodes if key not in sources]

    def graph(self, subject: str, root: str, notes: Iterable[str] = ()) -> TraceGraph:
        nodes, edges = tuple(self._nodes.values()), tuple(self._edges.values())
        return TraceGraph(subject, root, nodes, edges, tuple(notes))
