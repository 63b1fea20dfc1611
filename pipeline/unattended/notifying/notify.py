"""Delivers a message on every channel; what cannot be delivered is kept and can be sent later.

Being told is never worth a release: nothing here raises where a delivery fails, and all of it ends
in bounded time.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import filelock

from components.notify.delivery import Channel, Delivery, deliver
from components.notify.journal import DeadLetter, NoticeJournal
from components.notify.notice import Message, Notice
from components.records.clock import current_time
from components.records.errors import ConfigError
from pipeline.settings.sections import NotifyConfig
from pipeline.settings.workspace import Workspace
from pipeline.unattended.notifying.channels import makers

# What happens to the files when the disk is full or another process holds them for long.
UNUSABLE = (OSError, filelock.Timeout)
Sleep = Callable[[float], None]


def journal(workspace: Workspace) -> NoticeJournal:
    """What was sent, and what could not be, of this workspace."""
    return NoticeJournal(workspace.root / "notices")


def tell(
    config: NotifyConfig,
    workspace: Workspace,
    message: Message,
    *,
    sleep: Sleep = time.sleep,
    now: datetime | None = None,
) -> tuple[Delivery, ...]:
    """Tells of `message` on every channel, where its kind is asked for.

    Never raises. A channel that is down is tried again with growing pauses; then the message goes
    to the dead letters. What went out on a channel a while ago is not sent there again.

    Returns:
      One delivery for each channel, in the order webhook, smtp, command.
    """
    if message.kind not in config.about:
        return ()
    notes, notice = journal(workspace), Notice.of(message)
    moment = now or current_time()
    deliveries = []
    for name, make in makers(config).items():
        if _is_repeated(notes, name, message.key, config.repeat_after_minutes, moment):
            deliveries.append(Delivery(name, "repeated", notice.delivery))
            continue
        delivery = _delivered(name, make, notice, config.retries, sleep)
        deliveries.append(_noted(notes, delivery, notice))
    return tuple(deliveries)


def try_out(config: NotifyConfig) -> tuple[Delivery, ...]:
    """Sends one test notice on every channel, once, and keeps nothing of it.

    Raises:
      ConfigError: a setting is unusable, or a secret is missing.
    """
    channels = [make() for make in makers(config).values()]
    message = Message(
        kind="test",
        subject="a test: this channel works",
        lines=("Somebody ran `casegate notify test`. There is nothing to do.",),
        key="test",
    )
    notice = Notice.of(message)
    return tuple(deliver(channel, notice, retries=0) for channel in channels)


def resend(config: NotifyConfig, workspace: Workspace) -> tuple[Delivery, ...]:
    """Tries every dead letter once more, the oldest first; those that go out are dead no longer.

    Raises:
      WorkspaceBusy: somebody else is doing so.
      ConfigError: the dead letters cannot be read or written.
    """
    notes = journal(workspace)
    try:
        with notes.resending():
            return tuple(_resent(config, notes, letter) for letter in notes.dead().letters)
    except UNUSABLE as error:
        raise ConfigError(f"{notes.folder}: cannot be used: {_reason(error)}") from None


def _resent(config: NotifyConfig, notes: NoticeJournal, letter: DeadLetter) -> Delivery:
    make = makers(config).get(letter.channel)
    if make is None:
        reason = f"{letter.channel}: no longer among the settings of notify"
        return Delivery(letter.channel, "failed", letter.notice.delivery, (reason,), kept=True)
    delivery = _delivered(letter.channel, make, letter.notice, 0)
    if delivery.state == "failed":
        return replace(delivery, kept=True)
    notes.note_sent(letter.channel, letter.notice)
    notes.remove_dead({letter.name})
    return delivery


def _delivered(
    name: str, make: Callable[[], Channel], notice: Notice, retries: int, sleep: Sleep = time.sleep
) -> Delivery:
    try:
        channel = make()
    except ConfigError as error:
        return Delivery(name, "failed", notice.delivery, (str(error),))
    return deliver(channel, notice, retries=retries, sleep=sleep)


def _is_repeated(notes: NoticeJournal, name: str, key: str, minutes: int, now: datetime) -> bool:
    try:
        return notes.sent_within(name, key, minutes=minutes, now=now)
    except UNUSABLE:
        return False  # rather told twice than not at all


def _noted(notes: NoticeJournal, delivery: Delivery, notice: Notice) -> Delivery:
    """Writes down what became of it; that this fails is one reason more, not an error."""
    try:
        if delivery.state == "sent":
            notes.note_sent(delivery.channel, notice)
            return delivery
        notes.add_dead(delivery, notice)
    except UNUSABLE as error:
        reason = f"{notes.folder}: cannot be written: {_reason(error)}"
        return replace(delivery, reasons=(*delivery.reasons, reason))
    return replace(delivery, kept=True)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "another process holds it"


def show_notices(config: NotifyConfig, workspace: Workspace, limit: int) -> dict[str, Any]:
    """The channels, the newest `limit` notices that were sent, and every dead letter.

    Raises:
      ConfigError: the files of the workspace cannot be read.
    """
    notes = journal(workspace)
    try:
        sent, dead = notes.sent(), notes.dead()
    except UNUSABLE as error:
        raise ConfigError(f"{notes.folder}: cannot be read: {_reason(error)}") from None
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
