"""The endpoint as a process of its own, as it runs on a server."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.feedback.record import Record
from components.records.errors import ConfigError, IntegrityError
from pipeline.feedback.endpoint import serve
from pipeline.settings.sections import FeedbackConfig
from tests.foreign import answer, needs
from tests.pipeline.feedback.making import Clinic

TOKEN = "1" * 32
COMMAND = "from pipeline.commands.feedback import feedback; feedback()"


def token_file(clinic: Clinic) -> Path:
    path = clinic.root / "tokens"
    path.write_text(f"Dr. One:{TOKEN}\n")
    path.chmod(0o600)
    return path


def refused(clinic: Clinic, **given: object) -> str:
    options = {"host": "127.0.0.1", "port": 0, "names": (), "say": print, **given}
    with pytest.raises(ConfigError) as caught:
        serve(
            clinic.places,
            clinic.served,
            FeedbackConfig(),
            token_file=token_file(clinic),
            **options,  # type: ignore[arg-type]
        )
    return str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "hospital.example"])
def test_only_loopback_is_listened_on(clinic: Clinic, host: str) -> None:
    said = refused(clinic, host=host)
    assert "--allow-remote" in said and "in the clear" in said


def test_a_port_that_is_taken_is_one_line(clinic: Clinic) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}: " in refused(clinic, port=port)


def test_an_altered_record_is_not_served(clinic: Clinic) -> None:
    clinic.serve("case-7")
    clinic.say("case-7", "positive")
    path = clinic.places.record.path
    path.write_bytes(path.read_bytes().replace(b'"positive"', b'"negative"'))
    with pytest.raises(IntegrityError):
        refused(clinic)


def test_a_missing_log_is_said_at_once(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("uvicorn.Server.run", lambda *given, **more: None)
    serve(
        clinic.places,
        clinic.served,
        FeedbackConfig(),
        token_file=token_file(clinic),
        host="127.0.0.1",
        port=0,
        names=("hospital.example",),
        say=told.append,
    )
    assert any("no case is known yet" in line for line in told)
    assert any("TLS in front of it" in line for line in told)


@contextmanager
def running(clinic: Clinic) -> Iterator[tuple[subprocess.Popen[str], int]]:
    words = ["serve", "--token-file", str(token_file(clinic)), "--port", "0"]
    words += ["--workspace", str(clinic.workspace.root)]
    words += ["--set", "feedback.requests_per_minute=100000"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                break
        else:
            raise AssertionError("it never said where it listens")
        yield process, int(found[1])
    finally:
        process.kill()
        process.wait()


def say(port: int, nonce: str, label: str = "positive") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    said = {"case_id": "case-7", "label": label, "nonce": nonce}
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    connection.request("POST", "/feedback", json.dumps(said), headers)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.process
def test_a_server_tells_no_secret_and_ends_when_told(clinic: Clinic) -> None:
    clinic.serve("case-7")
    with running(clinic) as (process, port):
        assert [say(port, "nonce-0001"), say(port, "nonce-0001"), say(port, "no")] == [
            201,
            409,
            400,
        ]
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert TOKEN not in said and "case-7" not in said and "Traceback" not in said


@pytest.mark.process
def test_a_server_killed_amid_appends_leaves_a_sound_record(clinic: Clinic) -> None:
    clinic.serve("case-7")
    acknowledged: set[str] = set()

    def send(client: str, port: int) -> None:
        for number in range(10_000):
            nonce = f"{client}-{os.getpid()}-{port}-{number:05}"
            try:
                if say(port, nonce) == 201:
                    acknowledged.add(nonce)
            except (OSError, http.client.HTTPException):
                return  # it was killed

    for kill in range(4):
        with running(clinic) as (process, port):
            clients = [threading.Thread(target=send, args=(name, port)) for name in "ab"]
            for client in clients:
                client.start()
            so_far = len(acknowledged)
            while len(acknowledged) < so_far + 8:
                time.sleep(0.01)
            time.sleep(0.007 * kill)
            os.kill(process.pid, signal.SIGKILL)
            for client in clients:
                client.join()
        opinions = Record(clinic.places.record.path).opinions()
        nonces = [one.nonce for one in opinions]
        assert acknowledged <= set(nonces) and len(nonces) == len(set(nonces))
        assert [one.version for one in opinions] == list(range(1, len(opinions) + 1))
    assert len(acknowledged) > 20
    replayed = next(iter(acknowledged))
    with running(clinic) as (_, port):
        assert say(port, replayed) == 409
        assert say(port, "nonce-after") == 201


@pytest.mark.process
def test_curl_gives_an_opinion_and_jq_reads_the_answer(clinic: Clinic) -> None:
    curl, jq = needs("curl", "Debian's curl"), needs("jq", "Debian's jq")
    clinic.serve("case-7")
    said = '{"case_id": "case-7", "label": "unsure", "nonce": "nonce-0001", "note": "Größe?"}'
    headers = ["-H", f"Authorization: Bearer {TOKEN}", "-H", "Content-Type: application/json"]
    with running(clinic) as (_, port):
        command = [curl, "-sS", "-w", "%{stderr}%{http_code}", *headers, "-d", said]
        command += [f"http://127.0.0.1:{port}/feedback"]
        first, second = (subprocess.run(command, capture_output=True) for _ in range(2))
    assert (first.stderr, second.stderr) == (b"201", b"409")
    (opinion,) = clinic.places.record.opinions()
    assert (opinion.note, opinion.by) == ("Größe?", "Dr. One")
    assert answer(jq, "-r", ".entry_sha256", given=first.stdout) == f"{opinion.entry_sha256}\n"
    assert "served" not in answer(jq, "-r", ".error", given=second.stdout)
