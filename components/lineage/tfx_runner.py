"""TFX's BeamDagRunner on a store of ours, publishing what becomes of each component.

The graph holds no password, and ML Metadata's own PostgreSQL backend mistakes text for SQL (see
backslashes.py); so the launcher is given a connection that opens the store as we do.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import StandardOptions
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.beam import beam_dag_runner
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2

from components.lineage.address import StoreAddress
from components.lineage.opening import WritableStore, open_store, types_of
from components.records import events

# By its path: under its short name, newer versions of Beam fetch a runner from the internet.
IN_MEMORY = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


class Connection(metadata.Metadata):
    """What `tfx.orchestration.metadata.Metadata` is, for a connection without its password."""

    def __enter__(self) -> "Connection":
        self._store = WritableStore(self._connection_config)
        self._users += 1
        return self


class BeamOperator(BeamExecutorOperator):
    """Runs a component's Beam pipelines with arguments that TFX does not know of.

    They say where a component runs, not what it makes; TFX would take them into the key of its
    cache, and run everything again on another engine. It would also build a package of itself for
    each component, in the temporary folder, and leave it there.
    """

    def __init__(self, arguments: Sequence[str], **given: Any) -> None:
        super().__init__(**given)
        self._arguments = [f"--runner={IN_MEMORY}", *arguments]

    def run_executor(self, execution_info: Any) -> Any:
        return super().run_executor(
            execution_info, make_beam_pipeline_fn=partial(beam.Pipeline, argv=self._arguments)
        )


class EventfulNode(beam_dag_runner.PipelineNodeAsDoFn):
    """Launches one component and publishes what becomes of it."""

    def __init__(self, beam_arguments: Sequence[str], **given: Any) -> None:
        super().__init__(**given)
        self._operator = partial(BeamOperator, beam_arguments)

    def _run_node(self) -> None:
        events.publish("started", self._node_id)
        try:
            execution = launcher.Launcher(
                pipeline_node=self._pipeline_node,
                mlmd_connection=Connection(self._mlmd_connection_config),
                pipeline_info=self._pipeline_info,
                pipeline_runtime_spec=self._pipeline_runtime_spec,
                executor_spec=self._executor_spec,
                platform_config=self._extract_platform_config(
                    self._deployment_config, self._node_id
                ),
                custom_driver_spec=self._custom_driver_spec,
                custom_executor_operators={executable_spec_pb2.BeamExecutableSpec: self._operator},
            ).launch()
        except Exception:
            events.publish("failed", self._node_id)
            raise
        cached = execution is not None and self._is_cached(execution.execution_id)
        events.publish("cached" if cached else "finished", self._node_id)

    def _is_cached(self, execution_id: int) -> bool:
        with Connection(self._mlmd_connection_config) as handle:
            (execution,) = handle.store.get_executions_by_id([execution_id])
        return bool(execution.last_known_state == mlmd.Execution.CACHED)


class EventfulBeamDagRunner(beam_dag_runner.BeamDagRunner):
    """Attributes:
    run_id: what ML Metadata calls the run; TFX would name it by the clock.
    store: where ML Metadata is kept.
    """

    run_id: str
    store: StoreAddress

    @classmethod
    def for_run(
        cls, run_id: str, store: StoreAddress, beam_arguments: Sequence[str]
    ) -> "EventfulBeamDagRunner":
        """The graph itself runs in this process, its components' pipelines by the arguments."""
        runner = cls()  # TFX's own __new__ takes other arguments
        runner.run_id, runner.store = run_id, store
        runner._PIPELINE_NODE_DO_FN_CLS = partial(EventfulNode, beam_arguments)
        return runner

    def run_with_ir(
        self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None
    ) -> None:
        # Substituted first, so that TFX finds no parameter left to put its own name into.
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self.run_id}
        )
        # All types at once and under a lock: runs that start together would make each one twice.
        open_store(self.store, types=types_of(pipeline))
        StandardOptions.DEFAULT_RUNNER = IN_MEMORY  # TFX gives its own pipeline no arguments
        super().run_with_ir(pipeline, run_options)
