"""A notice given to a program of the operator's own."""

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from components.notify.delivery import TIMEOUT_S, Failure
from components.notify.notice import Notice

# What a program gets of the environment; what casegate knows of secrets is not among it.
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")


@dataclass(frozen=True)
class Command:
    """Attributes:
    arguments: the program and its arguments; no shell reads them.
    """

    arguments: tuple[str, ...]
    name: str = "command"
    timeout_s: float = TIMEOUT_S

    @property
    def where(self) -> str:
        return Path(self.arguments[0]).name  # arguments may hold a token

    def deliver(self, notice: Notice) -> Failure | None:
        """Runs it once with the notice as JSON on its standard input; exit code 0 is success.

        What it writes to standard output is dropped; standard error is this process's own.
        """
        try:
            process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or "no such program"
            return Failure(f"{self.where}: cannot be started: {words}", again=False)
        try:
            process.communicate(notice.body(), timeout=self.timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return Failure(f"{self.where}: did not end within {self.timeout_s:g} s")
        except BaseException:
            _end(process)
            raise
        if process.returncode:
            code = process.returncode
            ending = f"exit code {code}" if code > 0 else f"signal {-code}"
            return Failure(f"{self.where}: ended with {ending}")
        return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kills it and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
