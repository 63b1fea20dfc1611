import hashlib
import hmac
from typing import Any

import pytest

from components.notify.signature import sign, verify_signature

SECRET = b"a secret of enough bytes"
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
