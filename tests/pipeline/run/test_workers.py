"""What a runner's PROCESS environment starts, held against a provision service of Beam's."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    endpoints_pb2,
)

from pipeline.run import workers
from pipeline.run.engine import WANTED
from pipeline.settings.deciding import deciding_sha256


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
    monkeypatch.setenv(WANTED, json.dumps([deciding_sha256()]))
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


@pytest.mark.parametrize("wanted", ["", json.dumps(["f" * 64])])
def test_a_worker_of_other_code_than_the_runs_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv(WANTED, wanted)
    with pytest.raises(SystemExit, match=deciding_sha256()[:12]):
        workers.boot(["--id=3", "--provision_endpoint=127.0.0.1:9"])


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[workers.WorkerPool, str]]:
    """One whose workers sleep."""
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    popen = subprocess.Popen
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *_, **named: popen(sleeping, **named))
    pool, server, address = workers.start_pool("127.0.0.1:0")
    yield pool, address
    pool.stop()
    server.stop(0)


def start(channel: Any, worker_id: str, *wanted: str, host: str = "127.0.0.1") -> str:
    request = beam_fn_api_pb2.StartWorkerRequest(
        worker_id=worker_id,
        control_endpoint=endpoints_pb2.ApiServiceDescriptor(url=f"{host}:9"),
        params={WANTED: json.dumps(wanted)},
    )
    stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
    return stub.StartWorker(request).error


def test_task_managers_that_name_their_workers_alike_end_their_own(
    pool: tuple[workers.WorkerPool, str],
) -> None:
    started, address = pool
    options = [("grpc.use_local_subchannel_pool", 1)]  # a connection each, as of two processes
    with (
        grpc.insecure_channel(address, options) as first,
        grpc.insecure_channel(address, options) as second,
    ):
        assert [start(one, "1-1", deciding_sha256()) for one in (first, second)] == ["", ""]
        one, other = started._workers.values()
        stop = beam_fn_api_pb2.StopWorkerRequest(worker_id="1-1")
        beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(first).StopWorker(stop)
        assert one.poll() is not None and other.poll() is None
        assert list(started._workers.values()) == [other]


def test_a_pool_starts_nothing_for_a_run_of_other_code_or_with_paths_that_it_does_not_see(
    pool: tuple[workers.WorkerPool, str],
) -> None:
    started, address = pool
    with grpc.insecure_channel(address) as channel:
        assert "f" * 12 in start(channel, "1", "f" * 64)
        assert "/nowhere" in start(channel, "1", deciding_sha256(), "/nowhere")
    assert started.started == 0


def test_a_pool_starts_nothing_for_a_job_server_that_it_cannot_find(
    pool: tuple[workers.WorkerPool, str],
) -> None:
    started, address = pool
    with grpc.insecure_channel(address) as channel:
        error = start(channel, "1", deciding_sha256(), host="ward.invalid")
    assert "do not find ward.invalid, where the job server sends them" in error
    assert started.started == 0
