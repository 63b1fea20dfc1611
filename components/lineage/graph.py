"""A run's part of ML Metadata as a graph: what each execution read and wrote."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.records.files import sha256_json

EXECUTION_STATES = {0: "unknown", 1: "new", 2: "running", 3: "complete", 4: "failed"}
EXECUTION_STATES |= {5: "cached", 6: "canceled"}
ARTIFACT_STATES = {0: "unknown", 1: "pending", 2: "live", 3: "marked for deletion"}
ARTIFACT_STATES |= {4: "deleted", 5: "abandoned", 6: "reference"}
READ, WROTE = "read", "wrote"
EVENT_KINDS = {1: READ, 3: READ, 5: READ, 2: WROTE, 4: WROTE, 6: WROTE, 7: WROTE}


@dataclass(frozen=True)
class ArtifactNode:
    """Attributes:
    properties: typed and custom ones together; `custom` names the latter.
    """

    id: int
    type: str
    name: str | None
    uri: str | None
    state: str
    created_ms: int
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class ExecutionNode:
    """Attributes:
    type: the component's class, in full; `component` its id in the graph.
    """

    id: int
    type: str
    component: str
    state: str
    started_ms: int
    ended_ms: int
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class EventEdge:
    """An execution that read or wrote an artifact; `key` is the name of the channel."""

    execution_id: int
    artifact_id: int
    kind: str
    key: str


@dataclass(frozen=True)
class Graph:
    """Each in the order of ids."""

    executions: tuple[ExecutionNode, ...]
    artifacts: tuple[ArtifactNode, ...]
    events: tuple[EventEdge, ...]

    @property
    def sha256(self) -> str:
        return sha256_json(self.document())

    def document(self) -> dict[str, Any]:
        return asdict(self)

    def behind(self, artifact_ids: Iterable[int]) -> "Graph":
        """Only what led to these artifacts: what wrote them, what that read, and so on."""
        artifacts, executions = set(artifact_ids), set[int]()
        while (
            news := {
                event.execution_id
                for event in self.events
                if event.kind == WROTE and event.artifact_id in artifacts
            }
            - executions
        ):
            executions |= news
            artifacts |= {
                event.artifact_id
                for event in self.events
                if event.kind != WROTE and event.execution_id in news
            }
        return Graph(
            tuple(e for e in self.executions if e.id in executions),
            tuple(a for a in self.artifacts if a.id in artifacts),
            tuple(
                v
                for v in self.events
                if v.execution_id in executions and v.artifact_id in artifacts
            ),
        )
