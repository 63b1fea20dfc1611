"""Letters as a real mail server takes them, aiosmtpd, and as Python reads letters."""

import smtplib
from pathlib import Path
from typing import Any

import pytest

from components.notify.delivery import Failure
from components.notify.mail import MailServer, letter
from tests.components.notify.mailing import PASSWORD, USER, Postbox, mailing
from tests.components.notify.serving import closed_port, notice, self_signed

TO = ("operator@hospital.example", "physicist@hospital.example")


def server(port: int, **given: Any) -> MailServer:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "casegate <casegate@hospital.example>",
        "to": TO,
    }
    return MailServer(**{**settings, **given})


def failure(port: int, **given: Any) -> Failure:
    found = server(port, **given).deliver(notice())
    assert found is not None
    assert PASSWORD not in found.reason
    return found


def only(postbox: Postbox) -> str:
    (mail,) = postbox.letters
    return mail.get_content().replace("\r\n", "\n")


def test_the_letter_says_what_happened_and_the_facts() -> None:
    told = notice()
    with mailing() as postbox:
        assert server(postbox.port).deliver(told) is None
    text = only(postbox)
    assert text.startswith("Sensitivity fell by 0.08.\nLook at the report.\n\nrun_id: 7\n")
    assert postbox.recipients == [list(TO)]
    assert postbox.letters[0]["Subject"] == "[casegate] run 7 was blocked: sensitivity fell"
    assert postbox.letters[0]["X-Casegate-Delivery"] == told.delivery
    assert postbox.letters[0]["Message-ID"] == f"<{told.delivery}@hospital.example>"


def test_facts_for_machines_alone_are_left_out_of_a_letter() -> None:
    facts = {"version": 3, "error": None, "failed_checks": ["a", "b"]}
    text = letter(notice(facts=facts), sender="a@b", to=TO).get_content()
    assert "\n\nversion: 3\nat: 2" in text
    assert "error" not in text


def test_a_subject_cannot_start_another_header() -> None:
    mail = letter(notice(subject="a\r\nBcc: all@x.example\r\n\r\nb\x00"), sender="a@b", to=TO)
    assert mail["Subject"] == "[casegate] a Bcc: all@x.example b"
    assert mail["Bcc"] is None


def test_words_of_any_script_arrive() -> None:
    with mailing() as postbox:
        told = notice(subject="Röntgen: 胸部", lines=("Sensitivität fiel — 胸部",))
        assert server(postbox.port).deliver(told) is None
    assert postbox.letters[0]["Subject"] == "[casegate] Röntgen: 胸部"
    assert "Sensitivität fiel — 胸部" in only(postbox)


def test_a_line_that_is_a_dot_does_not_end_the_letter() -> None:
    with mailing() as postbox:
        assert server(postbox.port).deliver(notice(lines=("before", ".", "after"))) is None
    assert only(postbox).startswith("before\n.\nafter\n")


def test_starttls_and_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, tls = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with mailing(starttls=tls) as postbox:
        settings = {"security": "starttls", "user": USER, "password": PASSWORD}
        assert server(postbox.port, **settings).deliver(notice()) is None
    assert postbox.over_tls == [True]


def test_tls_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, tls = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with mailing(tls=tls) as postbox:
        assert server(postbox.port, security="tls").deliver(notice()) is None
    assert len(postbox.letters) == 1


def test_a_wrong_password_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, tls = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with mailing(starttls=tls) as postbox:
        found = failure(postbox.port, security="starttls", user=USER, password="another")
    assert "refused the user or password (535)" in found.reason
    assert not found.again


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, security: str) -> None:
    tls = self_signed(tmp_path)[1]
    with mailing(**{security: tls}) as postbox:
        found = failure(postbox.port, security=security, user=USER, password=PASSWORD)
    assert "its certificate is not accepted" in found.reason
    assert not found.again
    assert postbox.letters == []


def test_a_server_without_starttls_gets_nothing() -> None:
    with mailing() as postbox:
        found = failure(postbox.port, security="starttls", user=USER, password=PASSWORD)
    assert not found.again
    assert postbox.letters == []


def test_a_password_is_never_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtplib.SMTP, "login", lambda *given: pytest.fail("sent"))
    with mailing() as postbox:
        assert not failure(postbox.port, user=USER, password=PASSWORD).again
    assert postbox.letters == []


@pytest.mark.parametrize(("answer", "again"), [("451 later", True), ("554 never", False)])
def test_the_servers_code_says_whether_to_try_again(answer: str, again: bool) -> None:
    with mailing(data_answers=[answer]) as postbox:
        found = failure(postbox.port)
    assert found == Failure(f"127.0.0.1:{postbox.port}: answered {answer[:3]}", again=again)


def test_one_unknown_address_is_a_failure_though_the_other_got_it() -> None:
    with mailing(refused=(TO[0],)) as postbox:
        found = failure(postbox.port)
    assert "refused 1 of 2 addresses" in found.reason
    assert len(postbox.letters) == 1


def test_unknown_addresses_alone_are_final() -> None:
    with mailing(refused=TO) as postbox:
        found = failure(postbox.port)
    assert "refused every address (550)" in found.reason
    assert not found.again


def test_a_letter_that_was_taken_stays_so_though_the_server_hangs_up() -> None:
    with mailing(rude=True) as postbox:
        assert server(postbox.port).deliver(notice()) is None
    assert len(postbox.letters) == 1


def test_no_server_is_worth_another_try() -> None:
    found = failure(closed_port())
    assert "Connection refused" in found.reason
    assert found.again


def test_the_password_does_not_show() -> None:
    assert PASSWORD not in repr(server(25, user=USER, password=PASSWORD))
