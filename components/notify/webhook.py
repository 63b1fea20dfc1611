"""A notice posted to a web address, signed."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from components.notify.delivery import TIMEOUT_S, Failure, cause
from components.notify.notice import Notice
from components.notify.signature import sign
from components.records.clock import current_time

# The only refusals that say "later": request timeout, too early, too many requests.
AGAIN = (408, 425, 429)


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
