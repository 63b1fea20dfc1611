"""What a run asks ML Metadata about earlier executions, in stores of more and more runs."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from unittest.mock import patch

from ml_metadata import ListOptions, errors
from ml_metadata.metadata_store.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.address import StoreAddress
from components.lineage.opening import WritableStore, open_store
from tests.bench.figures import Setting
from tests.bench.page import machine_lines, table

TEMPLATE = Path(__file__).with_name("store.md.template")
COMPONENTS = 15
REPEAT = 5

Say = Callable[[str], None]


@dataclass(frozen=True)
class StoreTimes:
    """Seconds of one question in a store of so many runs; None where it cannot be asked so."""

    runs: int
    filtered: float | None
    from_contexts: float
    every_execution: float


def measured_store(counts: Sequence[int], say: Say) -> list[StoreTimes]:
    """The same question in a store of each size."""
    found = []
    for runs in counts:
        say(f"a store of {runs} runs ...")
        with tempfile.TemporaryDirectory(prefix="casegate-bench-") as folder:
            found.append(_asked(Path(folder) / "metadata.sqlite", runs))
    return found


def section(found: Sequence[StoreTimes], setting: Setting) -> str:
    """The section, its heading included."""
    ways = ("filtered", "from_contexts", "every_execution")
    seconds = [[getattr(times, way) for way in ways] for times in found]
    rows = [
        [f"{times.runs:,}", *("none here" if one is None else f"{one:.4f}" for one in row)]
        for times, row in zip(found, seconds, strict=True)
    ]
    ratio = [
        "" if first is None or last is None else f"{last / first:.1f} x"
        for first, last in zip(seconds[0], seconds[-1], strict=True)
    ]
    head = ["runs", "with a filter", "from contexts", "reads every execution"]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        setting=machine_lines(setting),
        figures=table(head, [*rows, ["the last over the first", *ratio]]),
        repeat=REPEAT,
        components=COMPONENTS,
    )


def _asked(path: Path, runs: int) -> StoreTimes:
    with open_store(StoreAddress(f"sqlite:{path}")) as store:
        contexts = fill_store(store, runs)
        query = " AND ".join(f"(contexts_{i}.id = {each})" for i, each in enumerate(contexts))
        options = ListOptions(filter_query=query)

        def filtered() -> list[Any]:
            return MetadataStore.get_executions(store, options)

        try:
            filter_seconds = _seconds(filtered)
        except errors.UnimplementedError:
            filter_seconds = None
        with patch.object(MetadataStore, "get_executions", _without_filters):
            from_contexts = _seconds(lambda: store.get_executions(options))
        # As TFX does where the store has no filters.
        every = _seconds(lambda: store.get_executions_by_context(contexts[0]))
    return StoreTimes(runs, filter_seconds, from_contexts, every)


def fill_store(store: WritableStore, runs: int) -> list[int]:
    """Writes the executions of so many runs; the contexts of the last one, as TFX asks for them."""
    types = ("pipeline", "pipeline_run", "node")
    kinds = {name: store.put_context_type(mlmd.ContextType(name=name)) for name in types}
    of = store.put_execution_type(mlmd.ExecutionType(name="component"))

    def context(kind: str, name: str) -> int:
        (made,) = store.put_contexts([mlmd.Context(type_id=kinds[kind], name=name)])
        return int(made)

    pipeline = context("pipeline", "casegate")
    nodes = [context("node", f"casegate.{number}") for number in range(COMPONENTS)]
    run = pipeline
    for number in range(runs):
        run = context("pipeline_run", f"run {number}")
        executions = [
            mlmd.Execution(type_id=of, name=f"{number}.{node}", last_known_state=3)
            for node in range(COMPONENTS)
        ]
        for execution in executions:
            for name in ("code_sha256", "problems", "source", "source_sha256"):
                execution.custom_properties[name].string_value = 64 * "0"
        links = [
            mlmd.Association(execution_id=execution, context_id=each)
            for execution, node in zip(store.put_executions(executions), nodes, strict=True)
            for each in (pipeline, run, node)
        ]
        store.put_attributions_and_associations([], links)
    return [pipeline, run, nodes[-1]]


def _seconds(question: Callable[[], list[Any]]) -> float:
    question()
    times = []
    for _ in range(REPEAT):
        start = time.monotonic()
        question()
        times.append(time.monotonic() - start)
    return statistics.median(times)


def _without_filters(*_: object) -> None:
    raise errors.UnimplementedError("filter_query")
