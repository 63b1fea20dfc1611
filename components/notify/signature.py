"""The signature of a webhook, and how its receiver checks it."""

import hashlib
import hmac

SCHEME = "v1="
TOLERANCE_S = 300.0


def sign(secret: bytes, *, timestamp: str, delivery: str, body: bytes) -> str:
    """The value of X-Casegate-Signature: HMAC-SHA256 of "timestamp.delivery.body" in hex.

    Args:
      timestamp: the value of X-Casegate-Timestamp, whole seconds since 1970.
      delivery: the value of X-Casegate-Delivery.
      body: the bytes as sent, not JSON that was read and written again.
    """
    signed = f"{timestamp}.{delivery}.".encode() + body
    return SCHEME + hmac.new(secret, signed, hashlib.sha256).hexdigest()


def verify_signature(
    secret: bytes,
    signature: str,
    *,
    timestamp: str,
    delivery: str,
    body: bytes,
    now: float,
    tolerance_s: float = TOLERANCE_S,
) -> bool:
    """Whether who knows the secret sent this, within `tolerance_s` of `now`.

    Inside that window a copy of the request looks as good as the request: a receiver also keeps
    the ids it has seen, and takes each once.

    Args:
      signature, timestamp, delivery: the headers' values.
      now: seconds since 1970.
    """
    expected = sign(secret, timestamp=timestamp, delivery=delivery, body=body)
    genuine = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
    fresh = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    return genuine and fresh and abs(now - int(timestamp)) <= tolerance_s
