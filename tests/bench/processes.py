"""Each figure comes from a fresh process: what it took, and what it said."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.records.errors import CasegateError
from pipeline.settings.config import REPOSITORY

LAST_LINES = 3


class MeasurementFailed(CasegateError):
    pass


@dataclass(frozen=True)
class Finished:
    """Attributes:
    seconds: wall time from before the process started until it had ended.
    peak_mib: its largest resident set.
    stderr: its lines.
    """

    seconds: float
    peak_mib: float
    stdout: str
    stderr: tuple[str, ...]

    def last_json(self) -> Any:
        """What the process reported: the last line of its standard output."""
        return json.loads(self.stdout.splitlines()[-1])


def run_fresh(
    command: Sequence[str],
    *,
    allowed: Sequence[int] = (0,),
    on_line: Callable[[str], None] = lambda line: None,
    folder: Path = REPOSITORY,
) -> Finished:
    """Runs a command to its end, in `folder`.

    Args:
      allowed: exit codes after which the figure counts.
      on_line: told of each line of standard error as it comes.

    Raises:
      MeasurementFailed: another exit code.
    """
    lines = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        start = time.monotonic()
        with subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=folder,
            env=environment(),
        ) as process:
            try:
                for line in process.stderr or ():
                    lines.append(line.rstrip("\n"))
                    on_line(lines[-1])
                # Unlike getrusage, which knows only the largest of all children so far.
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                raise
            seconds = time.monotonic() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        finished = Finished(seconds, usage.ru_maxrss / 1024, output.read(), tuple(lines))
    if process.returncode not in allowed:
        said = " | ".join(line.strip() for line in lines[-LAST_LINES:]) or "nothing"
        raise MeasurementFailed(
            f"{' '.join(map(str, command))}: got exit code {process.returncode}, wanted "
            f"{' or '.join(map(str, allowed))}; it said: {said}; run it by hand"
        )
    return finished


def environment() -> dict[str, str]:
    """This process's own, with byte code allowed: without it imports take three times as long."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def casegate(*arguments: str) -> list[str]:
    """The installed command, beside the Python that runs this."""
    return [str(Path(sys.executable).with_name("casegate")), *arguments]


def use_cores(count: int) -> int:
    """Keeps this process and its children on `count` cores; how many it got."""
    mine = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, mine)
    return len(mine)
