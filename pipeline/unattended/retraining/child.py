"""One run as a process of its own: watched, bounded in time and memory, and ended as a whole.

Training can hang, leak or be killed by the system; whoever supervises it must survive that, so it
shares no process with it. The child gets a session of its own, so that all it starts can be ended
with it.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from components.records.errors import CasegateError
from components.records.problems import parse_json_line
from components.records.text import printable
from pipeline.run import bound

HIDDEN = "[secret]"
GRACE_S = 10.0  # between asking a child to end and killing it
SAMPLE_S = 0.5  # between two looks at time and memory
LAST_READS = 32  # of 64 KiB: more than a pipe holds, and an end to what a grandchild writes


class Lines:
    """Cuts what a child writes to standard error into lines, for a log and for a person.

    Without secrets. An error written as an object is kept as `error`, and not shown to the person.
    """

    def __init__(self, log: Path, say: Callable[[str], None], secrets: Sequence[str]) -> None:
        self.last = ""  # line that was not empty
        self.error: CasegateError | None = None
        self._say = say
        self._secrets = [*secrets, *(json.dumps(secret)[1:-1] for secret in secrets)]
        self._rest = b""
        self._log: IO[str] | None = log.open("a", encoding="utf-8")

    def take(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._take_line(line)

    def close(self) -> None:
        if self._rest:
            self._take_line(self._rest)
            self._rest = b""
        self._close_log()

    def _close_log(self) -> None:
        if self._log:
            with contextlib.suppress(OSError):
                self._log.close()
            self._log = None

    def _take_line(self, raw: bytes) -> None:
        line = raw.decode("utf-8", errors="replace")
        error = parse_json_line(line)
        # What a library writes must not move a person's cursor.
        text = printable(self._without_secrets(line)).rstrip()
        if not text:
            return
        self.last = text.strip()
        if error is None:
            self._say(text)
        else:
            self.error = type(error)(self._without_secrets(str(error)))
        if self._log:
            try:
                self._log.write(text + "\n")
                self._log.flush()
            except OSError:  # a full disk: the run matters more than its log
                self._close_log()

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


@dataclass(frozen=True)
class Ended:
    """What became of a child.

    Attributes:
      exit_code: None where a signal ended it.
      stopped: why its supervisor ended it; None where it ended by itself.
      error: the last error it said there as an object.
    """

    exit_code: int | None
    signal: int | None
    stopped: str | None
    stdout: str
    last_words: str
    seconds: float
    error: CasegateError | None = None


def supervise(
    command: Sequence[str],
    *,
    seconds: float,
    memory_gib: float | None,
    environment: Mapping[str, str],
    log: Path,
    say: Callable[[str], None],
    secrets: Iterable[str] = (),
    grace_s: float = GRACE_S,
) -> Ended:
    """Runs a program to its end, or to its limits; nothing of it is left when this returns.

    Args:
      seconds: how long it may last.
      memory_gib: what it and all it started may hold together; None for no limit.
      log: gets each line of its standard error.
      secrets: left out of all that.

    Raises:
      OSError: the program cannot be started.
      KeyboardInterrupt: as it came; the child is ended first.
    """
    begun = time.monotonic()
    lines = Lines(log, say, tuple(secrets))
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", bound.__file__, str(os.getpid()), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        start_new_session=True,
    )
    try:
        stdout, stopped = _watch(process, seconds, memory_gib, lines)
    finally:
        _end(process, grace_s)
        lines.close()
    status = process.returncode
    return Ended(
        exit_code=status if status >= 0 else None,
        signal=-status if status < 0 else None,
        stopped=stopped,
        stdout=stdout,
        last_words=lines.last,
        seconds=round(time.monotonic() - begun, 3),
        error=lines.error,
    )


def _watch(
    process: "subprocess.Popen[bytes]", seconds: float, memory_gib: float | None, lines: Lines
) -> tuple[str, str | None]:
    """What it wrote to standard output, and why it has to be ended, if it has to."""
    output = bytearray()
    begun = looked = time.monotonic()
    with selectors.DefaultSelector() as pipes:
        for pipe, take in ((process.stdout, output.extend), (process.stderr, lines.take)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            pipes.register(pipe, selectors.EVENT_READ, take)
        ended, stopped = False, None
        while not ended and stopped is None:
            ended = _has_ended(process)
            _read(pipes, 0 if ended else SAMPLE_S)
            now = time.monotonic()
            if ended:
                for _ in range(LAST_READS):
                    _read(pipes, 0)
            elif now - begun > seconds:
                words = f"{seconds / 60:.0f} minutes" if seconds >= 60 else f"{seconds:.3g} seconds"
                stopped = f"took longer than {words}"
            elif now - looked >= SAMPLE_S and memory_gib is not None:
                looked = now
                if memory_bytes(process.pid) > memory_gib * 2**30:
                    stopped = f"needed more than {memory_gib:g} GiB of memory"
    return output.decode("utf-8", errors="replace"), stopped


def memory_bytes(pid: int) -> int:
    """What a process and all it started hold in memory; what they share counts more than once."""
    import psutil

    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += each.memory_info().rss
    return total


def _read(pipes: selectors.BaseSelector, patience_s: float) -> None:
    """Takes a piece of what is there, after waiting for the first of it."""
    if not pipes.get_map():  # it closed its output; it may live on
        time.sleep(min(patience_s, 0.05))
    for key, _ in pipes.select(patience_s) if pipes.get_map() else ():
        piece = os.read(key.fd, 1 << 16)
        if piece:
            key.data(piece)
        else:
            pipes.unregister(key.fileobj)


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    """Without taking note of it: the group keeps its name until it has been ended."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, options) is not None


def _end(process: "subprocess.Popen[bytes]", grace_s: float) -> None:
    """Asks the whole group to end, and kills what has not ended after the grace."""
    if not _has_ended(process):
        _signal_group(process, signal.SIGTERM)
        end = time.monotonic() + grace_s
        while time.monotonic() < end and not _has_ended(process):
            time.sleep(0.05)
    _signal_group(process, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
