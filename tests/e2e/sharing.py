"""A small pipeline of three light components, as many processes run it in one store at once."""

import json
import logging
import multiprocessing
import os
import sys
from pathlib import Path

from tfx import v1 as tfx
from tfx.dsl.compiler import compiler
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.beam import beam_dag_runner
from tfx.orchestration.portable import launcher
from tfx.types.artifact import Artifact, Property, PropertyType

from components.lineage.address import VARIABLE, StoreAddress
from components.lineage.opening import open_store, types_of
from components.lineage.tfx_runner import Connection


class Numbers(Artifact):
    TYPE_NAME = "SharedNumbers"
    PROPERTIES = {"count": Property(type=PropertyType.INT)}


class Total(Artifact):
    TYPE_NAME = "SharedTotal"


@component
def MakeNumbers(numbers: OutputArtifact[Numbers], count: Parameter[int], note: Parameter[str]):
    numbers.count = count
    Path(numbers.uri, "numbers").write_text("\n".join(map(str, range(count))))


@component
def AddUp(numbers: InputArtifact[Numbers], total: OutputArtifact[Total]):
    lines = Path(numbers.uri, "numbers").read_text().split()
    Path(total.uri, "total").write_text(str(sum(map(int, lines))))


@component
def Compare(
    numbers: InputArtifact[Numbers], total: InputArtifact[Total], verdict: OutputArtifact[Total]
):
    same = Path(total.uri, "total").read_text()
    verdict.set_string_custom_property("verdict", f"{numbers.count} numbers make {same}")


class Node(beam_dag_runner.PipelineNodeAsDoFn):
    def _run_node(self) -> None:
        launcher.Launcher(
            pipeline_node=self._pipeline_node,
            mlmd_connection=Connection(self._mlmd_connection_config),
            pipeline_info=self._pipeline_info,
            pipeline_runtime_spec=self._pipeline_runtime_spec,
            executor_spec=self._executor_spec,
        ).launch()


class Runner(beam_dag_runner.BeamDagRunner):
    _PIPELINE_NODE_DO_FN_CLS = Node


def small_pipeline(address: StoreAddress, folder: Path, number: int) -> tfx.dsl.Pipeline:
    numbers = MakeNumbers(count=number + 10, note=f'{{"a": "\\"{number}\\""}}')
    total = AddUp(numbers=numbers.outputs["numbers"])
    verdict = Compare(numbers=numbers.outputs["numbers"], total=total.outputs["total"])
    return tfx.dsl.Pipeline(
        pipeline_name=f"casegate-{number:08x}",
        pipeline_root=str(folder),
        components=[numbers, total, verdict],
        metadata_connection_config=address.tfx_config(),
    )


def run_once(url: str, folder: Path, number: int, barrier) -> None:
    """In a process of its own, all it says in a log."""
    with (folder / f"{number}.log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        logging.getLogger().addHandler(logging.StreamHandler(log))
        logging.getLogger().setLevel(logging.DEBUG)  # more than the pipeline's own log has
        address = StoreAddress(url)
        graph = compiler.Compiler().compile(small_pipeline(address, folder, number))
        barrier.wait()  # all make the store at once
        open_store(address, types=types_of(graph))
        barrier.wait()  # and all start at once
        Runner().run_with_ir(graph)


def serve() -> None:
    """Runs on request: TFX is imported once, and each run is forked off.

    Reads `{"url", "folder", "workspaces", "password"}` line by line; answers with exit codes.
    """
    context = multiprocessing.get_context("fork")
    for line in sys.stdin:
        wanted = json.loads(line)
        os.environ[VARIABLE] = wanted["password"]
        folder = Path(wanted["folder"])
        folder.mkdir(exist_ok=True)
        barrier = context.Barrier(wanted["workspaces"], timeout=120)
        runs = [
            context.Process(target=run_once, args=(wanted["url"], folder, number, barrier))
            for number in range(wanted["workspaces"])
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join(300)
        print(json.dumps([run.exitcode for run in runs]), flush=True)


if __name__ == "__main__":
    serve()
