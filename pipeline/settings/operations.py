"""The settings of what happens around a run: CI, retraining, monitoring, feedback, being told.

Nothing here changes what a run computes, so none of it is part of a run's fingerprint.
"""

from dataclasses import dataclass, field
from pathlib import Path

# What a person can be told of, in the order of docs/operator.md.
NOTICES = ("released", "blocked", "inconclusive", "failed", "drift", "nothing_new")
SECURITIES = ("none", "starttls", "tls")


@dataclass(frozen=True)
class RetrainingConfig:
    """Attributes:
    timeout_minutes: a retraining that lasts longer is ended, and not tried again.
    memory_gib: one that needs more is ended; null leaves it to the machine.
    free_disk_gib: less than this free in the workspace, and none is started.
    retries: how often one that ended by an internal error or a signal is tried again.
    retry_wait_seconds: before the first retry; doubled before each further one.
    """

    timeout_minutes: int = 720
    memory_gib: float | None = None
    free_disk_gib: float = 5.0
    retries: int = 2
    retry_wait_seconds: int = 60


@dataclass(frozen=True)
class RetentionConfig:
    """Attributes:
    keep_runs: the newest runs, whose intermediate files stay whatever their age.
    keep_days: how long those of older runs stay.
    """

    keep_runs: int = 10
    keep_days: int = 30


@dataclass(frozen=True)
class ScheduleConfig:
    """Attributes:
    cron: when to retrain, five fields, in UTC.
    """

    cron: str = "0 3 * * 1"


@dataclass(frozen=True)
class WebhookConfig:
    """Attributes:
    url: where a notice is posted as JSON; null posts none.
    secret_file: file with the secret that signs it; null takes CASEGATE_WEBHOOK_SECRET.
    """

    url: str | None = None
    secret_file: str | None = None


@dataclass(frozen=True)
class SmtpConfig:
    """Attributes:
    host: the mail server; null sends no mail.
    security: none, starttls or tls.
    password_file: file with the password; null takes CASEGATE_SMTP_PASSWORD.
    """

    host: str | None = None
    port: int = 25
    security: str = "starttls"
    user: str | None = None
    password_file: str | None = None
    sender: str = "casegate@localhost"
    to: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotifyConfig:
    """Attributes:
    about: of what a person is told.
    command: program and arguments that get the notice as JSON on their standard input.
    retries: how often a failed delivery is tried again, with growing pauses.
    repeat_after_minutes: how soon the same notice may be sent again.
    """

    about: tuple[str, ...] = NOTICES
    command: tuple[str, ...] = ()
    retries: int = 3
    repeat_after_minutes: int = 60
    webhook: WebhookConfig = field(default_factory=WebhookConfig)
    smtp: SmtpConfig = field(default_factory=SmtpConfig)


@dataclass(frozen=True)
class MonitoringConfig:
    """Attributes:
    log: file or folder of prediction logs; null takes `predictions/` in the workspace.
    alpha: how often a report on undrifted cases may raise a false alarm, in (0, 0.5).
    min_cases: with fewer in a window, the answer is that there are not enough data.
    window_days: length of the window that is judged, counted back from the newest prediction.
    malformed_lines: how many unusable lines of a log are tolerated, and listed.
    retrain: whether a breach starts a retraining.
    cooldown_days: how long after one the next breach starts none.
    """

    log: str | None = None
    alpha: float = 0.01
    min_cases: int = 200
    window_days: int = 7
    malformed_lines: int = 0
    retrain: bool = False
    cooldown_days: int = 7


@dataclass(frozen=True)
class FeedbackConfig:
    """Attributes:
    readers: how many readers have to agree before a case counts as adjudicated.
    requests_per_minute: what one client may send to the endpoint.
    max_bytes: largest body of a request.
    """

    readers: int = 2
    requests_per_minute: int = 60
    max_bytes: int = 1_000_000


@dataclass(frozen=True)
class CiConfig:
    """Attributes:
    source: where the images of the development case set come from.
    baseline: the folder of the baselines that judges commits; null judges them on the locked set.
    directory: the folder that holds baselines; null takes the one shipped here.
    registry: folder, or s3:// or gs:// address, with what is released; null reads only baselines.
    docs, data, judging: patterns of changed paths (`*` within a folder, `**` across folders) that
      need nothing, a full run, and only judging anew; what fits none of them needs a full run.
    """

    source: str | None = None
    baseline: str | None = None
    directory: str | None = None
    registry: str | None = None
    docs: tuple[str, ...] = ("**/*.md", "docs/**", "LICENSE", ".gitignore")
    data: tuple[str, ...] = ("data/**",)
    judging: tuple[str, ...] = ("baselines/**",)


Rule = tuple[str, object, bool, str]  # a setting's name, what it is, whether it may be, what may


def retraining_rules(config: RetrainingConfig) -> list[Rule]:
    memory = config.memory_gib
    return [
        _at_least("retraining.timeout_minutes", config.timeout_minutes, 1),
        (
            "retraining.memory_gib",
            memory,
            memory is None or memory > 0,
            "above 0, or null",
        ),
        _at_least("retraining.free_disk_gib", config.free_disk_gib, 0),
        ("retraining.retries", config.retries, 0 <= config.retries <= 10, "0 to 10"),
        _at_least("retraining.retry_wait_seconds", config.retry_wait_seconds, 0),
    ]


def retention_rules(config: RetentionConfig) -> list[Rule]:
    return [
        _at_least("retention.keep_runs", config.keep_runs, 1),
        _at_least("retention.keep_days", config.keep_days, 0),
    ]


def notify_rules(config: NotifyConfig) -> list[Rule]:
    smtp, url = config.smtp, config.webhook.url
    unknown = sorted(set(config.about) - set(NOTICES))
    return [
        ("notify.about", unknown or config.about, not unknown, f"some of {', '.join(NOTICES)}"),
        ("notify.retries", config.retries, 0 <= config.retries <= 10, "0 to 10"),
        _at_least("notify.repeat_after_minutes", config.repeat_after_minutes, 0),
        (
            "notify.webhook.url",
            url,
            url is None or url.startswith(("https://", "http://")),
            "an http:// or https:// address, or null",
        ),
        ("notify.smtp.port", smtp.port, 1 <= smtp.port <= 65535, "1 to 65535"),
        (
            "notify.smtp.security",
            smtp.security,
            smtp.security in SECURITIES,
            ", ".join(SECURITIES),
        ),
        ("notify.smtp.to", smtp.to, smtp.host is None or bool(smtp.to), "at least one address"),
    ]


def monitoring_rules(config: MonitoringConfig) -> list[Rule]:
    return [
        ("monitoring.alpha", config.alpha, 0 < config.alpha < 0.5, "above 0 and below 0.5"),
        _at_least("monitoring.min_cases", config.min_cases, 30),
        _at_least("monitoring.window_days", config.window_days, 1),
        _at_least("monitoring.malformed_lines", config.malformed_lines, 0),
        _at_least("monitoring.cooldown_days", config.cooldown_days, 0),
    ]


def feedback_rules(config: FeedbackConfig) -> list[Rule]:
    return [
        _at_least("feedback.readers", config.readers, 1),
        _at_least("feedback.requests_per_minute", config.requests_per_minute, 1),
        _at_least("feedback.max_bytes", config.max_bytes, 1000),
    ]


def ci_rules(config: CiConfig) -> list[Rule]:
    name = config.baseline
    return [
        (
            "ci.baseline",
            name,
            name is None or (bool(name) and name == Path(name).name and not name.startswith(".")),
            "a plain folder name or null",
        )
    ]


def _at_least(name: str, got: float, least: float) -> Rule:
    return name, got, got >= least, f"at least {least:g}"
