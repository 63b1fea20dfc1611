"""The other yardstick: lineage through ML Metadata's own client, as its guide and TFX's show it.

`trace` goes back from a pushed version to the examples, one hop after the other; `subgraph` asks
for the same in one call; `impact` goes on from examples to models and pushes. The store is opened
through TFX, as TFX's tutorials do, or by ML Metadata alone. Prints one line of JSON.
"""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from components.lineage.address import with_password
from pipeline.settings.workspace import Workspace

_HOPS = 40  # more than any graph here has


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("question", choices=["trace", "impact", "subgraph"])
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--through", choices=["tfx", "mlmd"], required=True)
    parser.add_argument("--version", help="for trace and subgraph")
    parser.add_argument("--uri", action="append", default=[], help="examples, for impact")
    arguments = parser.parse_args()
    store = opened(Workspace(arguments.workspace), arguments.through)
    begun = time.monotonic()
    if arguments.question == "impact":
        found = followed(store, impacted(store, arguments.uri), back=False)
    elif arguments.question == "trace":
        found = followed(store, [pushed(store, arguments.version)], back=True)
    else:
        found = subgraph(store, arguments.version)
    print(json.dumps({**found, "seconds": time.monotonic() - begun}))


def opened(workspace: Workspace, through: str) -> Any:
    config = with_password(workspace.store.tfx_config())
    if through == "tfx":
        from tfx.orchestration.metadata import Metadata

        return Metadata(config).__enter__().store  # until the process ends
    from ml_metadata.metadata_store import metadata_store

    return metadata_store.MetadataStore(config)


def followed(store: Any, waiting: Sequence[Any], *, back: bool) -> dict[str, int]:
    """Hop by hop from artifacts to what they were made from, or on to what was made of them."""
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    near, far = mlmd.Event.OUTPUT, mlmd.Event.INPUT
    if not back:
        near, far = far, near
    artifacts, executions = {a.id: a for a in waiting}, {}
    while waiting:
        events = store.get_events_by_artifact_ids([a.id for a in waiting])
        new = sorted({e.execution_id for e in events if e.type == near} - executions.keys())
        executions |= {e.id: e for e in store.get_executions_by_id(new)}
        events = store.get_events_by_execution_ids(new) if new else []
        ids = {e.artifact_id for e in events if e.type == far}
        waiting = store.get_artifacts_by_id(sorted(ids - artifacts.keys()))
        artifacts |= {a.id: a for a in waiting}
    return _counted(store, artifacts.values(), executions.values())


def impacted(store: Any, uris: Sequence[str]) -> list[Any]:
    return [artifact for uri in uris for artifact in store.get_artifacts_by_uri(uri)]


def subgraph(store: Any, version: str) -> dict[str, int]:
    """What led to a pushed version, in one call."""
    from ml_metadata.proto import metadata_store_pb2 as mlmd

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
