"""`MANIFEST.json`: every file of a bundle with its hash and size, and one hash over them all."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.records.errors import IntegrityError
from components.records.files import canonical_json
from components.records.merkle import merkle_root
from components.records.rows import json_with_rows
from components.records.schema import parse_json

NAME = "MANIFEST.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class About:
    """What a bundle is about.

    Attributes:
      subject: as a person calls it: 'version 12'.
      destination, version: of the release; None for a run that released nothing.
      at: when the run ended, ISO 8601 in UTC; a bundle states no time of its own, so that it is
        the same whenever it is made.
      training_root, training_bytes: the training manifest, and its size where it is inside; None
        where it was left out, or where there is none.
      made_with: versions of casegate and of the libraries that wrote what is derived.
    """

    subject: str
    workspace_id: str
    run_id: str
    destination: str | None
    version: int | None
    at: str | None
    ledger_entries: int
    ledger_head: str
    training_root: str | None
    training_bytes: int | None
    made_with: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """`root`: Merkle root (hex) over the canonical JSON of `about` and each file's row, by name."""

    about: About
    root: str


def manifest_bytes(about: About, files: Mapping[str, bytes]) -> bytes:
    """The manifest of these files, of which it is none itself."""
    rows, known = _rows(files), asdict(about)
    document = {"schema_version": SCHEMA_VERSION, "about": known, "root": _root(known, rows)}
    return json_with_rows(document, "files", rows)


def check_manifest(files: Mapping[str, bytes]) -> Manifest:
    """The manifest among the files, which fits every one of them.

    Raises:
      IntegrityError: names the first file that is missing, altered or not listed.
    """
    if NAME not in files:
        raise IntegrityError(f"{NAME}: is missing; this is no bundle, or it was cut")
    try:
        text = files[NAME].decode()
    except UnicodeDecodeError:
        raise IntegrityError(f"{NAME}: is not UTF-8 text") from None
    document = parse_json(text, "bundle_manifest", where=NAME)
    listed = {row["name"]: row for row in document["files"]}
    if len(listed) < len(document["files"]):
        raise IntegrityError(f"{NAME}: lists a file twice")
    there = {row["name"]: row for row in _rows({k: v for k, v in files.items() if k != NAME})}
    for name in sorted(listed.keys() | there.keys()):
        _check_file(name, listed.get(name), there.get(name))
    if _root(document["about"], document["files"]) != document["root"]:
        raise IntegrityError(f"{NAME}: was altered: its root does not fit what it lists")
    return Manifest(About(**document["about"]), document["root"])


def _check_file(name: str, listed: dict[str, Any] | None, there: dict[str, Any] | None) -> None:
    if there is None:
        raise IntegrityError(f"{name}: is missing from the bundle; {NAME} lists it")
    if listed is None:
        raise IntegrityError(f"{name}: is not listed in {NAME}; it was added")
    for what in ("bytes", "sha256"):
        if listed[what] != there[what]:
            raise IntegrityError(
                f"{name}: was altered: its {what} is {str(there[what])[:12]}, {NAME} says "
                f"{str(listed[what])[:12]}"
            )


def _rows(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]


def _root(about: Mapping[str, Any], rows: list[dict[str, Any]]) -> str:
    return merkle_root([canonical_json(dict(about)), *map(canonical_json, rows)])
