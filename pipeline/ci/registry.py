"""What is released and how it scores, where CI can read it: a folder or a bucket.

`champion.json` names the model and, for each case set by its Merkle root, the file with its scores.
That file is written first and under a name of its content, so that a reader always finds a pair
that fits together. A registry can be absent, as on a fork without secrets; what is there has to be
whole.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from components.baselines.scores import CaseScores, scores_document, scores_from_document, sound_row
from components.records.errors import ConfigError, IntegrityError, SourceError
from components.records.files import write_atomically, writing_to
from components.records.rows import json_with_rows
from components.records.schema import Rows, parse_json
from components.records.text import brief

CHAMPION = "champion.json"
VERSION = 1
HEX = re.compile(r"[0-9a-f]{64}")
SCORES = re.compile(r"scores/[0-9a-f]{16}-[0-9a-f]{16}\.json")
BUCKETS = ("s3", "gs")
RETRY_SECONDS = 15
LONGEST = 200  # characters of an error, which for a bucket may be a page
ANONYMOUS = "anonymous"  # what a public bucket of Google's is asked as


@dataclass(frozen=True)
class Folder:
    """Files by name in a folder; None for one that is not there.

    Reading and writing raise SourceError where that cannot be done, also those of a bucket.
    """

    root: Path

    @property
    def label(self) -> str:
        return str(self.root)

    def read(self, name: str) -> bytes | None:
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SourceError(f"{self.root / name}: cannot be read: {error.strerror}") from None

    def write(self, name: str, content: bytes) -> None:
        """Puts a file there whole, in place of the one that is there."""
        with writing_to(self.root / name, kind=SourceError):
            write_atomically(self.root / name, content)


@dataclass(frozen=True)
class Bucket:
    """A place in a bucket, which is reached when it is first asked.

    Attributes:
      address: as pyarrow takes it; may end with ?region=...&endpoint_override=...
    """

    address: str

    @property
    def label(self) -> str:
        return self.address.partition("?")[0].replace(f"{ANONYMOUS}@", "", 1)

    def read(self, name: str) -> bytes | None:
        with self._reaching(name, "read"), contextlib.suppress(FileNotFoundError):
            files, root = self._opened()
            with files.open_input_stream(f"{root}/{name}") as stream:
                content: bytes = stream.read()
                return content
        return None

    def write(self, name: str, content: bytes) -> None:
        with self._reaching(name, "written"):
            files, root = self._opened()
            with files.open_output_stream(f"{root}/{name}") as stream:
                stream.write(content)

    @contextlib.contextmanager
    def _reaching(self, name: str, done: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            reason = brief(error, LONGEST)
            raise SourceError(f"{self.label}/{name}: cannot be {done}: {reason}") from None

    def _opened(self) -> tuple[Any, str]:
        from pyarrow.fs import FileSystem  # type: ignore[import-untyped]

        address = self.address
        if address.startswith("gs://") and "retry_limit_seconds=" not in address:
            # Left to itself, Google's client tries for a quarter of an hour.
            address += f"{'&' if '?' in address else '?'}retry_limit_seconds={RETRY_SECONDS}"
        files, root = FileSystem.from_uri(address)
        return files, root.rstrip("/")


FileStore = Folder | Bucket


def open_store(address: str) -> FileStore:
    """The place that an address names.

    Raises:
      ConfigError: no folder, and no bucket that can be spoken to; or a password stands in it.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        return Folder(Path(address))
    if scheme not in BUCKETS:
        known = " or ".join(f"{one}://..." for one in BUCKETS)
        raise ConfigError(f"registry: got {scheme}://..., wanted a folder, {known}")
    parts = urlsplit(address)
    if parts.username not in (None, ANONYMOUS) or parts.password is not None:
        raise ConfigError(
            "registry: the address holds a key; give keys in the environment or in the files that "
            "the provider's own tools read"
        )
    return Bucket(address)


@dataclass(frozen=True)
class Published:
    """The model that is released.

    Attributes:
      released: when, ISO 8601 in UTC.
      files: by Merkle root of a case set: the file with its `scores`, and its `sha256`.
    """

    version: int
    model_sha256: str
    released: str
    decision_sha256: str
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        facts = {name: value for name, value in vars(self).items() if name != "files"}
        return {"schema_version": VERSION, **facts, "case_sets": dict(sorted(self.files.items()))}


@dataclass(frozen=True)
class Registry:
    """One that was there and could be read."""

    store: FileStore
    champion: Published

    @property
    def label(self) -> str:
        return f"version {self.champion.version} in {self.store.label}"

    def scores(self, root: str) -> CaseScores | None:
        """The released model's scores of the case set with this Merkle root; None for none.

        Raises:
          IntegrityError: they are not those that `champion.json` names.
          SourceError: they cannot be read.
        """
        if root not in self.champion.files:
            return None
        name, sha256 = (self.champion.files[root][key] for key in ("scores", "sha256"))
        where, content = f"{self.store.label}/{name}", self.store.read(name)
        if content is None:
            raise IntegrityError(f"{where}: is gone, though {CHAMPION} names it; publish again")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise IntegrityError(f"{where}: is not what {CHAMPION} names; publish again")
        scores = _parse_scores(content, where)
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
        return None, f"{store.label}: nothing published yet; only golden is compared with"
    registry = Registry(store, _parse_champion(content, f"{store.label}/{CHAMPION}"))
    return registry, f"{registry.label}, released {registry.champion.released}"


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
        files[root] = {"scores": name, "sha256": sha256}
    published = replace(champion, files=files)
    store.write(CHAMPION, json.dumps(published.document(), indent=2).encode() + b"\n")
    return published


def _parse_scores(content: bytes, where: str) -> CaseScores:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise IntegrityError(f"{where}: not UTF-8 text") from None
    document = parse_json(text, "case_scores", where=where, rows=Rows("scores", sound_row))
    return scores_from_document(document, where=where)


def _parse_champion(content: bytes, where: str) -> Published:
    try:
        document = json.loads(content)
        files = {
            root: {"scores": one["scores"], "sha256": one["sha256"]}
            for root, one in document["case_sets"].items()
        }
        hashes = [document["model_sha256"], document["decision_sha256"], *files]
        hashes += [one["sha256"] for one in files.values()]
        if (
            document["schema_version"] != VERSION
            or type(document["version"]) is not int
            or not all(map(HEX.fullmatch, hashes))
            or not all(SCORES.fullmatch(one["scores"]) for one in files.values())
        ):
            raise ValueError
        return Published(
            version=document["version"],
            model_sha256=document["model_sha256"],
            released=str(document["released"]),
            decision_sha256=document["decision_sha256"],
            files=files,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise IntegrityError(
            f"{where}: no account of a released model; publish again with `casegate ci publish`"
        ) from None
