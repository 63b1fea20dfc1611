"""When to retrain: a cron expression, and systemd, cron or this process to keep it."""
