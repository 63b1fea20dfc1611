"""A real mail server on loopback."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "casegate", "a password for the mail server"


@dataclass
class Postbox:
    """Attributes:
    data_answers: what each letter is answered in turn; an empty list takes all.
    refused: addresses that nobody has here.
    rude: whether it hangs up where one says good-bye.
    """

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    refused: tuple[str, ...] = ()
    rude: bool = False

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.rude and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return "221 Bye"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            letter = message_from_bytes(envelope.content, policy=default)
            assert isinstance(letter, EmailMessage)
            self.letters.append(letter)
            self.recipients.append(envelope.rcpt_tos)
            self.over_tls.append(session.ssl is not None)
        return answer


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
) -> AuthResult:
    known = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=given == known, handled=False)


class AnyPort(Controller):
    """Listens on a port that was free, and knows which."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        socket.create_connection((self.hostname, self.port), 1.0).close()


@contextlib.contextmanager
def mailing(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, **given: Any
) -> Iterator[Postbox]:
    postbox = Postbox(**given)
    controller = AnyPort(
        postbox,
        hostname="127.0.0.1",
        port=0,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        auth_required=starttls is not None,
        authenticator=_authenticate,
    )
    controller.start()
    try:
        postbox.port = controller.port
        yield postbox
    finally:
        controller.stop(no_assert=True)
