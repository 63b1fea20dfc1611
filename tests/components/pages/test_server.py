import socket

import pytest

from components.pages.server import address_of, is_loopback, listen
from components.records.errors import ConfigError
from tests.refusing import refused


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("localhost.example", False),
    ],
)
def test_what_is_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def test_another_address_is_listened_on_only_where_a_person_says_so() -> None:
    with refused(ConfigError, "--host 0.0.0.0: ", "--allow-remote"):
        listen("0.0.0.0", 0, remote=False, why_not="it has no lock")
    with listen("0.0.0.0", 0, remote=True, why_not="") as found:
        assert address_of(found, "0.0.0.0") == f"http://0.0.0.0:{found.getsockname()[1]}/"


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with refused(ConfigError, f"127.0.0.1:{port}: "):
            listen("127.0.0.1", port, remote=False, why_not="")
