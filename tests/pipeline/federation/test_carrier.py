"""Flower carries messages between processes: by TLS, from known keys alone, as they were sent."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.records.errors import ConfigError, DeviceLost
from pipeline.federation import carrier
from pipeline.federation.carrier import Carrier, pack, start_carrier, unpack
from tests.pipeline.federation.keys import free_address, make_keys, needs_flower

pytestmark = pytest.mark.process
MOST = 10_000_000


class Federation:
    """A coordinator that knows the sites `north` and `south`, and who joins it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        make_keys(folder, ["north", "south", "stranger"])
        self.folder, self.stack, self.address = folder, stack, free_address()
        known = {site: (folder / f"{site}.pub").read_text() for site in ("north", "south")}
        served = {name: str(folder / f"coordinator.{name}") for name in ("pem", "key")}
        given = {"address": self.address, "folder": str(folder / "flower"), "sites": known}
        given |= {"ca": str(folder / "ca.pem"), "certificate": served["pem"], "key": served["key"]}
        self.coordinator = self._start("coordinator", given)
        assert self.coordinator.hear(120)[0] == {"ready": True}

    def join(self, site: str, ca: str = "ca.pem") -> Carrier:
        given = {"address": self.address, "ca": str(self.folder / ca)}
        return self._start("site", {**given, "key": str(self.folder / site)})

    def wait_for(self, *sites: str) -> None:
        present: list[str] = []
        while present != list(sites):
            time.sleep(0.2)
            self.coordinator.tell({"do": "present"})
            present = self.coordinator.hear(60)[0]["present"]

    def ask(
        self, *sites: str, payload: bytes = b"", timeout_s: float = 60, most_bytes: int = MOST
    ) -> dict[str, tuple[dict[str, Any], bytes]]:
        asked = {"words": {site: {"you": site} for site in sites}, "most_bytes": most_bytes}
        self.coordinator.tell({"do": "ask", "timeout_s": timeout_s, **asked}, payload)
        answers = {}
        while "end" not in (told := self.coordinator.hear(120))[0]:
            answers[told[0].pop("site")] = told
        return answers

    def _start(self, kind: str, given: dict[str, Any]) -> Carrier:
        return self.stack.enter_context(start_carrier(kind, given, self.folder / "log"))


def echo(site: Carrier) -> None:
    """Sends back what it is asked, and how often it was asked."""

    def answer() -> None:
        with suppress(DeviceLost):  # the test is over
            for count in range(1, 100):
                while "asked" not in (told := site.hear())[0]:
                    pass
                site.tell({**told[0], "count": count}, told[1])

    threading.Thread(target=answer, daemon=True).start()


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with ExitStack() as stack:
        yield Federation(tmp_path, stack)


@needs_flower
def test_messages_arrive_as_they_were_sent(federation: Federation) -> None:
    for site in ("north", "south"):
        echo(federation.join(site))
    federation.wait_for("north", "south")
    payload = np.random.default_rng(0).bytes(3_000_000)
    for count in (1, 2):
        answers = federation.ask("north", "south", payload=payload)
        for site in ("north", "south"):
            words = {"answer": {"asked": {"you": site}, "count": count}}
            assert answers[site] == (words, payload)


@needs_flower
def test_a_site_without_a_known_key_is_refused(federation: Federation) -> None:
    told, _ = federation.join("stranger").hear(60)
    assert told == {"fault": "No SuperNode found with the given public key."}


@needs_flower
def test_a_coordinator_of_another_authority_is_not_spoken_to(federation: Federation) -> None:
    make_keys(federation.folder / "other", [])
    with pytest.raises(TimeoutError):
        federation.join("north", ca="other/ca.pem").hear(20)
    federation.wait_for()


@needs_flower
def test_who_is_late_or_gone_or_sends_too_much_is_named(federation: Federation) -> None:
    late, south = federation.join("north"), federation.join("south")
    echo(south)
    federation.wait_for("north", "south")
    answers = federation.ask("north", "south", payload=bytes(10_000), timeout_s=8, most_bytes=5_000)
    assert answers["north"][0] == {"fault": "it did not answer in time"}
    assert answers["south"][0] == {"fault": "it sent more than 5000 bytes"}
    late.child.kill()
    south.child.terminate()
    assert federation.ask("north", "south")["north"][0] == {"fault": "it is gone"}


@needs_flower
def test_the_coordinator_opens_one_port_and_a_site_none(federation: Federation) -> None:
    north = federation.join("north")
    federation.wait_for("north")
    port = int(federation.address.rpartition(":")[2])
    assert _listening(federation.coordinator.child.pid) == {port}
    assert _listening(north.child.pid) == set()


def _listening(process: int) -> set[int]:
    import psutil

    found = psutil.Process(process).net_connections("inet")
    return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}


@needs_flower
def test_the_program_ends_with_who_started_it(federation: Federation) -> None:
    child = federation.join("north").child
    assert child.stdin
    child.stdin.close()
    assert child.wait(30) == 0


@needs_flower
def test_the_end_of_the_program_is_one_line(federation: Federation) -> None:
    federation.coordinator.child.kill()
    with pytest.raises(DeviceLost, match="carries messages by Flower ended with SIGKILL"):
        federation.coordinator.hear(30)


def test_without_flower_the_line_says_what_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "BUILT", tmp_path)
    with (
        pytest.raises(ConfigError, match=r"make flower"),
        start_carrier("site", {}, tmp_path / "l"),
    ):
        pass


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    sent = {"000.kernel": np.float32([[1.5, -0.0]]), "001.bias": np.zeros((0,), np.float16)}
    got = unpack(pack(sent))
    assert list(got) == list(sent)
    assert all(got[name].tobytes() == each.tobytes() for name, each in sent.items())


@pytest.mark.parametrize("payload", [b"", b"PK", pack({"a": np.ones(3)})[:-30]])
def test_what_is_no_arrays_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="no arrays"):
        unpack(payload)


def test_pickled_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        unpack(pack({"a": np.array([{}], dtype=object)}))
