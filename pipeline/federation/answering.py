"""A hospital's side of a federated training: what it answers, from its own admitted data.

What the coordinator asks for has to be what the site's own settings say: it chooses no code, no
network and no data here. Weights, counts and hashes leave; no picture, no score, no name does.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from components.federation.updates import hash_weights
from components.lineage.training import TrainingData, read_manifest
from components.records import events
from components.records.errors import CasegateError, ConfigError
from pipeline.federation.carrier import pack, unpack
from pipeline.federation.coordinator import hash_transform
from pipeline.federation.local import (
    Rounds,
    count_tuning_scores,
    train_round,
    weights_by_name,
)
from pipeline.model.batches import Records
from pipeline.model.networks.building import build
from pipeline.model.networks.contract import Network
from pipeline.settings.deciding import deciding_sha256
from pipeline.settings.sections import ModelConfig

Answered = tuple[dict[str, Any], bytes]


@dataclass
class JoinedSite:
    """What a site has, and what it did with it.

    Attributes:
      train, tune: the splits of its admitted data.
      training: the manifest of both, which stays here.
      updates: of each weights that were sent, round, examples and SHA-256.
      ended: the last words of the coordinator; None before.
    """

    model: ModelConfig
    network_sha256: str
    transform: Path
    train: Records
    tune: Records
    training: TrainingData
    data_sha256: str
    request: Mapping[str, Any] | None = None
    updates: list[dict[str, Any]] = field(default_factory=list)
    ended: Mapping[str, Any] | None = None

    def answer(self, asked: Mapping[str, Any], payload: bytes) -> Answered:
        """What to send back; of what goes wrong here, the coordinator hears the kind alone."""
        known: dict[str, Callable[[Mapping[str, Any], bytes], Answered]] = {
            "hello": self._register,
            "train": self._train,
            "tune": self._count,
            "end": self._end,
        }
        try:
            words, sent = known[asked["do"]](asked, payload)
        except CasegateError as error:
            events.publish("notice", detail=f"refused to {asked['do']}: {error}")
            kind = f"{type(error).__name__} [{error.code}]"
            words, sent = {"refused": str(error) if asked["do"] == "hello" else kind}, b""
        return {**words, "nonce": asked["nonce"]}, sent

    @cached_property
    def network(self) -> Network:
        return build(self.model)

    def _register(self, asked: Mapping[str, Any], locked: bytes) -> Answered:
        request = asked["request"]
        here = {
            "deciding_sha256": deciding_sha256(),
            "model": json.loads(json.dumps(asdict(self.model))),
            "network_sha256": self.network_sha256,
            "transform_sha256": hash_transform(str(self.transform)),
        }
        for name, own in here.items():
            if (got := request.get(name)) != own:
                raise ConfigError(_difference(name, got, own))
        if shared := self._count_locked(locked):
            raise ConfigError(
                f"{shared} of the training images here are locked cases of the coordinator, "
                "wanted none; leave them out"
            )
        self.request = request
        registered = {
            "examples": self.train.count,
            "positives": self.train.positives,
            "tuning_cases": self.tune.count,
            "training_cases": self.training.cases,
            "training_root": self.training.root,
            "data_sha256": self.data_sha256,
        }
        return registered, b""

    def _count_locked(self, locked: bytes) -> int:
        known = {locked[at : at + 32] for at in range(0, len(locked), 32)}
        rows = read_manifest(self.training.path, root=self.training.root)
        return sum(bytes.fromhex(row.pixels_sha256) in known for row in rows)

    def _train(self, asked: Mapping[str, Any], payload: bytes) -> Answered:
        number = int(asked["round"])
        events.publish("progress", detail=f"round {number}/{asked['rounds']}")
        weights, examples = train_round(
            self.network,
            self.train,
            self._weights(payload),
            model=self.model,
            rounds=Rounds(asked["rounds"], asked["epochs"], asked["proximal"]),
            number=number,
            seed=self.model.seed,
        )
        named = dict(zip(weights_by_name(self.network.model), weights))
        record = {"round": number, "examples": examples, "sha256": hash_weights(named)}
        self.updates.append(record)
        return {**record, "positives": self.train.positives}, pack(named)

    def _count(self, asked: Mapping[str, Any], payload: bytes) -> Answered:
        network = self.network.model
        network.set_weights(self._weights(payload))
        size = 4 * self.model.batch_size
        counts = count_tuning_scores("here", network, self.tune, batch_size=size)
        return {"positives": counts.positives, "negatives": counts.negatives}, b""

    def _end(self, asked: Mapping[str, Any], payload: bytes) -> Answered:
        self.ended = asked
        return {}, b""

    def _weights(self, payload: bytes) -> list[np.ndarray]:
        if self.request is None:
            raise ConfigError("asked before it registered")
        wanted = weights_by_name(self.network.model)
        try:
            sent = unpack(payload)
        except ValueError as error:
            raise ConfigError(f"the coordinator sent {error}") from None
        shapes = {name: each.shape for name, each in sent.items()}
        if shapes != {name: each.shape for name, each in wanted.items()}:
            raise ConfigError("the coordinator sent weights of another network")
        return list(sent.values())


def _difference(name: str, got: Any, wanted: Any) -> str:
    if isinstance(got, Mapping):
        keys = sorted(k for k in {*got, *wanted} if got.get(k, ...) != wanted.get(k, ...))
        return (
            f"the coordinator's settings differ from those here in {name}: {', '.join(keys)}; "
            "agree on one configuration"
        )
    return (
        f"{name}: the coordinator has {str(got)[:12]}, here is {str(wanted)[:12]}; install the "
        "same version of casegate and of all packages"
    )
