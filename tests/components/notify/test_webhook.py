import hashlib
import hmac
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from components.notify import delivery as timing
from components.notify import webhook as posting
from components.notify.delivery import Failure
from components.notify.webhook import Webhook, sign, verify_signature
from tests.components.notify.serving import (
    SECRET,
    closed_port,
    notice,
    receiving,
    self_signed,
)
from tests.foreign import answer, needs


def failure(url: str) -> Failure:
    found = Webhook(url, SECRET).deliver(notice())
    assert found is not None
    assert "token-in-the-path" not in found.reason
    return found


def test_the_receiver_can_verify_what_it_got() -> None:
    told = notice()
    with receiving([204]) as receiver:
        assert Webhook(receiver.url, SECRET).deliver(told) is None
    (got,) = receiver.received
    assert got.body == told.body()
    assert got.headers["X-Casegate-Event"] == "blocked"
    assert verify_signature(
        SECRET,
        got.headers["X-Casegate-Signature"],
        timestamp=got.headers["X-Casegate-Timestamp"],
        delivery=got.headers["X-Casegate-Delivery"],
        body=got.body,
        now=time.time(),
    )


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_only_a_status_of_2xx_is_success(status: int) -> None:
    with receiving([status]) as receiver:
        assert Webhook(receiver.url, SECRET).deliver(notice()) is None


@pytest.mark.parametrize("status", [500, 502, 503, 408, 425, 429])
def test_what_may_pass_is_worth_another_try(status: int) -> None:
    with receiving([status]) as receiver:
        found = failure(receiver.url)
    assert found == Failure(f"127.0.0.1:{receiver.port}: answered {status}", again=True)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_final(status: int) -> None:
    with receiving([status]) as receiver:
        assert not failure(receiver.url).again


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with receiving([status]) as receiver:
        found = failure(receiver.url)
    assert "a redirect, which is not followed" in found.reason
    assert not found.again
    assert [got.path for got in receiver.received] == ["/hook/token-in-the-path"]


def test_nobody_there_is_worth_another_try() -> None:
    port = closed_port()
    found = failure(f"http://127.0.0.1:{port}/token-in-the-path")
    assert found == Failure(f"127.0.0.1:{port}: Connection refused", again=True)


def test_a_server_that_hangs_is_left_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(timing, "TIMEOUT_S", 0.2)
    with receiving([0]) as receiver:
        found = failure(receiver.url)
    assert "no answer within" in found.reason
    assert found.again


def test_a_name_that_nobody_has_is_worth_another_try() -> None:
    found = failure("http://nobody.invalid/token-in-the-path")
    assert found.reason.startswith("nobody.invalid: ")
    assert found.again


def test_a_self_signed_certificate_is_refused(tmp_path: Path) -> None:
    with receiving([200], tls=self_signed(tmp_path)[1]) as receiver:
        found = failure(receiver.url)
    assert "certificate" in found.reason and "self" in found.reason
    assert not found.again
    assert receiver.received == []


def test_a_certificate_that_this_machine_trusts_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tls = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with receiving([200], tls=tls) as receiver:
        assert Webhook(receiver.url, SECRET).deliver(notice()) is None
    assert len(receiver.received) == 1


def test_something_that_speaks_no_http_is_a_failure_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        found = failure(f"http://127.0.0.1:{server.getsockname()[1]}/token-in-the-path")
    assert found.again
    assert "SSH" not in found.reason


def test_neither_the_address_nor_the_secret_shows() -> None:
    hook = Webhook("https://user:word@hooks.example:8443/token-in-the-path", SECRET)
    assert hook.where == "hooks.example:8443"
    assert "token" not in repr(hook)
    assert "word" not in repr(hook)
    assert SECRET.decode() not in repr(hook)


def test_openssl_makes_the_same_signature_and_jq_reads_the_body() -> None:
    openssl, jq = needs("openssl", "Debian's openssl"), needs("jq", "Debian's jq")
    told = notice(subject="Größe, \u2028 and \ud83d")
    with receiving([200]) as receiver:
        assert Webhook(receiver.url, SECRET).deliver(told) is None
    (got,) = receiver.received
    headers = {name: got.headers[f"X-Casegate-{name}"] for name in ("Timestamp", "Delivery")}
    signed = f"{headers['Timestamp']}.{headers['Delivery']}.".encode() + got.body
    key = ["-digest", "SHA256", "-macopt", f"hexkey:{SECRET.hex()}"]
    mac = answer(openssl, "mac", *key, "-in", "-", "HMAC", given=signed)
    assert got.headers["X-Casegate-Signature"] == f"v1={mac.strip().lower()}"
    assert answer(jq, "-r", ".facts.verdict", given=got.body) == "FAIL\n"


SENT: dict[str, Any] = {"timestamp": "1700000000", "delivery": "d1", "body": b'{"event":"blocked"}'}


def verified(now: float = 1_700_000_000, **altered: Any) -> bool:
    given = {"secret": SECRET, "signature": sign(SECRET, **SENT), **SENT, **altered}
    return verify_signature(given.pop("secret"), given.pop("signature"), now=now, **given)


def test_it_is_the_hmac_of_timestamp_delivery_and_body() -> None:
    digest = hmac.new(SECRET, b'1700000000.d1.{"event":"blocked"}', hashlib.sha256).hexdigest()
    assert sign(SECRET, **SENT) == f"v1={digest}"


def test_what_was_signed_is_verified() -> None:
    assert verified()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("secret", b"another secret of enough"),
        ("body", b'{"event":"released"}'),
        ("delivery", "d2"),
        ("timestamp", "1700000001"),
        ("signature", "v1="),
        ("signature", ""),
        ("signature", "v1=\u00e9"),
    ],
)
def test_anything_altered_is_refused(part: str, value: Any) -> None:
    assert not verified(**{part: value})


@pytest.mark.parametrize(
    ("later", "holds"), [(300, True), (301, False), (-300, True), (-301, False)]
)
def test_a_request_is_taken_for_five_minutes(later: int, holds: bool) -> None:
    assert verified(now=1_700_000_000 + later) is holds


@pytest.mark.parametrize("timestamp", ["", "nan", "1e9", "-5", "\u0661", "9" * 5000])
def test_a_signed_timestamp_that_is_no_number_is_refused(timestamp: str) -> None:
    given = {**SENT, "timestamp": timestamp}
    signature = sign(SECRET, **given)
    assert not verify_signature(SECRET, signature, now=1_700_000_000, **given)
