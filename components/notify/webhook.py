"""A notice posted to a web address, signed; and how its receiver checks the signature."""

import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from components.notify.delivery import TIMEOUT_S, Failure, cause
from components.notify.notice import Notice
from components.records.clock import current_time

# The only refusals that say "later": request timeout, too early, too many requests.
AGAIN = (408, 425, 429)
SCHEME = "v1="
TOLERANCE_S = 300.0


@dataclass(frozen=True)
class Webhook:
    """Attributes:
    url: where to post; it may hold a token, so it is shown nowhere.
    secret: signs what is posted.
    """

    url: str = field(repr=False)
    secret: bytes = field(repr=False)
    name: str = "webhook"

    @property
    def where(self) -> str:
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.hostname}{port}"

    def deliver(self, notice: Notice) -> Failure | None:
        """Posts once. Redirects are not followed; only a status of 2xx means that it was taken."""
        import requests

        body = notice.body()
        try:
            with requests.post(
                self.url,
                data=body,
                headers=self._headers(notice, body),
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,  # what it answers is not read, however long
            ) as response:
                return _judged(response.status_code, self.where)
        except requests.exceptions.SSLError as error:
            return Failure(f"{self.where}: {cause(error)}", again=False)
        except (requests.exceptions.RequestException, OSError) as error:
            return Failure(f"{self.where}: {cause(error)}")

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        timestamp = str(int(current_time().timestamp()))
        signature = sign(self.secret, timestamp=timestamp, delivery=notice.delivery, body=body)
        return {
            "Content-Type": "application/json",
            "User-Agent": "casegate",
            "X-Casegate-Event": notice.message.kind,
            "X-Casegate-Delivery": notice.delivery,
            "X-Casegate-Timestamp": timestamp,
            "X-Casegate-Signature": signature,
        }


def _judged(status: int, where: str) -> Failure | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        reason = "a redirect, which is not followed; set the address that it leads to"
        return Failure(f"{where}: answered {status}: {reason}", again=False)
    return Failure(f"{where}: answered {status}", again=status >= 500 or status in AGAIN)


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
