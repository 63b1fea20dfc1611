"""The service that retrains and its timer, as files where systemd finds them.

Only what was put there by `install` is taken away.
"""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.pages.page import text_of
from components.records.errors import ConfigError
from components.records.files import write_atomically, writing_to
from components.records.text import last_line
from pipeline.unattended.scheduling.cron import Cron
from pipeline.unattended.scheduling.job import ScheduledJob, mark

_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+-]+")
DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def on_calendar(cron: Cron) -> list[str]:
    """The values of OnCalendar= that together come when the expression does.

    systemd wants a day to fit both the weekday and the date. Where cron takes either, that is two
    values, of which a timer takes whichever comes first.
    """
    date = f"*-{_listed(cron.months, 1, 12)}-"
    days = _listed(cron.days, 1, 31)
    time = f"{_listed(cron.hours, 0, 23)}:{_listed(cron.minutes, 0, 59)}:00 UTC"
    weekdays = ",".join(DAYS[day] for day in sorted(cron.weekdays)) + " "
    if len(cron.weekdays) == len(DAYS):
        weekdays = ""
    if not cron.either_day:
        return [f"{weekdays}{date}{days} {time}"]
    if not weekdays or days == "*":  # one of the two fits every day
        return [f"{date}* {time}"]
    return [f"{date}{days} {time}", f"{weekdays}{date}* {time}"]


def _listed(numbers: Set[int], lowest: int, highest: int) -> str:
    if len(numbers) == highest - lowest + 1:
        return "*"
    return ",".join(f"{number:02d}" for number in sorted(numbers))


def systemd_plain(text: str | Path) -> str:
    """The rest of a line that systemd takes as it is, but for its specifiers."""
    return str(text).replace("%", "%%")


def systemd_word(word: str | Path) -> str:
    """One word of a list, in quotes where it needs them."""
    word = str(word)
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{systemd_plain(escaped)}"'


def systemd_command(words: Sequence[str]) -> str:
    """The value of ExecStart=.

    A dollar is doubled in arguments. In the program's own path it is not read as a variable, and
    doubled it would stay so: there, `env` starts the program.
    """
    program, *arguments = words
    if "$" in program:
        program, arguments = "/usr/bin/env", list(words)
    quoted = [systemd_word(word).replace("$", "$$") for word in arguments]
    return " ".join([systemd_word(program), *quoted])


# What may come after a retraining was ended for lasting too long: telling a person, pruning.
AFTER_TIMEOUT_MINUTES = 30
STOP_SECONDS = 180  # the run's own grace, then notices over channels that do not answer
# The run is ended at its limit, and said to have been; the system's limit is there in case that is
# too slow, and so lies above it.
MEMORY_SPARE_GIB = 1.0
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108, what PrivateTmp= replaces


def service(job: ScheduledJob, *, user: str | None = None) -> str:
    """The service's file.

    Args:
      user: whose account it runs under; None for the one whose systemd it is.

    GPUs stay usable: nothing in it hides or limits devices. Nor is a capability dropped, which a
    user's own systemd may not do.
    """
    data = job.folder / job.config.data.source
    paths = (job.program, job.config_path, job.folder, data, *job.written)
    return _unit_file(
        "casegate.service.j2",
        job,
        user=user,
        folder=systemd_plain(job.folder),
        writable=" ".join(map(systemd_word, job.written)),
        command=systemd_command(job.command("retrain", "--trigger", "schedule")),
        limits=job.config.retraining,
        after_timeout_minutes=AFTER_TIMEOUT_MINUTES,
        stop_seconds=STOP_SECONDS,
        memory_spare_gib=MEMORY_SPARE_GIB,
        private_tmp=not any(path.is_relative_to(tmp) for path in paths for tmp in TEMPORARY),
    )


def timer(job: ScheduledJob) -> str:
    """The timer's file; a time that was missed is made up for once."""
    return _unit_file("casegate.timer.j2", job, calendar=on_calendar(job.cron))


def _unit_file(template: str, job: ScheduledJob, **given: Any) -> str:
    workspace = systemd_plain(job.workspace)
    return text_of(Path(__file__).with_name(template), job=job, workspace=workspace, **given) + "\n"


SYSTEM_CONFIG = Path("/etc")
SYSTEM_FOLDER = SYSTEM_CONFIG / "systemd" / "system"
LINGERING = Path("/var/lib/systemd/linger")
Run = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class UnitPlace:
    """Attributes:
    scope: user or system; which systemd is asked.
    known: whether that systemd looks into the folder, so that there is something to enable.
    """

    scope: str
    folder: Path
    known: bool = True

    def secrets(self, name: str) -> Path:
        """The file of variables that the service is given."""
        config = SYSTEM_CONFIG if self.scope == "system" else _user_config()
        return config / "casegate" / f"{name}.env"

    def systemctl(self, *words: str) -> list[str]:
        return ["systemctl", *(["--user"] if self.scope == "user" else []), *words]


def user_place() -> UnitPlace:
    return UnitPlace("user", _user_config() / "systemd" / "user")


def system_place() -> UnitPlace:
    return UnitPlace("system", SYSTEM_FOLDER)


def _user_config() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """What a program said; its failure is the caller's to judge.

    Raises:
      ConfigError: it is not there or does not end.
    """
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{command[0]}: cannot be run: {type(error).__name__}") from None


def unit_files(job: ScheduledJob, place: UnitPlace) -> dict[Path, str]:
    user = _owner(job.workspace) if place.scope == "system" else None
    return {
        place.folder / f"{job.unit}.service": service(job, user=user),
        place.folder / f"{job.unit}.timer": timer(job),
    }


def install(job: ScheduledJob, place: UnitPlace, *, run: Run = run) -> list[str]:
    """Writes the files and has systemd enable the timer.

    Returns:
      What was done, a line each, and what is left to do by hand where systemd does not run.

    Raises:
      ConfigError: the files are another workspace's or somebody else's, or cannot be written, or
        systemd runs and refuses them.
    """
    files = unit_files(job, place)
    for path in files:
        if path.exists() and not is_ours(path, job.mark):
            raise ConfigError(
                f"{path}: written by somebody else or for another workspace; choose another --name"
            )
    done = []
    with writing_to(place.folder, "; choose --user, or a --directory that can be", named=True):
        for folder in job.written:
            _make(folder)  # systemd does not start a service that writes to what is not there
        for path, text in files.items():
            same = path.exists() and path.read_text(encoding="utf-8") == text
            if not same:
                write_atomically(path, text.encode())
            done.append(f"{'unchanged' if same else 'wrote'} {path}")
    return [*done, *_enable(job, place, run)]


def remove(name: str, workspace: Path, place: UnitPlace, *, run: Run = run) -> list[str]:
    """Disables the timer and removes its two files, if they are this workspace's.

    Returns:
      What was done, a line each; empty where nothing was there.
    """
    timer_path = place.folder / f"casegate-{name}.timer"
    paths = [timer_path, timer_path.with_suffix(".service")]
    found = [path for path in paths if is_ours(path, mark(name, workspace))]
    if not found:
        return []
    done = []
    if place.known and _answers(place, run):
        ended = run(place.systemctl("disable", "--now", timer_path.name))
        if ended.returncode:
            done.append(f"could not be disabled: {last_line(ended.stderr)}")
    try:
        for path in found:
            path.unlink()
            done.append(f"removed {path}")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be removed: {error.strerror}") from None
    if place.known and _answers(place, run):
        run(place.systemctl("daemon-reload"))
    return done


def is_active(name: str, place: UnitPlace, *, run: Run = run) -> bool | None:
    """Whether systemd waits for the timer; None where systemd does not run."""
    if not place.known or not _answers(place, run):
        return None
    return run(place.systemctl("is-active", "--quiet", f"casegate-{name}.timer")).returncode == 0


def is_ours(path: Path, mark: str) -> bool:
    """Whether `install` wrote the file for this workspace."""
    try:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        return False
    return first.startswith(f"# {mark}:")


def _enable(job: ScheduledJob, place: UnitPlace, run: Run) -> list[str]:
    commands = [
        place.systemctl("daemon-reload"),
        place.systemctl("enable", "--now", f"{job.unit}.timer"),
    ]
    by_hand = " && ".join(" ".join(command) for command in commands)
    if not place.known:
        where = f"copy both files to a folder of systemd's, then {by_hand}"
        return [f"not enabled, because systemd does not look into {place.folder}: {where}"]
    if not _answers(place, run):
        return [f"not enabled, because systemd does not run here; where it does: {by_hand}"]
    for command in commands:
        ended = run(command)
        if ended.returncode:
            raise ConfigError(f"{' '.join(command)}: {last_line(ended.stderr)}")
    return ["enabled", *_lingering(place)]


def _lingering(place: UnitPlace) -> list[str]:
    """A user's systemd ends when they log out, unless told otherwise."""
    name = pwd.getpwuid(os.getuid()).pw_name
    if place.scope == "system" or (LINGERING / name).exists():
        return []
    return [f"it runs only while {name} is logged in; for always: loginctl enable-linger {name}"]


def _answers(place: UnitPlace, run: Run) -> bool:
    """Whether that systemd runs and takes commands."""
    if shutil.which("systemctl") is None:
        return False
    return run(place.systemctl("show", "--property=Version")).returncode == 0


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _make(folder: Path) -> None:
    """Makes the folder and its parents, for whoever owns the place where it is."""
    owner = _existing(folder).stat()
    for path in reversed((folder, *folder.parents)):
        if not path.exists():
            path.mkdir()
            if os.geteuid() == 0:
                os.chown(path, owner.st_uid, owner.st_gid)


def _owner(workspace: Path) -> str:
    """Who retrains under the system's systemd: the workspace's owner, not root by accident."""
    existing = _existing(workspace)
    try:
        return existing.owner()
    except KeyError:  # an account that this machine does not know
        return str(existing.stat().st_uid)
