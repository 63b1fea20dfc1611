"""Where components' Beam pipelines run: in this process, by a job server, or on Flink.

What could keep a run waiting for ever is asked before anything starts, and said in one line.
"""

import json
import shutil
import socket
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from components.records.errors import ConfigError
from pipeline.settings.config import REPOSITORY, BeamConfig
from pipeline.settings.deciding import deciding_sha256

# What a runner starts for each worker in its PROCESS environment: one program, without arguments.
BOOT = Path(sys.executable).with_name("casegate-worker")
REACH_S = 5
# A job server answers once its first worker is there, which imports TensorFlow before.
PATIENCE = "--job_server_timeout=600"
IDENTITY = "/casegate.Workers/Identity"
_VERSION_FILE = "org/apache/beam/sdk/sdk.properties"


def beam_arguments(beam: BeamConfig, paths: list[Path]) -> tuple[str, ...]:
    """Beam's arguments for the engine, checked as far as that can be done from here.

    Args:
      paths: what workers have to see under the same names as this process.

    Raises:
      ConfigError: a setting is missing; nothing answers where it points; or what answers is of
        another version than this.
    """
    if beam.engine == "direct":
        return beam.pipeline_args
    chosen = _portable(beam) if beam.engine == "portable" else _flink(beam)
    return (*chosen, PATIENCE, *_environment(beam, paths), *beam.pipeline_args)


def _portable(beam: BeamConfig) -> list[str]:
    endpoint = _needed("job_endpoint", beam.job_endpoint, "portable", "the job server's HOST:PORT")
    _refuse_unreachable("job_endpoint", endpoint, "a Beam job server")
    return ["--runner=PortableRunner", f"--job_endpoint={endpoint}"]


def _flink(beam: BeamConfig) -> list[str]:
    master = _needed("flink_master", beam.flink_master, "flink", "the job manager's HOST:PORT")
    named = _needed("flink_job_server_jar", beam.flink_job_server_jar, "flink", "its file")
    if shutil.which("java") is None:
        raise ConfigError("beam.engine: flink needs Java, and no `java` is on the path; install it")
    _refuse_other_jar(Path(named))
    _refuse_unreachable("flink_master", master, "a Flink job manager")
    return [
        "--runner=FlinkRunner",
        f"--flink_master={master}",
        f"--flink_job_server_jar={named}",
        f"--parallelism={beam.parallelism}",
    ]


def _environment(beam: BeamConfig, paths: list[Path]) -> list[str]:
    if beam.environment == "loopback":
        return ["--environment_type=LOOPBACK"]
    if beam.environment == "process":
        config = json.dumps({"command": str(BOOT)})
        return ["--environment_type=PROCESS", f"--environment_config={config}"]
    _refuse_unreachable("worker_pool", beam.worker_pool, "a pool of workers")
    _refuse_other_workers(beam.worker_pool, paths)
    return ["--environment_type=EXTERNAL", f"--environment_config={beam.worker_pool}"]


def _needed(key: str, value: str | None, engine: str, wanted: str) -> str:
    if value is None:
        raise ConfigError(f"beam.{key}: got null, wanted {wanted}, as beam.engine is {engine}")
    return value


def split_address(address: str, key: str) -> tuple[str, int]:
    """Host and port.

    Raises:
      ConfigError: it is not HOST:PORT.
    """
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 2**16):
        raise ConfigError(f"{key}: got {address!r}, wanted HOST:PORT")
    return host.strip("[]"), int(port)


def _refuse_unreachable(key: str, address: str, what: str) -> None:
    try:
        socket.create_connection(split_address(address, f"beam.{key}"), timeout=REACH_S).close()
    except OSError as error:
        raise ConfigError(
            f"beam.{key}: {what} does not answer at {address}: {error.strerror or error}; "
            "start it, or correct the address"
        ) from None


def _refuse_other_jar(path: Path) -> None:
    """The job server and this Beam speak one version's language."""
    try:
        with zipfile.ZipFile(path) as jar:
            text = jar.read(_VERSION_FILE).decode()
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError):
        raise ConfigError(
            f"beam.flink_job_server_jar: {path} is not a job server of Beam's; take "
            "beam-runners-flink-*-job-server of this Beam's version"
        ) from None
    found = next((line[8:] for line in text.splitlines() if line.startswith("version=")), "none")
    ours = metadata.version("apache-beam")
    if found.strip() != ours:
        raise ConfigError(
            f"beam.flink_job_server_jar: {path} is of Beam {found.strip()}, wanted {ours}, which "
            "is installed here"
        )


def _refuse_other_workers(address: str, paths: list[Path]) -> None:
    """Workers of another version would compute something else, or fail in the middle."""
    import grpc

    question = json.dumps([str(path) for path in paths]).encode()
    with grpc.insecure_channel(address) as channel:
        ask: Callable[..., bytes] = channel.unary_unary(IDENTITY)
        try:
            answer = json.loads(ask(question, timeout=REACH_S))
        except grpc.RpcError as error:
            raise ConfigError(
                f"beam.worker_pool: what answers at {address} is no pool of casegate's "
                f"({error.code().name}); start one with `casegate worker pool --bind {address}`"
            ) from None
    if answer["deciding_sha256"] != deciding_sha256():
        raise ConfigError(
            f"beam.worker_pool: the workers at {address} have other code or packages "
            f"({answer['deciding_sha256'][:12]}) than this process ({deciding_sha256()[:12]}); "
            f"start them from this checkout's commit and lock file; {REPOSITORY} has both"
        )
    if answer["unseen"]:
        raise ConfigError(
            f"beam.worker_pool: the workers at {address} do not see {answer['unseen'][0]}; give "
            "them the data and the workspace under the same paths"
        )
