"""The files of a bundle that are made from its others: trace, PROV, OpenLineage, bill of materials.

They depend on nothing else, so whoever checks a bundle makes them again and compares.
"""

import importlib.metadata
import json
from collections.abc import Callable, Mapping

from components.bundle.openlineage import openlineage_jsonl
from components.bundle.prov import prov_json
from components.bundle.trace_graph import TraceGraph
from components.lineage.graph import ArtifactNode, EventEdge, ExecutionNode, Graph
from components.records.errors import IntegrityError
from components.records.files import canonical_json
from pipeline.evidence.bundle.bom import cyclonedx_json
from pipeline.evidence.bundle.names import BOM, OPENLINEAGE, PROV, TRACE
from pipeline.evidence.trace.drawings import as_text
from pipeline.evidence.trace.svg import as_svg
from pipeline.evidence.trace.trace import Origin, TraceSources, trace_of

DRAWINGS: Mapping[str, Callable[[TraceGraph], str]] = {"trace.svg": as_svg, "trace.txt": as_text}
_WRITERS = ("casegate", "cyclonedx-python-lib", "openlineage-python", "prov")


def derived_files(known: TraceSources) -> dict[str, bytes]:
    """The files by name."""
    record, graph = known.record, trace_of(known)
    namespace = record.store.pipeline
    return {
        TRACE: canonical_json(graph.document()) + b"\n",
        PROV: prov_json(graph),
        OPENLINEAGE: openlineage_jsonl(graph, namespace=namespace, run_id=record.run_id),
        BOM: cyclonedx_json(record, known.decision, known.release),
        **{name: draw(graph).encode() for name, draw in DRAWINGS.items()},
    }


def made_with() -> dict[str, str]:
    """Versions of what writes the derived files: another version may write them otherwise."""
    return {name: importlib.metadata.version(name) for name in _WRITERS}


def graph_from(content: bytes, *, where: str) -> Graph:
    """The graph that `lineage.json` holds.

    Raises:
      IntegrityError: it holds none.
    """
    try:
        read = json.loads(content)
        return Graph(
            tuple(ExecutionNode(**row) for row in read["executions"]),
            tuple(ArtifactNode(**row) for row in read["artifacts"]),
            tuple(EventEdge(**row) for row in read["events"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{where}: holds no part of ML Metadata: {error}") from None


def origins_json(origins: Mapping[int, Origin]) -> bytes:
    return canonical_json({str(key): vars(origin) for key, origin in origins.items()}) + b"\n"


def origins_from(content: bytes, *, where: str) -> dict[int, Origin]:
    """The inverse of `origins_json`; IntegrityError where it is something else."""
    try:
        return {int(key): Origin(**value) for key, value in json.loads(content).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{where}: names no executions: {error}") from None
