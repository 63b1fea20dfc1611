"""What is asked of another engine before a run starts on it."""

import json
import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import grpc
import psutil
import pytest

from components.records.errors import ConfigError
from pipeline.run.engine import BOOT, IDENTITY, beam_arguments, split_address
from pipeline.run.workers import start_pool
from pipeline.settings.config import BeamConfig
from tests.refusing import refused

OURS = metadata.version("apache-beam")


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


def jar(folder: Path, version: str | None = OURS) -> str:
    path = folder / "job-server.jar"
    with zipfile.ZipFile(path, "w") as archive:
        text = f"# made\nversion={version}\nbuild.date=then\n"
        archive.writestr("org/apache/beam/sdk/sdk.properties" if version else "other", text)
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


def test_flink_is_named_with_its_job_server_and_a_program_that_each_task_manager_starts(
    listening: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(tmp_path, monkeypatch)
    named = jar(tmp_path)
    beam = BeamConfig(
        engine="flink",
        flink_master=listening,
        flink_job_server_jar=named,
        parallelism=4,
        environment="process",
    )
    found = beam_arguments(beam, [])
    assert found[:4] == (
        "--runner=FlinkRunner",
        f"--flink_master={listening}",
        f"--flink_job_server_jar={named}",
        "--parallelism=4",
    )
    assert found[-2] == "--environment_type=PROCESS"
    config = json.loads(found[-1].removeprefix("--environment_config="))
    assert config == {"command": str(BOOT)} and os.access(BOOT, os.X_OK)


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


@pytest.mark.parametrize("version, facts", [("2.60.0", ["2.60.0", OURS]), (None, ["job server"])])
def test_a_job_server_of_another_version_is_refused(
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
    assert found[-2:] == ("--environment_type=EXTERNAL", f"--environment_config={pool}")


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
        answer = json.loads(channel.unary_unary(IDENTITY)(b"[]", timeout=30))
    assert answer["unseen"] == []
    process.terminate()
    assert process.wait(30) == 0
