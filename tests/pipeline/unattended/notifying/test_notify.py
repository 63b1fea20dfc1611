import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import filelock
import pytest

from components.notify.journal import NoticeJournal
from components.records.errors import WorkspaceBusy
from pipeline.settings.sections import NotifyConfig
from pipeline.settings.workspace import Workspace
from pipeline.unattended.notifying.notify import journal, resend, tell, try_out
from tests.components.notify.mailing import mailing
from tests.components.notify.serving import (
    SECRET,
    Receiver,
    closed_port,
    message,
    receiving,
)
from tests.pipeline.unattended.notifying.making import hooked, mailed
from tests.refusing import refused


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving([204]) as found:
        yield found


def unreachable(folder: Path) -> NotifyConfig:
    return hooked(f"http://127.0.0.1:{closed_port()}/token-in-the-path", folder, retries=1)


def told(config: NotifyConfig, workspace: Workspace, **given: object) -> list[str]:
    deliveries = tell(config, workspace, message(**given), sleep=lambda seconds: None)
    return [delivery.state for delivery in deliveries]


def dead(workspace: Workspace) -> list[str]:
    return [letter.notice.delivery for letter in journal(workspace).dead().letters]


def test_every_channel_is_told_the_same(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    with mailing() as postbox:
        config = hooked(
            receiver.url,
            tmp_path,
            smtp=mailed(postbox.port).smtp,
            command=("/bin/sh", "-c", f"cat > {tmp_path}/got"),
        )
        deliveries = tell(config, workspace, message())
    assert [(found.channel, found.state) for found in deliveries] == [
        ("webhook", "sent"),
        ("smtp", "sent"),
        ("command", "sent"),
    ]
    assert (tmp_path / "got").read_bytes() == receiver.received[0].body
    assert postbox.letters[0]["X-Casegate-Delivery"] == deliveries[0].delivery


def test_what_nobody_asked_for_is_not_told(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    config = hooked(receiver.url, tmp_path, about=("failed", "drift"))
    assert told(config, workspace, kind="nothing_new") == []
    assert told(config, workspace, kind="drift") == ["sent"]


def test_without_a_channel_nothing_is_done(workspace: Workspace) -> None:
    assert told(NotifyConfig(), workspace) == []
    assert not workspace.root.exists()


def test_the_same_within_the_hour_is_not_sent_again(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    config = hooked(receiver.url, tmp_path)
    assert told(config, workspace) == ["sent"]
    assert told(config, workspace) == ["repeated"]
    assert told(config, workspace, key="blocked:8") == ["sent"]
    later = datetime.now(timezone.utc) + timedelta(minutes=61)
    assert tell(config, workspace, message(), now=later)[0].state == "sent"
    assert len(receiver.received) == 3


def test_zero_minutes_repeat_everything(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    config = hooked(receiver.url, tmp_path, repeat_after_minutes=0)
    assert told(config, workspace) + told(config, workspace) == ["sent", "sent"]


def test_a_clock_that_was_set_back_silences_nothing(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    config = hooked(receiver.url, tmp_path)
    assert told(config, workspace) == ["sent"]
    before = datetime.now(timezone.utc) - timedelta(days=400)
    assert tell(config, workspace, message(), now=before)[0].state == "sent"


def test_what_failed_does_not_count_as_said(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    assert told(unreachable(tmp_path), workspace) == ["failed"]
    assert told(hooked(receiver.url, tmp_path), workspace) == ["sent"]


def test_an_unreachable_webhook_leaves_one_dead_letter(
    tmp_path: Path, workspace: Workspace
) -> None:
    (delivery,) = tell(unreachable(tmp_path), workspace, message(), sleep=lambda seconds: None)
    assert delivery.state == "failed"
    assert delivery.kept
    assert len(delivery.reasons) == 2
    (line,) = (workspace.root / "notices" / "dead-letters.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert kept["message"]["subject"] == "run 7 was blocked: sensitivity fell"
    assert kept["message"]["facts"] == {"run_id": "7", "verdict": "FAIL"}
    assert kept["reasons"] == list(delivery.reasons)
    assert SECRET.decode() not in line
    assert "token-in-the-path" not in line


def test_a_channel_without_its_secret_does_not_silence_the_others(
    tmp_path: Path, workspace: Workspace
) -> None:
    with mailing() as postbox:
        config = hooked("http://127.0.0.1:9/", tmp_path, smtp=mailed(postbox.port).smtp)
        (tmp_path / "webhook-secret").unlink()
        assert told(config, workspace) == ["failed", "sent"]
    (letter,) = journal(workspace).dead().letters
    assert letter.channel == "webhook"


def test_a_full_disk_is_a_reason_and_no_error(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(NoticeJournal, "_append", full)
    (delivery,) = tell(unreachable(tmp_path), workspace, message(), sleep=lambda seconds: None)
    assert delivery.reasons[-1].endswith(": No space left on device")
    assert not delivery.kept


def test_a_workspace_that_cannot_be_written_still_tells(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    workspace.root.mkdir()
    (workspace.root / "notices").write_text("not a folder")
    assert told(hooked(receiver.url, tmp_path), workspace) == ["sent"]
    assert len(receiver.received) == 1


def test_dead_letters_go_out_later_as_they_were(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    told(unreachable(tmp_path), workspace)
    told(unreachable(tmp_path), workspace, key="failed:8", kind="failed")
    ids = dead(workspace)
    assert [found.state for found in resend(hooked(receiver.url, tmp_path), workspace)] == [
        "sent",
        "sent",
    ]
    assert [got.headers["X-Casegate-Delivery"] for got in receiver.received] == ids
    assert [got.headers["X-Casegate-Event"] for got in receiver.received] == ["blocked", "failed"]
    assert dead(workspace) == []


def test_those_that_fail_again_stay(tmp_path: Path, workspace: Workspace) -> None:
    told(unreachable(tmp_path), workspace)
    told(unreachable(tmp_path), workspace, key="blocked:8")
    ids = dead(workspace)
    with receiving([503, 200]) as receiver:
        deliveries = resend(hooked(receiver.url, tmp_path), workspace)
    assert [found.state for found in deliveries] == ["failed", "sent"]
    assert dead(workspace) == ids[:1]


def test_a_letter_for_a_channel_that_is_gone_stays(tmp_path: Path, workspace: Workspace) -> None:
    told(unreachable(tmp_path), workspace)
    (delivery,) = resend(NotifyConfig(), workspace)
    assert delivery.reasons == ("webhook: no longer among the settings of notify",)
    assert len(dead(workspace)) == 1


def test_two_who_resend_at_once_do_not_send_twice(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    told(unreachable(tmp_path), workspace)
    with (
        filelock.FileLock(workspace.root / "notices" / ".resending.lock"),
        refused(WorkspaceBusy, "/notices: "),
    ):
        resend(hooked(receiver.url, tmp_path), workspace)
    assert receiver.received == []


def test_a_test_notice_is_sent_once_and_nothing_is_kept(
    tmp_path: Path, workspace: Workspace
) -> None:
    with receiving([503, 204]) as receiver:
        config = hooked(receiver.url, tmp_path, about=())
        assert [found.state for found in try_out(config)] == ["failed"]
        assert [found.state for found in try_out(config)] == ["sent"]
    assert receiver.received[1].headers["X-Casegate-Event"] == "test"
    assert not workspace.root.exists()


def test_secrets_are_nowhere_below_the_workspace(
    tmp_path: Path, workspace: Workspace, receiver: Receiver
) -> None:
    config = replace(
        hooked(receiver.url, tmp_path, retries=0), command=("/bin/false", "a token for the pager")
    )
    told(config, workspace)
    for path in workspace.root.rglob("*"):
        text = path.read_text() if path.is_file() else ""
        assert SECRET.decode() not in text
        assert "token" not in text
