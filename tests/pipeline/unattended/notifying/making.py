"""Settings that lead to servers of the tests."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.settings.sections import NotifyConfig, SmtpConfig, WebhookConfig
from tests.components.notify.serving import SECRET

SMTP = SmtpConfig(host="127.0.0.1", security="none", sender="a@b.example", to=("c@d.example",))


def hooked(url: str, folder: Path, **given: Any) -> NotifyConfig:
    """A webhook whose secret is in a file."""
    secret = folder / "webhook-secret"
    secret.write_bytes(SECRET + b"\n")
    hook = WebhookConfig(url=url, secret_file=str(secret))
    return replace(NotifyConfig(webhook=hook), **given)


def mailed(port: int, **given: Any) -> NotifyConfig:
    return NotifyConfig(smtp=replace(SMTP, port=port, **given))
