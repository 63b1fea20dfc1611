"""The text of the two unit files: a service that retrains once, and the timer that starts it."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.unattended.scheduling.calendar import on_calendar
from pipeline.unattended.scheduling.job import ScheduledJob
from pipeline.unattended.scheduling.quoting import systemd_command, systemd_plain, systemd_word

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

    GPUs stay usable: nothing here hides or limits devices. Nor is a capability dropped, which a
    user's own systemd may not do.
    """
    limits = job.config.retraining
    lines = [
        _head(job),
        "[Unit]",
        f"Description=casegate: retrains {systemd_plain(str(job.workspace))}",
        "Wants=network-online.target" if user else "",
        "After=network-online.target" if user else "",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={user}" if user else "",
        f"WorkingDirectory={systemd_plain(str(job.folder))}",
        f"ExecStart={systemd_command(job.command('retrain', '--trigger', 'schedule'))}",
        "# Secrets and the like, NAME=VALUE a line; readable by its owner alone.",
        f"EnvironmentFile=-%E/casegate/{job.name}.env",
        "CacheDirectory=casegate",
        "Environment=CASEGATE_CACHE=%C/casegate",
        f"TimeoutStartSec={limits.timeout_minutes + AFTER_TIMEOUT_MINUTES}min",
        f"TimeoutStopSec={STOP_SECONDS}s",
        "# Only the supervisor is told to end: it ends the run, closes its record, tells a person.",
        "KillMode=mixed",
        _memory(limits.memory_gib),
        "OOMPolicy=continue",
        "Nice=10",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        f"ReadWritePaths={' '.join(systemd_word(str(path)) for path in job.written)}",
        "" if _in_temporary(_paths(job)) else "PrivateTmp=yes",
        "ProtectControlGroups=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "SystemCallArchitectures=native",
    ]
    return _text(lines)


def timer(job: ScheduledJob) -> str:
    """The timer's file; a time that was missed is made up for once."""
    calendar = [f"OnCalendar={value}" for value in on_calendar(job.cron)]
    lines = [
        _head(job),
        "[Unit]",
        f"Description=casegate: when to retrain {systemd_plain(str(job.workspace))}",
        "",
        "[Timer]",
        f"# {job.cron.expression}",
        *calendar,
        "Persistent=true",
        "AccuracySec=1s",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return _text(lines)


def _head(job: ScheduledJob) -> str:
    return f"# {job.mark}: by `casegate schedule install`, which overwrites what is changed here."


def _memory(gib: float | None) -> str:
    if gib is None:
        return ""
    return f"MemoryMax={round((gib + MEMORY_SPARE_GIB) * 1024)}M"


def _paths(job: ScheduledJob) -> Iterable[Path]:
    yield from (job.program, job.config_path, job.folder, *job.written)
    yield job.folder / job.config.data.source


def _in_temporary(paths: Iterable[Path]) -> bool:
    """Whether a private /tmp would hide any of them."""
    return any(path.is_relative_to(folder) for path in paths for folder in TEMPORARY)


def _text(lines: list[str]) -> str:
    """The lines without those that do not apply, a blank one before each section."""
    kept = "\n".join(line for line in lines if line)
    return kept.replace("\n[", "\n\n[") + "\n"
