"""The other yardstick: lineage through ML Metadata's own client, hop by hop, as its guide shows.

`trace` goes back from a pushed version to the examples; `impact` goes on from examples to models
and pushes; `subgraph` asks for the same as `trace` in one call. Prints one line of JSON.
"""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.workspace import Workspace

_HOPS = 40  # more than any graph here has


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("question", choices=["trace", "impact", "subgraph"])
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--version", help="for trace and subgraph")
    parser.add_argument("--uri", action="append", default=[], help="examples, for impact")
    arguments = parser.parse_args()
    store = metadata_store.MetadataStore(Workspace(arguments.workspace).store.mlmd_config())
    begun = time.monotonic()
    if arguments.question == "impact":
        found = impact(store, arguments.uri)
    elif arguments.question == "trace":
        found = trace(store, arguments.version)
    else:
        found = subgraph(store, arguments.version)
    print(json.dumps({**found, "seconds": time.monotonic() - begun}))


def trace(store: Any, version: str) -> dict[str, int]:
    """Back from a pushed version, one hop after the other, to what nothing led to."""
    waiting = [pushed(store, version)]
    artifacts, executions = {a.id: a for a in waiting}, {}
    while waiting:
        events = store.get_events_by_artifact_ids([a.id for a in waiting])
        producers = {e.execution_id for e in events if e.type == mlmd.Event.OUTPUT}
        new = sorted(producers - executions.keys())
        executions |= {e.id: e for e in store.get_executions_by_id(new)}
        events = store.get_events_by_execution_ids(new) if new else []
        read = {e.artifact_id for e in events if e.type == mlmd.Event.INPUT}
        waiting = store.get_artifacts_by_id(sorted(read - artifacts.keys()))
        artifacts |= {a.id: a for a in waiting}
    return _counted(store, artifacts.values(), executions.values())


def impact(store: Any, uris: Sequence[str]) -> dict[str, int]:
    """On from examples, one hop after the other, to what nothing read."""
    waiting = [a for uri in uris for a in store.get_artifacts_by_uri(uri)]
    artifacts, executions = {a.id: a for a in waiting}, {}
    while waiting:
        events = store.get_events_by_artifact_ids([a.id for a in waiting])
        consumers = {e.execution_id for e in events if e.type == mlmd.Event.INPUT}
        new = sorted(consumers - executions.keys())
        executions |= {e.id: e for e in store.get_executions_by_id(new)}
        events = store.get_events_by_execution_ids(new) if new else []
        wrote = {e.artifact_id for e in events if e.type == mlmd.Event.OUTPUT}
        waiting = store.get_artifacts_by_id(sorted(wrote - artifacts.keys()))
        artifacts |= {a.id: a for a in waiting}
    return _counted(store, artifacts.values(), executions.values())


def subgraph(store: Any, version: str) -> dict[str, int]:
    """What led to a pushed version, in one call."""
    options = mlmd.LineageSubgraphQueryOptions(
        starting_artifacts=mlmd.LineageSubgraphQueryOptions.StartingNodes(
            filter_query=f"id = {pushed(store, version).id}"
        ),
        max_num_hops=_HOPS,
        direction=mlmd.LineageSubgraphQueryOptions.UPSTREAM,
    )
    graph = store.get_lineage_subgraph(options)
    return _counted(store, graph.artifacts, graph.executions)


def pushed(store: Any, version: str) -> Any:
    (found,) = (
        artifact
        for artifact in store.get_artifacts_by_type("PushedModel")
        if artifact.custom_properties["pushed_version"].string_value == version
    )
    return found


def _counted(store: Any, artifacts: Iterable[Any], executions: Iterable[Any]) -> dict[str, int]:
    """How much was found, so that nobody measures an answer that is empty."""
    types = {t.id: t.name for t in store.get_artifact_types()}
    kinds = [types[artifact.type_id] for artifact in artifacts]
    counts = {name: kinds.count(name) for name in ("Examples", "Model", "PushedModel")}
    return {"artifacts": len(kinds), "executions": len(list(executions)), **counts}


if __name__ == "__main__":
    main()
