"""A cluster of Flink's on loopback, of the jars that PyPI has and the settings that are shipped."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.e2e.processes import wait_until
from tests.foreign import needs
from tests.servers.databases import free_port

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "deploy" / "flink"
LIBRARIES = ROOT / "build" / "flink" / "pyflink"
JOB_SERVER = "CASEGATE_FLINK_JOB_SERVER"
_RUNTIME = "org.apache.flink.runtime"
_MANAGER = f"{_RUNTIME}.entrypoint.StandaloneSessionClusterEntrypoint"
_WORKER = f"{_RUNTIME}.taskexecutor.TaskManagerRunner"


def job_server_jar() -> str:
    """Beam's job server; skips the test, saying what is missing, where anything is."""
    needs("java", "Debian's package default-jre-headless")
    named = os.environ.get(JOB_SERVER, "")
    if not Path(named).is_file():
        pytest.skip(f"{JOB_SERVER} names no file: take beam-runners-flink-1.19-job-server's jar")
    if not LIBRARIES.is_dir():
        pytest.skip("no build/flink: `make test-flink` installs Flink's jars there")
    return named


class Cluster:
    """Attributes:
    master: HOST:PORT of the job manager's web interface.
    task_managers: one process each.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._web, self._rpc = free_port(), free_port()
        self.master = f"127.0.0.1:{self._web}"
        self.manager = self._start(_MANAGER, "JM", "manager")
        self.task_managers = [self._start(_WORKER, "TM", f"worker{n}") for n in range(2)]
        wait_until(self._is_whole, self.manager, folder / "manager.log")

    def ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"http://{self.master}/{what}", timeout=30) as answer:
            return json.load(answer)

    def tasks(self, state: str) -> dict[str, int]:
        """How many tasks of each job, in order, are in this state."""
        jobs = sorted(self.ask("jobs/overview")["jobs"], key=lambda job: job["start-time"])
        return {job["jid"]: job["tasks"][state] for job in jobs}

    def log(self) -> str:
        """The job manager's."""
        return (self._folder / "manager.log").read_text()

    def stop(self) -> None:
        for process in (*self.task_managers, self.manager):
            process.kill()
            process.wait()

    def _is_whole(self) -> bool:
        try:
            return bool(self.ask("overview")["taskmanagers"] == 2)
        except OSError:
            return False

    def _start(self, main: str, kind: str, name: str) -> subprocess.Popen[bytes]:
        """What Flink's own scripts do, which are not among the jars."""
        jars = ":".join(map(str, sorted((LIBRARIES / "lib").glob("*.jar"))))
        own = self._own(name)
        sizes, *dynamic = _java_utils(f"GET_{kind}_RESOURCE_PARAMS", jars, own)
        opened = yaml.safe_load((CONFIGURATION / "config.yaml").read_text())["env.java.opts.all"]
        flags = [*sizes.split(), *opened.split(), "-Dorg.apache.logging.log4j.level=INFO"]
        command = ["java", *flags, "-cp", jars, main, "--configDir", str(CONFIGURATION)]
        with (self._folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                [*command, *" ".join(dynamic).split(), *own], stdout=log, stderr=subprocess.STDOUT
            )

    def _own(self, name: str) -> list[str]:
        """What differs from cluster to cluster; all else is as shipped."""
        given = {
            "rest.address": "127.0.0.1",
            "rest.bind-address": "127.0.0.1",
            "rest.port": self._web,
            "jobmanager.rpc.port": self._rpc,
            "taskmanager.host": "127.0.0.1",
            "taskmanager.resource-id": name,
            "io.tmp.dirs": self._folder,
        }
        return [f"-D{key}={value}" for key, value in given.items()]


def _java_utils(what: str, jars: str, own: Sequence[str]) -> list[str]:
    classes = f"{LIBRARIES / 'bin' / 'bash-java-utils.jar'}:{jars}"
    program = f"{_RUNTIME}.util.bash.BashJavaUtils"
    command = ["java", "-cp", classes, program, what, "--configDir", str(CONFIGURATION), *own]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    marked = "BASH_JAVA_UTILS_EXEC_RESULT:"
    return [
        line.removeprefix(marked) for line in done.stdout.splitlines() if line.startswith(marked)
    ]


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A job manager and two task managers."""
    started = Cluster(folder)
    try:
        yield started
    finally:
        started.stop()


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)
