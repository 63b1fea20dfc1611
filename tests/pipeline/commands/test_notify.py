import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.commands.notify import notify
from pipeline.settings.workspace import Workspace
from pipeline.unattended.notifying.channels import WEBHOOK_SECRET
from pipeline.unattended.notifying.notify import tell
from tests.components.notify.serving import SECRET, closed_port, message, receiving


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEBHOOK_SECRET, SECRET.decode())


def invoked(*arguments: object) -> Result:
    result = CliRunner().invoke(notify, [str(argument) for argument in arguments])
    assert SECRET.decode() not in result.output
    assert "token-in-the-path" not in result.output
    return result


def to(url: str) -> str:
    return f"notify.webhook.url={url}"


def dead_letter(folder: Path) -> Path:
    from pipeline.settings.config import load_config

    url = f"http://127.0.0.1:{closed_port()}/token-in-the-path"
    config = load_config(None, [to(url), "notify.retries=0"]).notify
    tell(config, Workspace(folder), message())
    return folder


def test_a_test_says_what_each_channel_did() -> None:
    with receiving([204]) as receiver:
        result = invoked("test", "--set", to(receiver.url), "--set", "notify.command=[/bin/false]")
    assert result.output == "webhook: sent\ncommand: failed: false: ended with exit code 1\n"
    assert result.exit_code == 2


def test_a_test_that_everybody_took_exits_0() -> None:
    with receiving([204]) as receiver:
        assert invoked("test", "--set", to(receiver.url)).exit_code == 0


def test_a_test_without_a_channel_says_what_to_set() -> None:
    result = invoked("test")
    assert "no channel is set: see notify.webhook" in result.output
    assert result.exit_code == 2


def test_a_missing_secret_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WEBHOOK_SECRET)
    result = invoked("test", "--set", to("https://hooks.example/token-in-the-path"))
    assert result.output.startswith("ConfigError: notify.webhook.secret_file and CASEGATE_WEBHOOK")
    assert result.output.count("\n") == 1
    assert result.exit_code == 2


def test_dead_letters_are_shown_and_sent_again(tmp_path: Path) -> None:
    where = ("--workspace", dead_letter(tmp_path))
    assert "dead since 2" in invoked("show", *where).output
    with receiving([503, 204]) as receiver:
        first = invoked("resend", *where, "--set", to(receiver.url))
        second = invoked("resend", *where, "--set", to(receiver.url))
    assert (first.exit_code, second.exit_code) == (2, 0)
    assert second.output == "webhook: sent\n"
    assert invoked("resend", *where).output == "no dead letter\n"


def test_what_is_shown_as_json_names_channels_without_their_secrets(tmp_path: Path) -> None:
    dead_letter(tmp_path)
    url = "https://hooks.example/token-in-the-path"
    result = invoked("show", "--workspace", tmp_path, "--set", to(url), "--format", "json")
    found = json.loads(result.output)
    assert found["channels"] == {"webhook": "hooks.example"}
    assert found["dead_letters"][0]["subject"] == "run 7 was blocked: sensitivity fell"
    assert found["dead_letters"][0]["reason"].endswith("Connection refused")


def test_unreadable_dead_letters_are_not_called_none(tmp_path: Path) -> None:
    dead_letter(tmp_path)
    (tmp_path / "notices" / "dead-letters.jsonl").write_text("{half")
    result = invoked("resend", "--workspace", tmp_path)
    assert "1 unreadable line" in result.output
    assert result.exit_code == 2
