"""Where components' Beam pipelines run: in this process, by a job server, or on Flink.

What could keep a run waiting for ever is asked before anything starts, and said in one line.
"""

import json
import os
import platform
import shutil
import socket
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from components.records.case import CASES_PER_SHARD
from components.records.errors import ConfigError
from pipeline.run import bound
from pipeline.settings.deciding import deciding_sha256
from pipeline.settings.sections import BeamConfig

# What a runner starts for each worker in its PROCESS environment: one program, without arguments.
BOOT = Path(sys.executable).with_name("casegate-worker")
REACH_S = 5
# A job server answers once its first worker is there, which imports TensorFlow before.
PATIENCE = "--job_server_timeout=600"
IDENTITY = "/casegate.Workers/Identity"
# Under this name a worker is told which code the run has, and which paths it needs.
WANTED = "CASEGATE_WANTED"
# In a job server's jar, which versions it was made of: the file, and the line's beginning.
_OF_BEAM = ("org/apache/beam/sdk/sdk.properties", "version=")
_OF_FLINK = (".flink-runtime.version.properties", "project.version=")


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
    chosen = _portable(beam) if beam.engine == "portable" else _flink(beam, paths)
    scoring = f"--score_from_files={-(-beam.score_from_cases // CASES_PER_SHARD)}"
    return (*chosen, PATIENCE, scoring, *_environment(beam, paths), *beam.pipeline_args)


def _portable(beam: BeamConfig) -> list[str]:
    endpoint = _needed("job_endpoint", beam.job_endpoint, "portable", "the job server's HOST:PORT")
    _refuse_unreachable("job_endpoint", endpoint, "a Beam job server")
    host, _ = split_address(endpoint, "beam.job_endpoint")
    if _is_here(host) and (unfit := unfound(socket.getfqdn())):
        raise ConfigError(f"beam.job_endpoint: workers here {unfit}")
    return ["--runner=PortableRunner", f"--job_endpoint={endpoint}"]


def _flink(beam: BeamConfig, paths: list[Path]) -> list[str]:
    master = _needed("flink_master", beam.flink_master, "flink", "the job manager's HOST:PORT")
    named = _needed("flink_job_server_jar", beam.flink_job_server_jar, "flink", "its file")
    _java()
    _refuse_older_jar(Path(named))
    _refuse_unreachable("flink_master", master, "a Flink job manager")
    _refuse_unfit_cluster(beam, master, Path(named))
    return [
        "--runner=FlinkRunner",
        f"--flink_master=http://{master}",
        f"--flink_job_server_jar={named}",
        f"--parallelism={beam.parallelism}",
        f"--job_name=casegate {platform.node()}:{paths[0]}",
    ]


def _environment(beam: BeamConfig, paths: list[Path]) -> list[str]:
    if beam.environment == "loopback":
        return ["--environment_type=LOOPBACK"]
    # What each worker's machine holds itself to, as this process can ask one pool alone.
    wanted = {WANTED: json.dumps([deciding_sha256(), *map(str, paths)])}
    if beam.environment == "process":
        config = json.dumps({"command": str(BOOT), "env": wanted})
        return ["--environment_type=PROCESS", f"--environment_config={config}"]
    _refuse_unreachable("worker_pool", beam.worker_pool, "a pool of workers")
    _refuse_other_workers(beam.worker_pool, wanted[WANTED])
    config = json.dumps({"url": beam.worker_pool, "params": wanted})
    return ["--environment_type=EXTERNAL", f"--environment_config={config}"]


def _java() -> str:
    path = shutil.which("java")
    if path is None:
        raise ConfigError("beam.engine: flink needs Java, and no `java` is on the path; install it")
    return path


@contextmanager
def job_server(arguments: Sequence[str]) -> Iterator[Sequence[str]]:
    """Beam's arguments, with one job server for all that a run asks of Flink.

    Beam itself would start one for each component, take the interrupt signal for itself, and leave
    all of them where this process is killed. Flink goes on with the jobs of a run that is dead:
    those that are left of this workspace's are cancelled, before and after.
    """
    if "--runner=FlinkRunner" not in arguments:
        yield arguments
        return
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.flink_runner import FlinkJarJobServer

    class Bound(FlinkJarJobServer):
        def subprocess_cmd_and_endpoint(self) -> tuple[list[str], str]:
            (_, *flags), self.endpoint = super().subprocess_cmd_and_endpoint()
            command = [
                sys.executable,
                "-I",
                "-S",
                bound.__file__,
                str(os.getpid()),
                _java(),
                *flags,
            ]
            return command, self.endpoint

    options = PipelineOptions(list(arguments))
    given = options.get_all_options()
    master, name = given["flink_master"].removeprefix("http://"), given["job_name"]
    _cancel_jobs(master, name)
    server = Bound(options)
    server.start()
    try:
        yield [*arguments, f"--job_endpoint={server.endpoint}"]
    finally:
        with suppress(ConfigError):  # what ended the run matters more
            _cancel_jobs(master, name)
        server.stop()


def _cancel_jobs(master: str, name: str) -> None:
    for job in _ask(master, "jobs/overview")["jobs"]:
        if job["name"] == name and job["state"] not in ("FINISHED", "FAILED", "CANCELED"):
            _ask(master, f"jobs/{job['jid']}?mode=cancel", "PATCH")


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


def unfound(host: str) -> str:
    """Why workers here would wait for a job server on `host`; an empty text where they find it.

    Beam's own sends them to the name of its machine, which need not have an address anywhere.
    """
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return f"do not find {host}, where the job server sends them; add it to /etc/hosts"
    return ""


def _refuse_older_jar(path: Path) -> None:
    """A runner is told what an older SDK knows; a newer SDK may ask for what it does not."""
    found, ours = _version(path, *_OF_BEAM), metadata.version("apache-beam")
    if _numbers(found) < _numbers(ours):
        raise ConfigError(
            f"beam.flink_job_server_jar: {path} is of Beam {found}, wanted {ours}, which is "
            "installed here, or newer"
        )


def _version(jar: Path, file: str, beginning: str) -> str:
    try:
        with zipfile.ZipFile(jar) as archive:
            lines = archive.read(file).decode().splitlines()
        return next(line for line in lines if line.startswith(beginning))[len(beginning) :].strip()
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError, StopIteration):
        raise ConfigError(
            f"beam.flink_job_server_jar: {jar} is not a job server of Beam's; take "
            "beam-runners-flink-*-job-server of this Beam's version"
        ) from None


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split("-")[0].split(".") if part.isdecimal()]


def _refuse_unfit_cluster(beam: BeamConfig, master: str, jar: Path) -> None:
    """What Flink would wait for, or start again and again, and say nothing."""
    cluster, managers = _ask(master, "overview"), _ask(master, "taskmanagers")["taskmanagers"]
    theirs, ours = cluster["flink-version"], _version(jar, *_OF_FLINK)
    if _numbers(theirs)[:2] != _numbers(ours)[:2]:
        raise ConfigError(
            f"beam.flink_job_server_jar: {jar} is for Flink {ours}, and {master} is Flink {theirs}"
        )
    if cluster["slots-total"] < beam.parallelism:
        raise ConfigError(
            f"beam.parallelism: got {beam.parallelism}, and the {len(managers)} task managers of "
            f"{master} have {cluster['slots-total']} slots; start more, or ask for less"
        )
    hosts = [urlsplit(each["path"]).hostname or "" for each in managers]
    distant = next((host for host in hosts if not _is_here(host)), None)
    if beam.environment == "loopback" and distant:
        raise ConfigError(
            f"beam.environment: got loopback, which task managers on this machine alone reach, and "
            f"one is on {distant}; start a `casegate worker pool` on each machine and take pool"
        )


def _ask(master: str, what: str, method: str = "GET") -> Any:
    connection = HTTPConnection(master, timeout=REACH_S)
    try:
        connection.request(method, f"/{what}")
        return json.load(connection.getresponse())
    except (OSError, ValueError, HTTPException):
        raise ConfigError(
            f"beam.flink_master: what answers at {master} is no Flink job manager; take the port "
            "of its web interface, rest.port"
        ) from None
    finally:
        connection.close()


def _is_here(host: str) -> bool:
    """Whether an address is one of this machine's."""
    try:
        socket.create_server((host, 0)).close()
    except OSError:
        return False
    return True


def _refuse_other_workers(address: str, wanted: str) -> None:
    """Workers of another version would compute something else, or fail in the middle."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        ask: Callable[..., bytes] = channel.unary_unary(IDENTITY)
        try:
            unfit = ask(wanted.encode(), timeout=REACH_S).decode()
        except grpc.RpcError as error:
            raise ConfigError(
                f"beam.worker_pool: what answers at {address} is no pool of casegate's "
                f"({error.code().name}); start one with `casegate worker pool --bind {address}`"
            ) from None
    if unfit:
        raise ConfigError(f"beam.worker_pool: the workers at {address} {unfit}")
