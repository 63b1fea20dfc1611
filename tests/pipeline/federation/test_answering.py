"""A hospital answers what its own settings say, and of its data only what the page lists."""

import json
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.federation.updates import hash_weights
from components.lineage.training import TrainingRow, write_manifest
from pipeline.federation.answering import JoinedSite
from pipeline.federation.carrier import pack, unpack
from pipeline.federation.coordinator import hash_transform
from pipeline.federation.local import (
    Rounds,
    count_tuning_scores,
    train_round,
    weights_by_name,
)
from pipeline.settings.deciding import deciding_sha256
from pipeline.settings.sections import ModelConfig
from tests.pipeline.model.test_trainer_phases import drawn

pytestmark = pytest.mark.tensorflow

MODEL = ModelConfig(image_size=16, filters=(4, 4), batch_size=8, seed=5)
PICTURES = [sha256(bytes([number])).hexdigest() for number in range(4)]
ROUND = {"do": "train", "round": 2, "rounds": 3, "epochs": 1, "proximal": 0.5}


@pytest.fixture
def site(tmp_path: Path) -> JoinedSite:
    rows = [
        TrainingRow(f"case{n}", "patient", n % 2, each, each, split="train")
        for n, each in enumerate(PICTURES)
    ]
    transform = tmp_path / "transform"
    (transform / "transform_fn").mkdir(parents=True)
    (transform / "transform_fn" / "graph").write_text("the graph")
    return JoinedSite(
        model=MODEL,
        network_sha256="c" * 64,
        transform=transform,
        train=drawn(1),
        tune=drawn(2, count=20),
        training=write_manifest(rows, tmp_path),
        data_sha256="d" * 64,
    )


def request(site: JoinedSite) -> dict[str, Any]:
    asked = {
        "model": asdict(MODEL),
        "federation": {},
        "network_sha256": "c" * 64,
        "transform_sha256": hash_transform(str(site.transform)),
        "deciding_sha256": deciding_sha256(),
    }
    return dict(json.loads(json.dumps(asked)))


def ask(site: JoinedSite, payload: bytes = b"", **asked: Any) -> tuple[dict[str, Any], bytes]:
    words, sent = site.answer({"nonce": "once", **asked}, payload)
    assert words.pop("nonce") == "once"
    return words, sent


def greet(site: JoinedSite, locked: bytes = b"", **changed: Any) -> dict[str, Any]:
    words, sent = ask(site, locked, do="hello", request={**request(site), **changed})
    assert sent == b""
    return words


def weights(site: JoinedSite) -> dict[str, Any]:
    return weights_by_name(site.network.model)


def test_a_site_registers_with_sizes_and_hashes_alone(site: JoinedSite) -> None:
    assert greet(site, bytes(32)) == {
        "examples": 32,
        "positives": 16,
        "tuning_cases": 20,
        "training_cases": 4,
        "training_root": site.training.root,
        "data_sha256": "d" * 64,
    }


@pytest.mark.parametrize(
    "name, words",
    [
        ("deciding_sha256", "here is "),
        ("network_sha256", "here is cccccccccccc; install the same version"),
        ("transform_sha256", "the coordinator has ffffffffffff"),
    ],
)
def test_another_program_than_the_site_s_is_refused(
    site: JoinedSite, name: str, words: str
) -> None:
    refused = greet(site, **{name: "f" * 64})["refused"]
    assert refused.startswith(f"{name}: ") and words in refused
    assert "refused" in ask(site, pack(weights(site)), **ROUND)[0]


def test_other_settings_of_the_model_are_refused_by_name(site: JoinedSite) -> None:
    refused = greet(site, model={**request(site)["model"], "dropout": 0.1, "seed": 6})["refused"]
    assert "differ from those here in model: dropout, seed" in refused


def test_a_coordinator_that_does_not_say_what_it_has_is_refused(site: JoinedSite) -> None:
    assert "the coordinator has None" in greet(site, network_sha256=None)["refused"]
    words, _ = ask(site, do="hello", request={})
    assert "deciding_sha256: the coordinator has None" in words["refused"]


def test_training_pictures_that_are_locked_elsewhere_keep_a_site_out(site: JoinedSite) -> None:
    locked = b"".join(map(bytes.fromhex, [PICTURES[3], "e" * 64, PICTURES[1]]))
    assert greet(site, locked)["refused"].startswith("2 of the training images here are locked")
    assert site.request is None


@pytest.mark.parametrize("asked", [ROUND, {"do": "tune"}])
def test_who_never_greeted_hears_the_kind_of_error_alone(
    site: JoinedSite, asked: dict[str, Any]
) -> None:
    assert ask(site, pack(weights(site)), **asked) == ({"refused": "ConfigError [CG2002]"}, b"")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda named: b"no arrays",
        lambda named: pack({**named, "more": np.zeros(1)}),
        lambda named: pack(dict(list(named.items())[1:])),
        lambda named: pack({name: each[..., None] for name, each in named.items()}),
    ],
    ids=["none", "one more", "one less", "another shape"],
)
def test_weights_of_another_network_are_not_trained_on(
    site: JoinedSite, spoil: Callable[[dict[str, Any]], bytes]
) -> None:
    greet(site)
    payload = spoil(weights(site))
    for asked in (ROUND, {"do": "tune"}):
        assert ask(site, payload, **asked) == ({"refused": "ConfigError [CG2002]"}, b"")
    assert site.updates == []


def test_a_round_is_trained_as_asked_and_goes_on_record(site: JoinedSite) -> None:
    greet(site)
    start = {name: each + np.float32(0.01) for name, each in weights(site).items()}
    words, sent = ask(site, pack(start), **ROUND)
    wanted, examples = train_round(
        site.network,
        site.train,
        list(start.values()),
        model=MODEL,
        rounds=Rounds(3, 1, 0.5),
        number=2,
        seed=MODEL.seed,
    )
    named = dict(zip(start, wanted))
    assert words == {
        "round": 2,
        "examples": examples,
        "sha256": hash_weights(named),
        "positives": 16,
    }
    assert hash_weights(unpack(sent)) == hash_weights(named)
    assert site.updates == [{k: words[k] for k in ("round", "examples", "sha256")}]


def test_tuning_cases_leave_as_counts_on_the_weights_that_were_sent(site: JoinedSite) -> None:
    greet(site)
    sent = {name: each + np.float32(0.05) for name, each in weights(site).items()}
    words, payload = ask(site, pack(sent), do="tune")
    site.network.model.set_weights(list(sent.values()))
    wanted = count_tuning_scores("here", site.network.model, site.tune, batch_size=32)
    assert (words, payload) == (
        {"positives": wanted.positives, "negatives": wanted.negatives},
        b"",
    )
    assert words["positives"][0] + words["negatives"][0] == 20


def test_the_coordinators_last_words_end_it(site: JoinedSite) -> None:
    assert ask(site, do="end", weights_sha256="9" * 64) == ({}, b"")
    assert site.ended is not None and site.ended["weights_sha256"] == "9" * 64
