"""When to retrain: a cron expression, and systemd, cron or this process to keep it."""

from pipeline.unattended.scheduling.cron import Cron, check

__all__ = ["Cron", "check"]
