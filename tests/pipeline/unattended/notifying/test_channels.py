from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.records.errors import ConfigError
from pipeline.settings.sections import NotifyConfig, SmtpConfig, WebhookConfig
from pipeline.unattended.notifying.channels import SMTP_PASSWORD, WEBHOOK_SECRET, check
from tests.components.notify.serving import SECRET
from tests.pipeline.unattended.notifying.making import SMTP, hooked


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (WEBHOOK_SECRET, SMTP_PASSWORD):
        monkeypatch.delenv(name, raising=False)


def refused(config: NotifyConfig) -> str:
    with pytest.raises(ConfigError) as caught:
        check(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def smtp(**given: Any) -> NotifyConfig:
    return NotifyConfig(smtp=replace(SMTP, **given))


def test_nobody_to_tell_is_fine() -> None:
    check(NotifyConfig())


def test_a_secret_in_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(hooked("https://hooks.example/x", tmp_path))
    monkeypatch.setenv(WEBHOOK_SECRET, SECRET.decode())
    check(NotifyConfig(webhook=WebhookConfig(url="https://hooks.example/x")))


def test_a_webhook_without_a_secret_is_refused() -> None:
    words = refused(NotifyConfig(webhook=WebhookConfig(url="https://hooks.example/x")))
    assert f"notify.webhook.secret_file and {WEBHOOK_SECRET}: got no secret;" in words


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "got no secret"),
        (b"\n", "got no secret"),
        (b"short", "got a secret of 5 bytes"),
        (b"\xff\xfe", "got bytes that are no text"),
    ],
)
def test_a_secret_that_signs_nothing_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    config = hooked("https://hooks.example/x", tmp_path)
    (tmp_path / "webhook-secret").write_bytes(content)
    words = refused(config)
    assert said in words
    assert "short" not in words


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = hooked("https://hooks.example/x", tmp_path)
    (tmp_path / "webhook-secret").unlink()
    assert f"notify.webhook.secret_file: {tmp_path}/webhook-secret: " in refused(config)


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https:///token",
        "https://host:99999/token",
        "https://host:0/token",
        "https://[::1/token",
        "https://host/to ken",
        "https://host/token\r\nX: y",
        "ftp://host/token",
    ],
)
def test_an_address_that_cannot_be_posted_to_is_refused_unread(tmp_path: Path, url: str) -> None:
    words = refused(hooked(url, tmp_path))
    assert words.startswith("notify.webhook.url: got no usable address")
    assert "token" not in words


@pytest.mark.parametrize(
    "address", ["", "somebody", "@host", "a@", "a@b\r\nBcc: c@d", "a@b, c@d", "a b@c"]
)
def test_what_is_no_mail_address_is_refused(address: str) -> None:
    assert "notify.smtp.to: got" in refused(smtp(to=(address,)))
    assert "notify.smtp.sender: got" in refused(smtp(sender=address))


@pytest.mark.parametrize("address", ["a@b.example", "A Name <a@b.example>", "casegate@localhost"])
def test_a_mail_address_is_taken(address: str) -> None:
    check(smtp(to=(address,), sender=address))


def test_a_password_is_not_sent_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SMTP_PASSWORD, "word")
    assert "a password is only sent over TLS" in refused(smtp(user="casegate"))
    check(smtp(user="casegate", security="starttls"))


def test_a_user_without_a_password_is_refused() -> None:
    words = refused(smtp(user="casegate", security="tls"))
    assert f"notify.smtp.password_file and {SMTP_PASSWORD}: got no secret" in words


def test_the_default_mail_settings_need_only_a_host_and_an_address() -> None:
    check(NotifyConfig(smtp=SmtpConfig(host="mail.example", to=("a@b.example",))))


def test_a_program_that_is_not_there_is_refused() -> None:
    words = refused(NotifyConfig(command=("/nowhere/page-me", "token")))
    assert words.startswith("notify.command: got '/nowhere/page-me'")
    assert "token" not in words
