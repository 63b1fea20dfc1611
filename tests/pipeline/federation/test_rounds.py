"""The file of finished rounds: only the very training that wrote it goes on with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.records.errors import IntegrityError
from pipeline.federation.carrier import pack, unpack
from pipeline.federation.rounds import RoundsDone, find_rounds, keep_rounds

BEFORE = {"000.kernel": np.zeros(3, np.float32)}
AFTER = {"000.kernel": np.float32([1, 2, 3])}


def kept(path: Path, request: str = "request") -> None:
    keep_rounds(path, request, RoundsDone(AFTER, [{"round": 1}], {"north": {"examples": 3}}))


def test_what_was_kept_is_found(tmp_path: Path) -> None:
    kept(tmp_path / "rounds.npz")
    found = find_rounds(tmp_path / "rounds.npz", "request", BEFORE)
    assert found.done == [{"round": 1}] and found.sites == {"north": {"examples": 3}}
    assert found.weights["000.kernel"].tolist() == [1, 2, 3]


def test_where_nothing_was_kept_it_begins_anew(tmp_path: Path) -> None:
    found = find_rounds(tmp_path / "rounds.npz", "request", BEFORE)
    assert (found.weights, found.done) == (BEFORE, [])


def test_the_rounds_of_another_request_are_refused(tmp_path: Path) -> None:
    kept(tmp_path / "rounds.npz", "another")
    with pytest.raises(IntegrityError, match="it is of another training, or was altered; remove"):
        find_rounds(tmp_path / "rounds.npz", "request", BEFORE)


def test_rounds_of_another_network_are_refused(tmp_path: Path) -> None:
    kept(tmp_path / "rounds.npz")
    with pytest.raises(IntegrityError, match="of another training"):
        find_rounds(tmp_path / "rounds.npz", "request", {"other": BEFORE["000.kernel"]})


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rounds.npz"
    kept(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(AFTER["000.kernel"].tobytes(), BEFORE["000.kernel"].tobytes()))
    with pytest.raises(IntegrityError, match=r"cannot be read .*; remove it"):
        find_rounds(path, "request", BEFORE)
    altered = {**unpack(content), "weight.000.kernel": BEFORE["000.kernel"]}
    path.write_bytes(pack(altered))  # with a checksum that fits
    with pytest.raises(IntegrityError, match="or was altered; remove it"):
        find_rounds(path, "request", BEFORE)


RECORD = np.frombuffer(b'["no", "record"]', np.uint8)


@pytest.mark.parametrize(
    "content",
    [
        b"no arrays",
        pack(AFTER),
        pack({"record": RECORD}),
        pack({"record": RECORD[:5]}),
        pack({"record": RECORD[:0]}),
    ],
    ids=["no arrays", "no record", "a list", "half a record", "nothing"],
)
def test_what_holds_no_rounds_is_one_line(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "rounds.npz"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"it cannot be read \(.*; remove it, and the"):
        find_rounds(path, "request", BEFORE)
