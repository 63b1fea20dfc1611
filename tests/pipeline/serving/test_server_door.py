"""Who may reach the server: this machine, and others only by TLS and with a token."""

import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from components.records.errors import ConfigError
from pipeline.cli import main
from pipeline.serving.server import Door
from tests.pipeline.serving.test_server import write_certificate
from tests.refusing import refusal, refused

SAFE = {name: Path(__file__) for name in ("tls_certificate", "tls_key", "token_file")}


@pytest.mark.parametrize("missing", SAFE)
def test_others_reach_it_by_tls_and_with_tokens_alone(missing: str) -> None:
    given: dict[str, Any] = {**SAFE, missing: None}
    with refused(ConfigError, "--tls"):
        Door("0.0.0.0", 0, 0, ["model.example"], **given).tls()


def test_loopback_needs_neither(tmp_path: Path) -> None:
    assert Door("127.0.0.1", 0, 0).tls() is None
    certificate, key = write_certificate(tmp_path)
    found = Door("::1", 0, 0, tls_certificate=certificate, tls_key=key).tls()
    assert found == (key.read_bytes(), certificate.read_bytes())


def test_what_is_no_certificate_with_its_key_is_one_line(tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = write_certificate(tmp_path / "other")
    for one in (tmp_path / "away.pem", Path(__file__), other):
        with refused(ConfigError, str(one)):
            Door("::1", 0, 0, tls_certificate=one, tls_key=key).tls()


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_a_port_that_is_taken_is_one_line(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        arguments = ["serve", "--workspace", str(tmp_path), "--port=0", "--grpc-port=0"]
        refusal(CliRunner().invoke(main, [*arguments, option, port]), ConfigError, port, option)


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
