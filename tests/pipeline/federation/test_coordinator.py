"""Rounds by real processes and messages, with sites that are late, killed, or lie."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.federation.tuning import GRID
from components.federation.updates import hash_weights
from components.records.errors import DeviceLost, IntegrityError
from pipeline.federation.carrier import Carrier, pack, start_carrier, unpack
from pipeline.federation.coordinator import FederatedTraining, scores_of
from pipeline.federation.rounds import checkpoint_path
from pipeline.settings.federation import FederationConfig
from pipeline.settings.sections import ModelConfig
from tests.pipeline.federation.keys import free_address, make_keys, needs_flower

pytestmark = [pytest.mark.process, pytest.mark.tensorflow, needs_flower]
SITES = ("north", "south", "west")
BEFORE = {"000.kernel": np.zeros((2, 3), np.float32), "001.bias": np.zeros(3, np.float32)}
REGISTERED = {
    **{"examples": 80, "positives": 30, "tuning_cases": 20, "training_cases": 100},
    **{"training_root": "a" * 64, "data_sha256": "b" * 64},
}
# Ten positives score .9, ten negatives .2.
COUNTS = {
    "positives": [10 if each <= 0.9 else 0 for each in GRID],
    "negatives": [10 if each <= 0.2 else 0 for each in GRID],
}
Reply = Callable[[Mapping[str, Any], bytes], tuple[dict[str, Any], bytes]]


def honest(asked: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    """A site that moves every weight by 1."""
    if asked["do"] == "hello":
        return dict(REGISTERED), b""
    if asked["do"] == "tune":
        return dict(COUNTS), b""
    if asked["do"] == "end":
        return {}, b""
    moved = {name: each + 1 for name, each in unpack(payload).items()}
    return {"round": asked["round"], "examples": 80, "positives": 30}, pack(moved)


def lying(change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Reply:
    """An honest site but for what `change` does to the words and the weights of each round."""

    def reply(asked: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        words, sent = honest(asked, payload)
        if asked["do"] != "train":
            return words, sent
        weights: dict[str, Any] = dict(unpack(sent))
        change(words, weights)
        return words, pack(weights)

    return reply


class Hospitals:
    """The folders of a coordinator and three sites, and the sites' processes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        make_keys(folder / "keys", SITES)
        self.folder, self.stack = folder, stack
        self.asked: list[tuple[str, int | None]] = []

    def training(self, **settings: Any) -> FederatedTraining:
        keys = self.folder / "keys"
        how = FederationConfig(
            **{
                "address": free_address(),
                "certificate": str(keys / "coordinator.pem"),
                "key": str(keys / "coordinator.key"),
                "ca": str(keys / "ca.pem"),
                "sites": {site: str(keys / f"{site}.pub") for site in SITES},
                "rounds": 2,
                "wait_minutes": 2,
                **settings,
            }
        )
        return FederatedTraining(ModelConfig(), how, self.folder, {"edition": how.edition})

    def join(self, training: FederatedTraining, site: str, reply: Reply = honest) -> Carrier:
        given = {"address": training.how.address, "ca": training.how.ca}
        given["key"] = str(self.folder / "keys" / site)
        log = self.folder / f"{site}.log"
        carrier = self.stack.enter_context(start_carrier("site", given, log))
        threading.Thread(target=self._answer, args=(site, carrier, reply), daemon=True).start()
        return carrier

    def _answer(self, site: str, carrier: Carrier, reply: Reply) -> None:
        known = False
        with suppress(DeviceLost, ValueError):  # it was killed, or the test is over
            while True:
                told, payload = carrier.hear()
                if "asked" in told:
                    asked = told["asked"]
                    self.asked.append((site, asked.get("round")))
                    words, sent = reply(asked, payload)
                    known = known or asked["do"] == "hello"
                    words = words if known else {"refused": "asked before it registered"}
                    carrier.tell({"nonce": asked["nonce"], **words}, sent)


@pytest.fixture
def hospitals(tmp_path: Path) -> Iterator[Hospitals]:
    with ExitStack() as stack:
        yield Hospitals(tmp_path, stack)


def test_rounds_end_in_one_model_and_a_record_of_each(hospitals: Hospitals) -> None:
    training = hospitals.training()
    for site in SITES:
        hospitals.join(training, site)
    weights, found = training.run(BEFORE, b"")
    assert all((each == 2).all() for each in weights.values())
    record = found["federation"]
    assert [sorted(each["sites"]) for each in record["rounds"]] == [list(SITES)] * 2
    sent = record["rounds"][0]["sites"]["north"]
    assert sent["sha256"] == hash_weights({name: each + 1 for name, each in BEFORE.items()})
    assert record["weights_sha256"] == hash_weights(weights)
    assert record["sites"]["south"]["training_root"] == "a" * 64
    assert (found["operating_point"], found["tuning_auc"]) == (pytest.approx(0.5505), 1.0)
    assert (found["tuning_cases"], found["training_cases"]) == (60, 240)
    assert found["tuning_sensitivity"]["estimate"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, why",
    [
        (lambda words, weights: weights["001.bias"].fill(np.nan), "001.bias: got 3 values that"),
        (lambda words, weights: weights.update({"001.bias": np.zeros((9,), "f4")}), "shape of"),
        (lambda words, weights: words.update(examples=10**12), "examples: got 1000000000000"),
        (lambda words, weights: words.update(round=7), "round: got 7, wanted 1"),
        (lambda words, weights: weights.clear(), "weights: got none of"),
        (lambda words, weights: words.update(nonce="0"), "answered something else"),
        (lambda words, weights: weights.update(x=np.zeros(10**6)), "it sent more than"),
    ],
)
def test_a_site_that_lies_is_left_out_and_named(
    hospitals: Hospitals, change: Any, why: str
) -> None:
    training = hospitals.training(rounds=1)
    for site in SITES:
        hospitals.join(training, site, lying(change) if site == "west" else honest)
    weights, found = training.run(BEFORE, b"")
    (round_,) = found["federation"]["rounds"]
    assert (sorted(round_["sites"]), list(round_["left_out"])) == (["north", "south"], ["west"])
    assert why in round_["left_out"]["west"]
    assert (weights["000.kernel"] == 1).all()


def test_too_few_usable_sites_end_the_run_in_a_line(hospitals: Hospitals) -> None:
    training = hospitals.training(rounds=1)
    nan = lying(lambda words, weights: weights["001.bias"].fill(np.nan))
    for site in SITES:
        hospitals.join(training, site, honest if site == "north" else nan)
    with pytest.raises(DeviceLost, match=r"round 1: got usable answers of 1 sites, wanted 2"):
        training.run(BEFORE, b"")


@pytest.mark.slow
def test_a_site_that_is_killed_is_back_in_a_later_round(hospitals: Hospitals) -> None:
    training = hospitals.training(rounds=4)

    def slow(asked: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        # As long as it takes until a site that was killed can join again.
        time.sleep(30 if asked.get("round") == 3 else 0)
        return honest(asked, payload)

    def last(asked: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        if asked.get("round") == 2:
            west.child.kill()
            threading.Timer(22, hospitals.join, (training, "west")).start()
        return honest(asked, payload)

    hospitals.join(training, "north", slow)
    hospitals.join(training, "south")
    west = hospitals.join(training, "west", last)
    _, found = training.run(BEFORE, b"")
    first, second, _, fourth = (each["sites"] for each in found["federation"]["rounds"])
    assert "west" in first and "west" not in second and "west" in fourth


@pytest.mark.slow
def test_a_late_site_is_left_out_of_its_round(
    hospitals: Hospitals, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = hospitals.training(rounds=1, wait_minutes=1)

    def late(asked: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        time.sleep(100 if asked["do"] == "train" else 0)
        return honest(asked, payload)

    for site in SITES:
        hospitals.join(training, site, late if site == "west" else honest)
    _, found = training.run(BEFORE, b"")
    assert found["federation"]["rounds"][0]["left_out"] == {"west": "it did not answer in time"}


def test_a_killed_coordinator_goes_on_after_the_last_round(hospitals: Hospitals) -> None:
    first = hospitals.training(rounds=3)

    def stop(asked: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        words, sent = honest(asked, payload)
        return ({"round": 0}, b"") if asked.get("round") == 3 else (words, sent)

    for site in SITES:
        hospitals.join(first, site, stop)
    with pytest.raises(DeviceLost, match="round 3"):
        first.run(BEFORE, b"")
    hospitals.asked.clear()
    again = hospitals.training(rounds=3)
    for site in SITES:
        hospitals.join(again, site)
    weights, found = again.run(BEFORE, b"")
    assert {number for _, number in hospitals.asked if number} == {3}
    assert (weights["000.kernel"] == 3).all() and len(found["federation"]["rounds"]) == 3


def test_a_checkpoint_of_another_training_is_refused(hospitals: Hospitals) -> None:
    training = hospitals.training(edition="2")
    other = hospitals.training(edition="1")
    path = checkpoint_path(hospitals.folder, other.request_sha256)
    path.write_bytes(b"no arrays")
    with pytest.raises(IntegrityError, match="cannot be read"):
        other.run(BEFORE, b"")
    path.rename(training.path)
    with pytest.raises(IntegrityError, match="remove it, and the training begins anew"):
        training.run(BEFORE, b"")


def test_counts_have_the_scores_that_they_came_from() -> None:
    from components.federation.tuning import count_scores

    scores, labels = np.float64([0.25, 0.5, 0.75, 1.0]), np.array([0, 1, 0, 1])
    found, kinds = scores_of([count_scores("north", scores, labels)])
    assert sorted(zip(found.tolist(), kinds.tolist())) == list(zip(scores, labels))
