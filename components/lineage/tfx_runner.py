"""TFX's BeamDagRunner on a store of ours, publishing what becomes of each component.

The graph holds no password, and ML Metadata's own PostgreSQL backend mistakes text for SQL (see
backslashes.py); so the launcher is given a connection that opens the store as we do.
"""

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.beam import beam_dag_runner
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from components.lineage.address import StoreAddress
from components.lineage.opening import WritableStore, open_store, types_of
from components.records import events


class Connection(metadata.Metadata):
    """What `tfx.orchestration.metadata.Metadata` is, for a connection without its password."""

    def __enter__(self) -> "Connection":
        self._store = WritableStore(self._connection_config)
        self._users += 1
        return self


class EventfulNode(beam_dag_runner.PipelineNodeAsDoFn):
    """Launches one component and publishes what becomes of it."""

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

    _PIPELINE_NODE_DO_FN_CLS = EventfulNode
    run_id: str
    store: StoreAddress

    @classmethod
    def for_run(cls, run_id: str, store: StoreAddress) -> "EventfulBeamDagRunner":
        runner = cls()  # TFX's own __new__ takes other arguments
        runner.run_id, runner.store = run_id, store
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
        super().run_with_ir(pipeline, run_options)
