"""TFX's BeamDagRunner, saying when each component starts, ends, fails or comes from the cache."""

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.beam import beam_dag_runner
from tfx.orchestration.portable import launcher

from components import events


class EventfulNode(beam_dag_runner.PipelineNodeAsDoFn):
    """Launches one component and publishes what becomes of it."""

    def _run_node(self) -> None:
        events.publish("started", self._node_id)
        try:
            execution = launcher.Launcher(
                pipeline_node=self._pipeline_node,
                mlmd_connection=metadata.Metadata(self._mlmd_connection_config),
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
        cached = execution is not None and self._was_cached(execution.execution_id)
        events.publish("cached" if cached else "finished", self._node_id)

    def _was_cached(self, execution_id: int) -> bool:
        with metadata.Metadata(self._mlmd_connection_config) as handle:
            (execution,) = handle.store.get_executions_by_id([execution_id])
        return bool(execution.last_known_state == metadata_store_pb2.Execution.CACHED)


class EventfulBeamDagRunner(beam_dag_runner.BeamDagRunner):
    _PIPELINE_NODE_DO_FN_CLS = EventfulNode
