"""The channels that the configuration names, with their secrets, or what is wrong with them."""

import os
import shutil
from collections.abc import Callable, Mapping
from email.headerregistry import Address
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from components.notify.command import Command
from components.notify.delivery import Channel
from components.notify.mail import MailServer
from components.notify.webhook import Webhook
from components.records.errors import ConfigError
from pipeline.settings.sections import NotifyConfig, SmtpConfig, WebhookConfig

SHORTEST_SECRET = 16  # bytes; one that can be guessed signs nothing
WEBHOOK_SECRET = "CASEGATE_WEBHOOK_SECRET"  # noqa: S105, the variable's name
SMTP_PASSWORD = "CASEGATE_SMTP_PASSWORD"  # noqa: S105, the variable's name


def makers(
    config: NotifyConfig, environment: Mapping[str, str] = os.environ
) -> dict[str, Callable[[], Channel]]:
    """What makes each configured channel, by its name; each may raise ConfigError by itself.

    One at a time, so that the missing secret of one doesn't keep the others silent.
    """
    webhook, smtp, command = config.webhook, config.smtp, config.command
    found: dict[str, Callable[[], Channel]] = {}
    if webhook.url is not None:
        found["webhook"] = partial(_webhook, webhook, webhook.url, environment)
    if smtp.host is not None:
        found["smtp"] = partial(_mail_server, smtp, smtp.host, environment)
    if command:
        found["command"] = partial(_command, command)
    return found


def check(config: NotifyConfig, environment: Mapping[str, str] = os.environ) -> None:
    """Refuses settings with which nobody could be told, before anything is trained.

    Raises:
      ConfigError: a setting is unusable, or a secret is missing.
    """
    for make in makers(config, environment).values():
        make()


def _webhook(config: WebhookConfig, url: str, environment: Mapping[str, str]) -> Webhook:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, half an IPv6 address
        usable = False
    if not usable or any(sign.isspace() or not sign.isprintable() for sign in url):
        # The address is not repeated: it may hold a token.
        raise ConfigError(
            "notify.webhook.url: got no usable address, wanted http:// or https:// and a host"
        )
    setting = "notify.webhook.secret_file"
    secret = _secret(setting, config.secret_file, environment, WEBHOOK_SECRET).encode()
    if len(secret) < SHORTEST_SECRET:
        raise ConfigError(
            f"notify.webhook: got a secret of {len(secret)} bytes, wanted at least "
            f"{SHORTEST_SECRET}; make one with `openssl rand -hex 32`"
        )
    return Webhook(url, secret)


def _mail_server(config: SmtpConfig, host: str, environment: Mapping[str, str]) -> MailServer:
    for name, address in (("sender", config.sender), *(("to", one) for one in config.to)):
        if not _is_address(address):
            raise ConfigError(f"notify.smtp.{name}: got {address!r}, wanted NAME@HOST")
    password = None
    if config.user is not None:
        if config.security == "none":
            raise ConfigError(
                "notify.smtp: a password is only sent over TLS; set notify.smtp.security to "
                "starttls or tls, or notify.smtp.user to null"
            )
        setting = "notify.smtp.password_file"
        password = _secret(setting, config.password_file, environment, SMTP_PASSWORD)
    names = ("port", "security", "sender", "to", "user")
    return MailServer(host, password=password, **{name: getattr(config, name) for name in names})


def _command(arguments: tuple[str, ...]) -> Command:
    if shutil.which(arguments[0]) is None:
        words = f"notify.command: got {arguments[0]!r}, wanted a program that can be started"
        raise ConfigError(words)
    if any("\0" in argument for argument in arguments):
        raise ConfigError("notify.command: got a NUL byte in an argument, wanted text")
    return Command(arguments)


def _is_address(text: str) -> bool:
    """Whether a letter's header can hold it, and it is one address."""
    name, plain = parseaddr(text)
    if not plain or not text.isprintable() or (not name and plain != text.strip()):
        return False
    try:
        Address(addr_spec=plain)
    except Exception:  # whatever the parser trips over is no address
        return False
    local, _, domain = plain.rpartition("@")
    return bool(local and domain)


def _secret(setting: str, file: str | None, environment: Mapping[str, str], name: str) -> str:
    """From the file if one is set, else from the environment."""
    if file is None:
        found, source = environment.get(name, ""), f"{setting} and {name}"
    else:
        source = f"{setting}: {file}"
        try:
            found = Path(file).read_text(encoding="utf-8-sig").rstrip("\r\n")
        except OSError as error:
            raise ConfigError(f"{source}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{source}: got bytes that are no text") from None
    if not found:
        raise ConfigError(f"{source}: got no secret; put it there, readable by casegate alone")
    return found
