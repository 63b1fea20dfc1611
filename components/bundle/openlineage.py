"""A trace as OpenLineage events, which lineage catalogues of other makers take in.

One START and one ending for the run and for each execution in it, with what was read and written as
datasets: https://openlineage.io/spec/2-0-2/OpenLineage.json.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    dataset_version_dataset,
    documentation_dataset,
    documentation_job,
    error_message_run,
    job_type_job,
    parent_run,
)
from openlineage.client.serde import Serde

from components.bundle.trace_graph import EXECUTION, PERSON, TraceGraph, TraceNode
from components.records.files import canonical_json

PRODUCER = "urn:casegate"
# How an execution or a run ended, in OpenLineage's words; what is not here never ended.
_COMPLETE = ("complete", "cached", "released", "already released")
_ENDINGS = {
    **dict.fromkeys((*_COMPLETE, "blocked", "inconclusive", "unchanged"), "COMPLETE"),
    **dict.fromkeys(("canceled", "killed"), "ABORT"),
    "failed": "FAIL",
}


def openlineage_jsonl(graph: TraceGraph, *, namespace: str, run_id: str) -> bytes:
    """The events, one a line, oldest first.

    Args:
      namespace: of jobs and datasets, such as casegate-3f9a12cd.
      run_id: of the run; the events' own ids are made from it, so that they are always the same.
    """
    # The library's own classes check ids and times.
    writer = _Writer(graph, namespace, run_id)
    executions = graph.of_kind("run", EXECUTION)
    events = [Serde.to_dict(event) for node in executions for event in writer.events(node)]
    events.sort(key=lambda event: (event["eventTime"], event["eventType"] != "START"))
    return b"".join(canonical_json(event) + b"\n" for event in events)


class _Writer:
    def __init__(self, graph: TraceGraph, namespace: str, run_id: str) -> None:
        self._graph, self._namespace, self._run_id = graph, namespace, run_id

    def events(self, node: TraceNode) -> list[RunEvent]:
        state = str(node.facts.get("state", ""))
        run = Run(runId=self._id(node), facets=self._run_facets(node, state))
        job = Job(self._namespace, _job_name(node), facets=self._job_facets(node))
        times = [("START", node.facts.get("started"))]
        if state in _ENDINGS:
            times.append((_ENDINGS[state], node.facts.get("ended") or node.facts.get("finished")))
        read = [edge.source for edge in self._graph.led_to(node.key)]
        wrote = [edge.target for edge in self._graph.edges if edge.source == node.key]
        return [
            RunEvent(
                eventType=RunState[kind],
                eventTime=str(time),
                run=run,
                job=job,
                inputs=self._datasets(InputDataset, read),
                outputs=self._datasets(OutputDataset, wrote) if kind != "START" else [],
                producer=PRODUCER,
            )
            for kind, time in times
            if time is not None
        ]

    def _id(self, node: TraceNode) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._namespace}/{self._run_id}/{node.key}"))

    def _run_facets(self, node: TraceNode, state: str) -> dict[str, Any]:
        facets: dict[str, Any] = {}
        whole = next(self._graph.of_kind("run"), None)
        if whole is not None and node is not whole:
            facets["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=self._id(whole)),
                job=parent_run.Job(self._namespace, _job_name(whole)),
                producer=PRODUCER,
            )
        if state == "failed":
            error = str(node.facts.get("error") or "failed; the run's log says why")
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=error, programmingLanguage="Python", producer=PRODUCER
            )
        return facets

    def _job_facets(self, node: TraceNode) -> dict[str, Any]:
        kind = "DAG" if node.kind == "run" else "TASK"
        return {
            "documentation": documentation_job.DocumentationJobFacet(
                description=node.label, producer=PRODUCER
            ),
            "jobType": job_type_job.JobTypeJobFacet(
                processingType="BATCH", integration="CASEGATE", jobType=kind, producer=PRODUCER
            ),
        }

    def _datasets(self, kind: type[Any], keys: Iterable[str]) -> list[Any]:
        return [
            kind(self._namespace, node.key, facets=_dataset_facets(node))
            for node in map(self._graph.node, keys)
            if node.kind not in (EXECUTION, PERSON, "run")
        ]


def _job_name(node: TraceNode) -> str:
    return str(node.facts.get("component") or "casegate run")


def _dataset_facets(node: TraceNode) -> dict[str, Any]:
    known = "; ".join(f"{name}: {value}" for name, value in node.facts.items() if value is not None)
    facets: dict[str, Any] = {
        "documentation": documentation_dataset.DocumentationDatasetFacet(
            description=f"{node.label} ({known})" if known else node.label, producer=PRODUCER
        )
    }
    if node.sha256 is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(
            datasetVersion=f"sha256:{node.sha256}", producer=PRODUCER
        )
    return facets
