"""What is asked of another engine before a run starts on it."""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from components.records.errors import ConfigError
from pipeline.run import bound
from pipeline.run.engine import BOOT, IDENTITY, WANTED, beam_arguments, job_server, split_address
from pipeline.run.workers import start_pool
from pipeline.settings.deciding import deciding_sha256
from pipeline.settings.sections import BeamConfig
from tests.refusing import refused

OURS = metadata.version("apache-beam")
NAME = f"casegate {platform.node()}:/ward"


class Flink(ThreadingHTTPServer):
    """What a job manager answers, to whom, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.master = f"127.0.0.1:{self.server_address[1]}"
        self.answers: dict[str, Any] = {
            "/overview": {"flink-version": "1.19.3", "slots-total": 4},
            "/taskmanagers": {"taskmanagers": [{"path": "pekko.tcp://flink@127.0.0.1:6122/user"}]},
            "/jobs/overview": {"jobs": []},
        }
        self.asked: list[str] = []


class Answering(BaseHTTPRequestHandler):
    server: Flink

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.answers.get(self.path, {})).encode())

    do_PATCH = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def flink() -> Iterator[Flink]:
    with Flink() as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


@pytest.fixture
def listening() -> Iterator[str]:
    """An address where something answers, whatever it is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def pool() -> Iterator[str]:
    workers, server, address = start_pool("127.0.0.1:0")
    yield address
    workers.stop()
    server.stop(0)


def jar(folder: Path, version: str | None = OURS, *, flink: str = "1.19.1") -> str:
    path = folder / "job-server.jar"
    with zipfile.ZipFile(path, "w") as archive:
        text = f"# made\nversion={version}\nbuild.date=then\n"
        archive.writestr("org/apache/beam/sdk/sdk.properties" if version else "other", text)
        archive.writestr(".flink-runtime.version.properties", f"project.version={flink}\n")
    return str(path)


def java(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "java").write_text("#!/bin/sh\n")
    (folder / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_this_process_needs_nothing_but_what_is_asked_for() -> None:
    assert beam_arguments(BeamConfig(pipeline_args=("--x=1",)), []) == ("--x=1",)
    assert beam_arguments(BeamConfig(), []) == ()


def test_a_job_server_is_named_with_who_does_the_work(listening: str) -> None:
    beam = BeamConfig(engine="portable", job_endpoint=listening, pipeline_args=("--x=1",))
    found = beam_arguments(beam, [])
    assert found[:2] == ("--runner=PortableRunner", f"--job_endpoint={listening}")
    assert found[-2:] == ("--environment_type=LOOPBACK", "--x=1")


def test_a_job_server_here_needs_a_host_name_that_workers_find(
    listening: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "ward.invalid")
    with refused(ConfigError, "beam.job_endpoint", "ward.invalid", "/etc/hosts"):
        beam_arguments(BeamConfig(engine="portable", job_endpoint=listening), [])


def clustered(flink: Flink, named: str, **settings: Any) -> BeamConfig:
    settings = {"environment": "process", **settings}
    return BeamConfig(
        engine="flink", flink_master=flink.master, flink_job_server_jar=named, **settings
    )


def test_flink_is_named_with_its_job_server_and_a_program_that_each_task_manager_starts(
    flink: Flink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(tmp_path, monkeypatch)
    named = jar(tmp_path)
    found = beam_arguments(clustered(flink, named, parallelism=4), [Path("/ward")])
    assert found[:5] == (
        "--runner=FlinkRunner",
        f"--flink_master=http://{flink.master}",
        f"--flink_job_server_jar={named}",
        "--parallelism=4",
        f"--job_name={NAME}",
    )
    assert found[-2] == "--environment_type=PROCESS"
    config = json.loads(found[-1].removeprefix("--environment_config="))
    assert config["command"] == str(BOOT) and os.access(BOOT, os.X_OK)
    assert json.loads(config["env"][WANTED]) == [deciding_sha256(), "/ward"]


@pytest.mark.parametrize(
    "answers, facts",
    [
        ({"flink-version": "1.20.1"}, ["flink_job_server_jar", "1.19.1", "1.20.1"]),
        ({"slots-total": 1}, ["beam.parallelism", "2", "1 slots"]),
    ],
)
def test_a_cluster_that_cannot_do_the_work_is_refused(
    flink: Flink,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, Any],
    facts: list[str],
) -> None:
    java(tmp_path, monkeypatch)
    flink.answers["/overview"] |= answers
    with refused(ConfigError, *facts):
        beam_arguments(clustered(flink, jar(tmp_path)), [tmp_path])


def test_task_managers_elsewhere_cannot_reach_this_process(
    flink: Flink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(tmp_path, monkeypatch)
    beam = clustered(flink, jar(tmp_path), environment="loopback")
    assert "--environment_type=LOOPBACK" in beam_arguments(beam, [tmp_path])
    away = {"path": "akka.tcp://flink@192.0.2.7:6122/user/rpc/taskmanager_0"}
    flink.answers["/taskmanagers"]["taskmanagers"].append(away)
    with refused(ConfigError, "beam.environment", "192.0.2.7"):
        beam_arguments(beam, [tmp_path])


def test_what_is_no_job_manager_is_said(
    pool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(tmp_path, monkeypatch)
    beam = BeamConfig(engine="flink", flink_master=pool, flink_job_server_jar=jar(tmp_path))
    with refused(ConfigError, "beam.flink_master", pool, "rest.port"):
        beam_arguments(beam, [tmp_path])


def test_one_job_server_does_for_a_run_and_leaves_no_job_behind(
    flink: Flink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apache_beam.utils.subprocess_server import SubprocessServer

    java(tmp_path, monkeypatch)
    happened: list[str] = flink.asked
    monkeypatch.setattr(
        SubprocessServer, "start", lambda self: happened.append(" ".join(self._cmd))
    )
    monkeypatch.setattr(SubprocessServer, "stop", lambda self: happened.append("stop"))
    flink.answers["/jobs/overview"]["jobs"] = [
        {"jid": "a", "name": NAME, "state": "RESTARTING"},
        {"jid": "b", "name": NAME, "state": "FINISHED"},
        {"jid": "c", "name": "another's", "state": "RUNNING"},
    ]
    named = jar(tmp_path)
    arguments = beam_arguments(clustered(flink, named), [Path("/ward")])
    happened.clear()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), job_server(arguments) as served:
        assert served[: len(arguments)] == list(arguments)
        assert served[-1].startswith("--job_endpoint=localhost:")
        raise KeyboardInterrupt
    cancelled = ["GET /jobs/overview", "PATCH /jobs/a?mode=cancel"]
    (started,) = (each for each in happened if named in each)
    assert happened == [*cancelled, started, *cancelled, "stop"]
    dying_with_the_run = f"{bound.__file__} {os.getpid()} {tmp_path}/java -jar {named} "
    assert f"{dying_with_the_run}--flink-master http://{flink.master}" in started
    assert signal.getsignal(signal.SIGINT) is before


def test_other_engines_need_no_job_server_of_ours() -> None:
    with job_server(("--x=1",)) as served:
        assert served == ("--x=1",)


@pytest.mark.parametrize(
    "settings, facts",
    [
        ({"engine": "portable"}, ["beam.job_endpoint", "null", "portable"]),
        ({"engine": "flink"}, ["beam.flink_master", "null", "flink"]),
        ({"engine": "flink", "flink_master": "a:1"}, ["beam.flink_job_server_jar", "null"]),
        ({"engine": "portable", "job_endpoint": "8099"}, ["beam.job_endpoint", "'8099'"]),
        ({"engine": "portable", "job_endpoint": "a:b"}, ["beam.job_endpoint", "'a:b'"]),
    ],
)
def test_a_setting_that_the_engine_needs_is_asked_for(
    settings: dict[str, str], facts: list[str]
) -> None:
    with refused(ConfigError, *facts):
        beam_arguments(BeamConfig(**settings), [])  # type: ignore[arg-type]


def test_nothing_waits_where_nobody_answers(closed: str, listening: str) -> None:
    with refused(ConfigError, "beam.job_endpoint", closed):
        beam_arguments(BeamConfig(engine="portable", job_endpoint=closed), [])
    beam = BeamConfig(
        engine="portable", job_endpoint=listening, environment="pool", worker_pool=closed
    )
    with refused(ConfigError, "beam.worker_pool", closed):
        beam_arguments(beam, [])


def test_flink_without_java_is_said(
    listening: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    beam = BeamConfig(engine="flink", flink_master=listening, flink_job_server_jar=jar(tmp_path))
    with refused(ConfigError, "beam.engine", "java"):
        beam_arguments(beam, [])


@pytest.mark.parametrize("version, facts", [("2.9.0", ["2.9.0", OURS]), (None, ["job server"])])
def test_a_job_server_of_an_older_version_is_refused(
    listening: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str | None,
    facts: list[str],
) -> None:
    java(tmp_path, monkeypatch)
    named = jar(tmp_path, version)
    beam = BeamConfig(engine="flink", flink_master=listening, flink_job_server_jar=named)
    with refused(ConfigError, "beam.flink_job_server_jar", named, *facts):
        beam_arguments(beam, [])


def pooled(listening: str, pool: str) -> BeamConfig:
    return BeamConfig(
        engine="portable", job_endpoint=listening, environment="pool", worker_pool=pool
    )


def test_workers_of_the_same_code_that_see_the_workspace_are_taken(
    listening: str, pool: str, tmp_path: Path
) -> None:
    found = beam_arguments(pooled(listening, pool), [tmp_path])
    assert found[-2] == "--environment_type=EXTERNAL"
    config = json.loads(found[-1].removeprefix("--environment_config="))
    wanted = json.dumps([deciding_sha256(), str(tmp_path)])
    assert config == {"url": pool, "params": {WANTED: wanted}}


def test_workers_that_do_not_see_the_workspace_are_refused(
    listening: str, pool: str, tmp_path: Path
) -> None:
    with refused(ConfigError, "beam.worker_pool", pool, tmp_path / "elsewhere"):
        beam_arguments(pooled(listening, pool), [tmp_path, tmp_path / "elsewhere"])


def test_workers_of_other_code_or_packages_are_refused(
    listening: str, pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.run.workers.deciding_sha256", lambda: "f" * 64)
    with refused(ConfigError, "beam.worker_pool", pool, "f" * 12):
        beam_arguments(pooled(listening, pool), [])


def test_a_pool_that_cannot_say_what_it_is_is_refused(listening: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor())
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with refused(ConfigError, "beam.worker_pool", str(port), "UNIMPLEMENTED", "worker pool"):
        beam_arguments(pooled(listening, f"127.0.0.1:{port}"), [])
    server.stop(0)


def test_a_pool_listens_on_the_one_address_that_it_was_given(pool: str) -> None:
    _, port = split_address(pool, "pool")
    found = [one.laddr for one in psutil.Process().net_connections() if one.status == "LISTEN"]
    assert {ip.removeprefix("::ffff:") for ip, number in found if number == port} == {"127.0.0.1"}


def test_an_address_that_is_taken_is_one_line(listening: str) -> None:
    with refused(ConfigError, "--bind", listening):
        start_pool(listening)


@pytest.mark.process
def test_the_command_ends_when_it_is_told_to(closed: str) -> None:
    command = [sys.executable, "-c", "from pipeline.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "worker", "pool", "--bind", closed], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert closed in process.stdout.readline()
    with grpc.insecure_channel(closed) as channel:
        question = json.dumps([deciding_sha256()]).encode()
        assert channel.unary_unary(IDENTITY)(question, timeout=30) == b""
    process.terminate()
    assert process.wait(30) == 0
