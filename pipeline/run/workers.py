"""Processes that run Beam's work for another: a pool that starts them, and how one boots.

Beam's own pool starts whatever `python` is first on the path, on every address of the machine, and
writes into a pipe that nobody reads.
"""

import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
)

from components.records.errors import ConfigError
from pipeline.run.engine import IDENTITY, WANTED, split_address, unfound
from pipeline.settings.config import REPOSITORY
from pipeline.settings.deciding import deciding_sha256

END_S = 10


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts a worker, with this interpreter and these packages, for each that Beam asks for.

    Attributes:
      started: how many so far.
    """

    def __init__(self) -> None:
        self.started = 0
        # By who asked, too: task managers name their workers alike.
        self._workers: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def StartWorker(self, request: Any, context: Any) -> Any:
        host, _ = split_address(request.control_endpoint.url, "control endpoint")
        unfit = refusal(request.params[WANTED]) or unfound(host)
        if unfit:
            error = f"the workers of {platform.node()} {unfit}"
            return beam_fn_api_pb2.StartWorkerResponse(error=error)
        command = [sys.executable, "-m", __name__, request.control_endpoint.url, request.worker_id]
        with self._lock:
            running = {key: one for key, one in self._workers.items() if one.poll() is None}
            worker = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            self._workers = {**running, (context.peer(), request.worker_id): worker}
            self.started += 1
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:
        with self._lock:
            worker = self._workers.pop((context.peer(), request.worker_id), None)
        if worker is not None:
            _end(worker)
        return beam_fn_api_pb2.StopWorkerResponse()

    def stop(self) -> None:
        with self._lock:
            workers, self._workers = list(self._workers.values()), {}
        for worker in workers:
            _end(worker)


def start_pool(address: str) -> tuple[WorkerPool, grpc.Server, str]:
    """A pool that listens on one address alone, and where; port 0 takes any that is free.

    Raises:
      ConfigError: the address cannot be listened on.
    """
    pool = WorkerPool()
    server = grpc.server(ThreadPoolExecutor(thread_name_prefix="pool"))
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    service, method = IDENTITY.strip("/").split("/")
    identity = grpc.unary_unary_rpc_method_handler(_identity)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {method: identity})]
    )
    host, _ = split_address(address, "--bind")
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise ConfigError(f"--bind: {address} cannot be listened on; is another pool there?")
    server.start()
    return pool, server, f"{host}:{port}"


def _identity(question: bytes, context: Any) -> bytes:
    return refusal(question.decode()).encode()


def refusal(wanted: str) -> str:
    """Why a run's work must not be done here; an empty text where it may.

    Args:
      wanted: a JSON list: what decides about the run's results, then the paths that it needs.
    """
    theirs, *paths = json.loads(wanted or '[""]')
    if theirs != deciding_sha256():
        return (
            f"have other code or packages ({deciding_sha256()[:12]}) than the run ({theirs[:12]}); "
            f"start them from its commit and lock file; {REPOSITORY} has both here"
        )
    unseen = next((path for path in paths if not Path(path).exists()), None)
    if unseen is None:
        return ""
    return f"do not see {unseen}; give them the data and the workspace under the same paths"


def _end(worker: "subprocess.Popen[bytes]") -> None:
    worker.terminate()
    try:
        worker.wait(END_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def work(control: str, worker_id: str, *, logging: str = "", options: str = "") -> None:
    """Does what comes from the runner at `control`, until it ends.

    Args:
      logging: where what is logged is sent; empty leaves it to standard error.
      options: the pipeline's, in JSON.
    """
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    os.environ["TF_USE_LEGACY_KERAS"] = "0"  # as in the process that runs the graph
    os.environ["WORKER_ID"] = worker_id
    if not logging:
        SdkHarness(control, worker_id=worker_id, state_cache_size=0).run()
        return
    from apache_beam.runners.worker import sdk_worker_main

    os.environ["LOGGING_API_SERVICE_DESCRIPTOR"] = f'url: "{logging}"'
    os.environ["CONTROL_API_SERVICE_DESCRIPTOR"] = f'url: "{control}"'
    os.environ["PIPELINE_OPTIONS"] = options
    sdk_worker_main.main([])


def boot(arguments: Sequence[str] | None = None) -> None:
    """The program that a runner starts for each worker (its PROCESS environment).

    It gets an id and one address, where everything else is asked for.
    """
    given = dict(each.lstrip("-").split("=", 1) for each in arguments or sys.argv[1:])
    unfit = refusal(os.environ.get(WANTED, ""))
    if unfit:
        sys.exit(f"the workers of {platform.node()} {unfit}")
    with grpc.insecure_channel(given["provision_endpoint"]) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = stub.GetProvisionInfo(request, metadata=[("worker_id", given["id"])]).info
    from google.protobuf.json_format import MessageToJson

    work(
        info.control_endpoint.url,
        given["id"],
        logging=info.logging_endpoint.url,
        options=MessageToJson(info.pipeline_options),
    )


if __name__ == "__main__":
    work(*sys.argv[1:])
