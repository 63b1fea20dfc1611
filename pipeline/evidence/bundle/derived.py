"""The files of a bundle that are made from its others: trace, PROV, OpenLineage, bill of materials.

They depend on nothing else, so whoever checks a bundle makes them again and compares.
"""

import importlib.metadata
import json
from collections.abc import Callable, Iterator, Mapping

from components.bundle.cyclonedx import Bill, BillMetric, Dataset, cyclonedx_json
from components.bundle.openlineage import openlineage_jsonl
from components.bundle.prov import prov_json
from components.bundle.trace_graph import TraceGraph
from components.decision import Decision
from components.lineage.graph import ArtifactNode, EventEdge, ExecutionNode, Graph
from components.lineage.record import RunRecord
from components.records.errors import IntegrityError
from components.records.files import canonical_json
from pipeline.evidence.answer import Columns, facts_of
from pipeline.evidence.bundle.names import BOM, OPENLINEAGE, PROV, TRACE
from pipeline.evidence.trace.trace import Origin, TraceSources, trace_of

Drawings = Mapping[str, Callable[[TraceGraph], str]]  # file name -> how it is drawn
_WRITERS = ("casegate", "cyclonedx-python-lib", "openlineage-python", "prov")
_BILLED: Columns = {
    "run_id": "run_id",
    "state": "state",
    "model_tree_sha256": "decision.candidate_sha256",
    "code_sha256": "code.code_sha256",
    "git_commit": "code.git_commit",
    "python": "environment.python",
    "lock_file_sha256": "environment.lock_file_sha256",
    "verdict": "decision.verdict",
}


def derived_files(known: TraceSources, drawings: Drawings) -> dict[str, bytes]:
    """The files by name."""
    record, graph = known.record, trace_of(known)
    namespace = record.store.pipeline
    return {
        TRACE: canonical_json(graph.document()) + b"\n",
        PROV: prov_json(graph),
        OPENLINEAGE: openlineage_jsonl(graph, namespace=namespace, run_id=record.run_id),
        BOM: cyclonedx_json(bill(known)),
        **{name: draw(graph).encode() for name, draw in drawings.items()},
    }


def made_with() -> dict[str, str]:
    """Versions of what writes the derived files: another version may write them otherwise."""
    return {name: importlib.metadata.version(name) for name in _WRITERS}


def bill(known: TraceSources) -> Bill:
    """What the bill of materials says, all of it from the record and the decision."""
    record, release = known.record, known.release
    place = release.destination if release else record.store.pipeline
    named = facts_of(record, _BILLED)
    return Bill(
        name=place.rpartition("/")[2],
        version=str(release.version) if release else None,
        at=record.finished,
        serial=f"{record.workspace_id}/{record.run_id}/{release.version if release else ''}",
        packages=record.environment.packages,
        datasets=tuple(_datasets(record)),
        metrics=tuple(_metrics(known.decision)) if known.decision else (),
        properties={name: str(value) for name, value in named.items() if value is not None},
    )


def _datasets(record: RunRecord) -> Iterator[Dataset]:
    given = record.inputs
    if given.training_root:
        root = ("Merkle root", given.training_root)
        yield Dataset(given.data or "training data", "training", None, root, given.training_cases)
    if given.case_set and given.case_set_root:
        root = ("Merkle root", given.case_set_root)
        version = str(given.case_set_version)
        yield Dataset(given.case_set, "evaluation", version, root, given.case_set_cases)


def _metrics(decision: Decision) -> Iterator[BillMetric]:
    """The candidate's own figures: those the gate judged, then those it only describes."""
    seen = set()
    for check in decision.checks:
        if check.metric is not None and check.estimate is not None and check.against == "none":
            piece = check.slice or "overall"
            seen.add((check.metric, piece))
            yield BillMetric(check.metric, piece, check.estimate, check.lower, check.upper)
    for one in decision.slices:
        if (one.metric, one.slice) not in seen:
            yield BillMetric(one.metric, one.slice, one.estimate, one.lower, one.upper)


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
