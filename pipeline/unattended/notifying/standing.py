"""What an operator asks first: who would be told, what went out last, what did not."""

from typing import Any

import filelock

from components.records.errors import ConfigError
from pipeline.settings.config import NotifyConfig
from pipeline.settings.workspace import Workspace
from pipeline.unattended.notifying.channels import makers
from pipeline.unattended.notifying.telling import journal


def standing(config: NotifyConfig, workspace: Workspace, limit: int) -> dict[str, Any]:
    """The channels, the newest `limit` notices that were sent, and every dead letter.

    Raises:
      ConfigError: the files of the workspace cannot be read.
    """
    notes = journal(workspace)
    try:
        sent, dead = notes.sent(), notes.dead()
    except (OSError, filelock.Timeout) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{notes.folder}: cannot be read: {words}") from None
    return {
        "about": list(config.about),
        "channels": _channels(config),
        "sent": sent[-limit:],
        "dead_letters": [
            {
                "channel": letter.channel,
                "delivery": letter.notice.delivery,
                "event": letter.notice.message.kind,
                "failed_at": letter.failed_at,
                "subject": letter.notice.message.subject,
                "reason": letter.reasons[-1] if letter.reasons else "unknown",
            }
            for letter in dead.letters
        ],
        "unreadable": dead.unreadable,
    }


def _channels(config: NotifyConfig) -> dict[str, str]:
    """Where each leads, or what is wrong with it."""
    found = {}
    for name, make in makers(config).items():
        try:
            found[name] = make().where
        except ConfigError as error:
            found[name] = f"unusable: {error}"
    return found
