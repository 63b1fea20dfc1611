"""One marked line in the user's crontab; every other byte of it stays as it is.

Cron knows neither UTC nor missed times. So its line only asks, every few minutes, whether a
retraining is due: that question is the same as the foreground loop's, with the same answer.
"""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from components.records.errors import ConfigError
from pipeline.unattended.scheduling.job import ScheduledJob, mark

EVERY = "*/5 * * * *"
LONGEST_LINE = 990  # cron itself takes no command of 1,000 bytes or more


def line(job: ScheduledJob) -> str:
    """The line, without its end; ConfigError where a crontab cannot hold it."""
    command = job.command("schedule", "run", "--once")
    return f"{EVERY} {cron_command(command, folder=str(job.folder), remark=job.mark)}"


def install(job: ScheduledJob) -> list[str]:
    """Adds the line, or puts it where an older one of this workspace is.

    Raises:
      ConfigError: the name is another workspace's, or there is no crontab to be had.
    """
    wanted = line(job).encode() + b"\n"
    before = _read()
    lines = before.splitlines(keepends=True)
    same_name = f" # casegate-{job.name} ".encode()
    if any(same_name in each and not _has(each, job.mark) for each in lines):
        words = f"crontab: it has a line casegate-{job.name} already; choose another --name"
        raise ConfigError(words)
    ours = [number for number, each in enumerate(lines) if _has(each, job.mark)]
    kept = [each for number, each in enumerate(lines) if number not in ours]
    kept.insert(ours[0] if ours else len(kept), wanted)
    after = b"".join(kept)
    if after == before:
        return ["unchanged: the crontab has the line"]
    _write(after)
    return ["wrote a line of the crontab, which asks every five minutes whether one is due"]


def remove(name: str, workspace: Path) -> list[str]:
    """Takes the line out, if there is one.

    Raises:
      ConfigError: the crontab cannot be read or written.
    """
    if not is_installed(name, workspace):
        return []
    lines = _read().splitlines(keepends=True)
    _write(b"".join(each for each in lines if not _has(each, mark(name, workspace))))
    return ["removed the line of the crontab"]


def is_installed(name: str, workspace: Path) -> bool:
    if shutil.which("crontab") is None:
        return False
    return any(_has(each, mark(name, workspace)) for each in _read().splitlines())


def has(line: str) -> bool:
    """Whether the crontab has this very line."""
    return line.encode() in _read().splitlines()


def _has(each: bytes, mark: str) -> bool:
    return each.rstrip(b"\r\n").endswith(b" # " + mark.encode()) and not each.startswith(b"#")


def _read() -> bytes:
    """The crontab's bytes; none where there is no crontab yet."""
    ended = _crontab("-l")
    if ended.returncode == 0:
        return ended.stdout
    words = ended.stderr.decode(errors="replace").strip()
    if words.startswith("no crontab for"):
        return b""
    raise ConfigError(f"crontab -l: {words or 'it gave no reason'}")


def _write(content: bytes) -> None:
    ended = _crontab("-", content)
    if ended.returncode:
        words = " ".join(ended.stderr.decode(errors="replace").split())
        raise ConfigError(f"crontab -: {words or 'it gave no reason'}")
    if _read() != content:
        raise ConfigError("crontab: it does not hold what was written; look at `crontab -l`")


def _crontab(argument: str, content: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(["crontab", argument], input=content, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"crontab: cannot be run: {type(error).__name__}; install cron, or use --systemd or "
            "`casegate schedule run`"
        ) from None


def cron_command(words: Sequence[str], *, folder: str, remark: str) -> str:
    """The command of a crontab's line, run in `folder`.

    Raises:
      ConfigError: cron would not run it as it is meant.
    """
    for word in (folder, *words):
        if "\\" in word:  # crons differ in what becomes of it
            raise ConfigError(
                f"{word!r}: got a backslash, which a crontab cannot hold; use systemd"
            )
    command = f"cd {shlex.quote(folder)} && exec {shlex.join(words)} # {remark}"
    escaped = command.replace("%", "\\%")
    if len(escaped.encode()) > LONGEST_LINE:
        raise ConfigError(
            f"crontab: got a line of {len(escaped.encode())} bytes, wanted at most {LONGEST_LINE}; "
            "use shorter paths, put settings into the file, or use systemd"
        )
    return escaped
