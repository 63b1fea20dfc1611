"""What a runner's PROCESS environment starts, held against a provision service of Beam's."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from apache_beam.portability.api import (
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    endpoints_pb2,
)

from pipeline.run import workers


class Provision(beam_provision_api_pb2_grpc.ProvisionServiceServicer):
    """Tells a worker, by its id alone, where everything is."""

    def GetProvisionInfo(self, request: Any, context: Any) -> Any:
        (worker_id,) = (value for key, value in context.invocation_metadata() if key == "worker_id")
        info = beam_provision_api_pb2.ProvisionInfo(
            control_endpoint=endpoints_pb2.ApiServiceDescriptor(url=f"control-of-{worker_id}"),
            logging_endpoint=endpoints_pb2.ApiServiceDescriptor(url="logging"),
        )
        info.pipeline_options["beam:option:parallelism:v1"] = "2"
        return beam_provision_api_pb2.GetProvisionInfoResponse(info=info)


def test_a_worker_asks_where_everything_is_by_its_id_and_one_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(workers, "work", lambda *given, **named: seen.append((*given, named)))
    server = grpc.server(ThreadPoolExecutor())
    beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(Provision(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    workers.boot(["--id=3", f"--provision_endpoint=127.0.0.1:{port}", "--other=left out"])
    server.stop(0)
    ((control, worker_id, named),) = seen
    assert (control, worker_id, named["logging"]) == ("control-of-3", "3", "logging")
    assert '"beam:option:parallelism:v1": "2"' in named["options"]
