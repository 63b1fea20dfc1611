"""Who may reach the server: this machine, and others only by TLS and with a token."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from components.records.errors import ConfigError
from pipeline.cli import main
from pipeline.serving.server import Door
from tests.refusing import refusal, refused

SAFE = {name: Path(__file__) for name in ("tls_certificate", "tls_key", "token_file")}


@pytest.mark.parametrize("missing", SAFE)
def test_others_reach_it_by_tls_and_with_tokens_alone(missing: str) -> None:
    given: dict[str, Any] = {**SAFE, missing: None}
    with refused(ConfigError, "--tls"):
        Door("0.0.0.0", 0, 0, ["model.example"], **given).tls()


def test_loopback_needs_neither() -> None:
    assert Door("127.0.0.1", 0, 0).tls() is None
    content = Path(__file__).read_bytes()
    assert Door("0.0.0.0", 0, 0, **SAFE).tls() == (content, content)


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with refused(ConfigError, "away.pem"):
        away = tmp_path / "away.pem"
        Door("::1", 0, 0, tls_certificate=away, tls_key=away).tls()


@pytest.mark.parametrize(
    "options, words",
    [
        (("--host", "0.0.0.0"), "--token-file"),
        (("--set", "server.queue=0"), "server.queue"),
        (("--workspace", "/nowhere"), "/nowhere"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    arguments = ["serve", "--workspace", str(tmp_path), *options]
    refusal(CliRunner().invoke(main, arguments), 2, words)
