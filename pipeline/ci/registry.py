"""What is released and how it scores, where CI can read it: a folder or a bucket.

`champion.json` names the model and, for each case set by its Merkle root, the file with its scores.
That file is written first and under a name of its content, so that a reader always finds a pair
that fits together. A registry can be absent, as on a fork without secrets; what is there has to be
whole.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.baselines.scores import (
    CaseScores,
    scores_document,
    scores_from_document,
    sound_row,
)
from components.records.errors import IntegrityError, SourceError
from components.records.rows import json_with_rows
from components.records.schema import Rows, parse_json
from pipeline.ci.store import FileStore, open_store

CHAMPION = "champion.json"
VERSION = 1
HEX = re.compile(r"[0-9a-f]{64}")
SCORES = re.compile(r"scores/[0-9a-f]{16}-[0-9a-f]{16}\.json")


@dataclass(frozen=True)
class Published:
    """The model that is released.

    Attributes:
      released: when, ISO 8601 in UTC.
      files: by Merkle root of a case set: the file with its scores, and that file's SHA-256.
    """

    version: int
    model_sha256: str
    released: str
    decision_sha256: str
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "schema_version": VERSION,
            "version": self.version,
            "model_sha256": self.model_sha256,
            "released": self.released,
            "decision_sha256": self.decision_sha256,
            "case_sets": {
                root: {"scores": name, "sha256": sha256}
                for root, (name, sha256) in sorted(self.files.items())
            },
        }


@dataclass(frozen=True)
class Registry:
    """One that was there and could be read."""

    store: FileStore
    champion: Published

    @property
    def said(self) -> str:
        return f"version {self.champion.version} in {self.store.said}"

    def scores(self, root: str) -> CaseScores | None:
        """The released model's scores of the case set with this Merkle root; None for none.

        Raises:
          IntegrityError: they are not those that `champion.json` names.
          SourceError: they cannot be read.
        """
        if root not in self.champion.files:
            return None
        name, sha256 = self.champion.files[root]
        where, content = f"{self.store.said}/{name}", self.store.read(name)
        if content is None:
            raise IntegrityError(f"{where}: is gone, though {CHAMPION} names it; publish again")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise IntegrityError(f"{where}: is not what {CHAMPION} names; publish again")
        scores = parse_scores(content, where)
        if scores.model_sha256 != self.champion.model_sha256 or scores.scored_case_set != root:
            raise IntegrityError(f"{where}: another model's or another case set's scores")
        return scores


def find_registry(address: str) -> tuple[Registry | None, str]:
    """The registry at an address, and one line on it; None where nothing is there to be had.

    Raises:
      ConfigError: no such kind of address.
      IntegrityError: what is there was damaged.
    """
    store = open_store(address)
    try:
        content = store.read(CHAMPION)
    except SourceError as error:
        return None, f"{error}; only golden is compared with"
    if content is None:
        return None, f"{store.said}: nothing published yet; only golden is compared with"
    champion = _parsed(content, f"{store.said}/{CHAMPION}")
    found = Registry(store, champion)
    return found, f"{found.said}, released {champion.released}"


def publish(store: FileStore, champion: Published, scores: Mapping[str, CaseScores]) -> Published:
    """Writes scores by Merkle root, and then that `champion` is released.

    Raises:
      SourceError: the place cannot be written to.
    """
    files = {}
    for root, one in scores.items():
        header, rows = scores_document(one)
        content = json_with_rows(header, "scores", rows)
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"scores/{root[:16]}-{sha256[:16]}.json"
        store.write(name, content)
        files[root] = (name, sha256)
    told = Published(**{**vars(champion), "files": files})
    store.write(CHAMPION, json.dumps(told.document(), indent=2).encode() + b"\n")
    return told


def parse_scores(content: bytes, where: str) -> CaseScores:
    """Scores out of the bytes of a scores.json; IntegrityError where they are not sound."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise IntegrityError(f"{where}: not UTF-8 text") from None
    document = parse_json(text, "case_scores", where=where, rows=Rows("scores", sound_row))
    return scores_from_document(document, where=where)


def _parsed(content: bytes, where: str) -> Published:
    try:
        document = json.loads(content)
        files = {
            _fitting(HEX, root): (_fitting(SCORES, one["scores"]), _fitting(HEX, one["sha256"]))
            for root, one in document["case_sets"].items()
        }
        if document["schema_version"] != VERSION or type(document["version"]) is not int:
            raise ValueError
        return Published(
            version=document["version"],
            model_sha256=_fitting(HEX, document["model_sha256"]),
            released=str(document["released"]),
            decision_sha256=_fitting(HEX, document["decision_sha256"]),
            files=files,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise IntegrityError(
            f"{where}: no account of a released model; publish again with `casegate ci publish`"
        ) from None


def _fitting(pattern: re.Pattern[str], text: Any) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(text)
    return text
