"""A notice as e-mail."""

import contextlib
import json
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

from components.notify.delivery import TIMEOUT_S, Failure, cause
from components.notify.notice import Notice
from components.records.text import one_line


@dataclass(frozen=True)
class MailServer:
    """Attributes:
    security: none, starttls or tls.
    user, password: both or none; never sent without TLS.
    """

    host: str
    port: int
    security: str
    sender: str
    to: tuple[str, ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    name: str = "smtp"

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"

    def deliver(self, notice: Notice) -> Failure | None:
        """Hands the letter over once; taken only where every address was."""
        try:
            with self._connected() as server:
                refused = server.send_message(letter(notice, sender=self.sender, to=self.to))
        except (smtplib.SMTPException, OSError) as error:
            return _failure(error, self.where)
        if refused:
            # Somebody got it. All get it again later: better twice than not at all.
            count = f"{len(refused)} of {len(self.to)} addresses"
            return Failure(f"{self.where}: refused {count}", again=False)
        return None

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server = self._greeted()
        try:
            yield server
        finally:
            # A letter is taken before the good-bye; one that fails must not have it sent again.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _greeted(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT_S, context=context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user is not None and self.password is not None:
                if self.security == "none":
                    raise smtplib.SMTPNotSupportedError
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server


def letter(notice: Notice, *, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """Plain text: the lines, then what facts are one word; lists are for machines.

    Nothing in the subject can start a further header.
    """
    message = notice.message
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = f"[casegate] {one_line(message.subject, ' ')}"
    mail["Date"] = formatdate()
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    mail["Message-ID"] = f"<{notice.delivery}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence notice answers it
    mail["X-Casegate-Event"] = one_line(message.kind, " ")
    mail["X-Casegate-Delivery"] = notice.delivery
    facts = json.loads(notice.body())["facts"].items()
    listed = [f"{name}: {value}" for name, value in facts if isinstance(value, str | int | float)]
    listed.append(f"at: {notice.at}")
    mail.set_content("\n".join([*message.lines, "", *listed]) + "\n")
    return mail


def _failure(error: Exception, where: str) -> Failure:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        again = error.smtp_code < 500
        return Failure(f"{where}: refused the user or password ({error.smtp_code})", again=again)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        listed = ", ".join(sorted({str(code) for code in codes}))
        return Failure(f"{where}: refused every address ({listed})", again=max(codes) < 500)
    if isinstance(error, smtplib.SMTPResponseException):
        return Failure(f"{where}: answered {error.smtp_code}", again=error.smtp_code < 500)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Failure(f"{where}: cannot do what notify.smtp asks of it (TLS, login)", again=False)
    if isinstance(error, ssl.SSLError):
        return Failure(f"{where}: {cause(error)}", again=False)
    return Failure(f"{where}: {cause(error)}")
