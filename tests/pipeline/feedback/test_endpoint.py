"""The endpoint over real sockets: a server in a thread on loopback, and clients that misbehave."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvicorn

from components.feedback.record import Record
from pipeline.feedback import endpoint as module
from pipeline.feedback.endpoint import Endpoint, make_app
from pipeline.governance.tokens import load_tokens
from pipeline.settings.sections import FeedbackConfig
from tests.pipeline.feedback.making import Clinic

pytestmark = pytest.mark.process  # a server for each test, which together take seconds

ONE, TWO = "1" * 32, "2" * 32
CONFIG = FeedbackConfig(requests_per_minute=1000, max_bytes=2000)
Reply = tuple[int, dict[str, str], dict[str, Any]]


class Served:
    """A clinic whose endpoint listens on `port`."""

    def __init__(self, clinic: Clinic, port: int) -> None:
        self.clinic, self.port = clinic, port

    def send(self, content: bytes | Iterator[bytes], token: str = ONE, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", "/feedback", content, given)
        return _read(connection)

    def say(self, nonce: str = "nonce-0001", token: str = ONE, **given: Any) -> Reply:
        said = {"case_id": "case-7", "label": "positive", "nonce": nonce, **given}
        return self.send(json.dumps(said).encode(), token)

    def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers=headers)
        return _read(connection)

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(request)
            return connection.recv(65536)

    @property
    def recorded(self) -> list[tuple[str, str, str]]:
        opinions = Record(self.clinic.places.record.path).opinions()
        return [(one.by, one.case_id, one.label) for one in opinions]


def _read(connection: http.client.HTTPConnection) -> Reply:
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    headers = {name.lower(): value for name, value in reply.getheaders()}
    return reply.status, headers, json.loads(content)


@contextmanager
def serving(clinic: Clinic, config: FeedbackConfig = CONFIG) -> Iterator[Served]:
    tokens = clinic.root / "tokens"
    tokens.write_text(f"Dr. One:{ONE}\nDr. Two:{TWO}\n")
    tokens.chmod(0o600)
    app = make_app(Endpoint(clinic.places.record, clinic.served, load_tokens(tokens), config))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    settings = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield Served(clinic, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture
def served(clinic: Clinic) -> Iterator[Served]:
    clinic.serve("case-7", score=0.25)
    with serving(clinic) as found:
        yield found


def test_an_opinion_is_recorded_under_the_name_of_the_token(served: Served) -> None:
    status, headers, said = served.say(note="left lower lobe")
    assert status == 201 and headers["cache-control"] == "no-store"
    (opinion,) = served.clinic.places.record.opinions()
    assert said["entry_sha256"] == opinion.entry_sha256
    assert (opinion.by, opinion.source, opinion.nonce) == ("Dr. One", "http", "nonce-0001")
    assert (opinion.note, opinion.role, opinion.version) == ("left lower lobe", "reader", 1)


def test_a_case_is_found_by_its_picture_too(served: Served) -> None:
    pixels = served.clinic.served.find("case-7").pixels_sha256  # type: ignore[union-attr]
    assert served.say(case_id=None, pixels_sha256=pixels)[0] == 201
    assert served.recorded == [("Dr. One", "case-7", "positive")]


def test_a_replayed_request_is_refused_and_not_recorded(served: Served) -> None:
    assert served.say()[0] == 201
    assert served.say()[0] == 409
    assert served.say(label="negative")[0] == 409
    assert served.say("nonce-0002", label="negative")[0] == 201
    assert served.recorded == [("Dr. One", "case-7", "positive"), ("Dr. One", "case-7", "negative")]


def test_a_replayed_request_is_refused_after_a_restart(clinic: Clinic) -> None:
    clinic.serve("case-7")
    with serving(clinic) as served:
        assert served.say()[0] == 201
    with serving(clinic) as served:
        assert served.say()[0] == 409
        assert len(served.recorded) == 1


def test_one_reader_cannot_use_up_the_nonces_of_another(served: Served) -> None:
    assert [served.say(token=token)[0] for token in (ONE, TWO)] == [201, 201]


def test_feedback_for_an_unknown_case_is_refused(served: Served) -> None:
    status, _, said = served.say(case_id="case-8")
    assert (status, said) == (404, {"error": "no such case was served"})
    assert served.say(case_id=None, pixels_sha256="ab" * 32)[0] == 404
    assert served.recorded == []


def test_a_case_that_was_served_a_moment_ago_is_known(served: Served) -> None:
    assert served.say()[0] == 201
    served.clinic.serve("case-8")
    assert served.say("nonce-0002", case_id="case-8")[0] == 201


def test_a_case_that_was_served_again_is_judged_as_it_was_served_last(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.say()[0] == 201
    served.clinic.serve("case-7", score=0.75, at="2026-02-01T00:00:00Z")
    monkeypatch.setattr("pipeline.feedback.served.FRESH_S", -1.0)
    assert served.say("nonce-0002")[0] == 201
    opinions = served.clinic.places.record.opinions()
    assert [one.predicted.score for one in opinions] == [0.25, 0.75]


@pytest.mark.parametrize("token", ["", "3" * 32, ONE[:-1], ONE.upper() + "x", "\xe4" * 32])
def test_without_a_token_that_counts_nothing_is_recorded(served: Served, token: str) -> None:
    status, headers, _ = served.say(token=token)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert served.recorded == []


def test_another_scheme_is_no_token(served: Served) -> None:
    assert served.send(b"{}", authorization=f"Basic {ONE}")[0] == 401


def test_an_oversized_request_is_refused_before_it_is_read(served: Served) -> None:
    head = b"POST /feedback HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += f"authorization: Bearer {ONE}\r\ncontent-length: 1000000000\r\n\r\n".encode()
    assert b" 413 " in served.raw(head).splitlines()[0]
    assert served.say(note="x" * 1000 + "\ud83d\ude00" * 200)[0] == 413
    assert served.recorded == []


def test_an_oversized_request_in_pieces_is_cut_off_before_its_end(served: Served) -> None:
    head = b"POST /feedback HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += f"authorization: Bearer {ONE}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    piece = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    reply = served.raw(head + 3 * piece)  # and no end
    assert b" 413 " in reply.splitlines()[0] and b"connection: close" in reply.lower()
    assert served.recorded == []


def test_a_chunked_request_that_fits_is_taken(served: Served) -> None:
    whole = json.dumps({"case_id": "case-7", "label": "unsure", "nonce": "n" * 8}).encode()
    assert served.send(iter([whole[:10], whole[10:]]))[0] == 201


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "JSON"),
        (b'{"case_id": "case-7", "label": "positive"}', "nonce"),
        (b'{"case_id": "case-7", "label": "maybe", "nonce": "abcdefgh"}', "label: got 'maybe'"),
        (b'{"case_id": "case-7", "label": "unsure", "nonce": "abcdefgh", "by": "X"}', "the token"),
        (
            b'{"case_id": "case-7", "label": "unsure", "nonce": "abcdefgh", "note": "a\\ud800"}',
            "invisible",
        ),
    ],
)
def test_a_malformed_request_says_why(served: Served, content: bytes, words: str) -> None:
    status, _, said = served.send(content)
    assert status == 400 and words in said["error"]
    assert served.recorded == []


def test_only_json_is_taken(served: Served) -> None:
    assert (
        served.send(b"label=positive", content_type="application/x-www-form-urlencoded")[0] == 415
    )


def test_a_client_that_asks_too_often_has_to_wait(clinic: Clinic) -> None:
    clinic.serve("case-7")
    with serving(clinic, replace(CONFIG, requests_per_minute=3)) as served:
        replies = [served.say(f"nonce-{number:04}") for number in range(5)]
        assert [status for status, *_ in replies] == [201, 201, 201, 429, 429]
        assert 1 <= int(replies[-1][1]["retry-after"]) <= 60
        assert served.say(token=TWO)[0] == 201  # another reader is not held up
        assert len(served.recorded) == 4


def test_guessing_tokens_is_slowed_down_and_holds_up_nobody_else(clinic: Clinic) -> None:
    clinic.serve("case-7")
    with serving(clinic, replace(CONFIG, requests_per_minute=3)) as served:
        guesses = [served.say(token=f"{number:032}")[0] for number in range(5)]
        assert guesses == [401, 401, 401, 429, 429]
        assert served.say()[0] == 201


def test_a_request_for_another_host_is_refused(served: Served) -> None:
    for host, status in (("evil.example", 400), ("localhost:1", 200), ("127.0.0.1", 200)):
        request = f"GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()
        assert f" {status} ".encode() in served.raw(request).splitlines()[0]


def test_nothing_else_is_answered(served: Served) -> None:
    assert served.get("/")[0] == 404
    assert served.get("/feedback")[0] == 405
    assert served.get("/health", "DELETE")[0] == 405
    assert served.get("/health")[::2] == (200, {"status": "ok"})


def test_clients_at_once_lose_nothing(served: Served) -> None:
    statuses: list[int] = []

    def send(name: str, token: str) -> None:
        for number in range(10):
            statuses.append(served.say(f"nonce-{name}-{number}", token)[0])

    threads = [
        threading.Thread(target=send, args=(name, token))
        for name, token in (("a", ONE), ("b", TWO), ("c", ONE))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 30 and len(served.recorded) == 30
    versions = [one.version for one in served.clinic.places.record.opinions() if "One" in one.by]
    assert versions == list(range(1, 21))


def test_the_same_request_twice_at_once_is_recorded_once(served: Served) -> None:
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(served.say()[0])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409, 409, 409, 409, 409]
    assert len(served.recorded) == 1


def test_a_record_that_was_altered_takes_nothing_and_says_so(served: Served) -> None:
    served.say()
    path = served.clinic.places.record.path
    path.write_bytes(path.read_bytes().replace(b'"positive"', b'"negative"'))
    assert served.get("/health")[0] == 503
    status, _, said = served.say("nonce-0002")
    assert status == 503 and str(path) not in said["error"]


def test_a_request_that_never_ends_is_given_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BODY_S", 0.2)
    head = b"POST /feedback HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += f"authorization: Bearer {ONE}\r\ncontent-length: 100\r\n\r\n{{".encode()
    assert b" 408 " in served.raw(head).splitlines()[0]


def test_every_answer_forbids_keeping_framing_and_guessing(served: Served) -> None:
    answers: list[Callable[[], Reply]] = [
        served.say,
        lambda: served.say(token="x"),
        lambda: served.get("/none"),
        lambda: served.get("/health"),
    ]
    for ask in answers:
        headers = ask()[1]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["content-type"] == "application/json"
