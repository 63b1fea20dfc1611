"""Intermediate files that retention removed: named by lists, which the ledger vouches for."""

from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from components.records.errors import IntegrityError
from components.records.files import sha256_file
from components.records.ledger.ledger import Entry
from pipeline.evidence.subject import Evidence


def removed_folders(evidence: Evidence) -> dict[str, int]:
    """The ledger's entry by folder, for the outputs of executions that retention removed.

    Folders are named as `folder_of` names them.

    Raises:
      IntegrityError: a list is gone, or is not the one that the ledger names.
    """
    return {
        folder_of(row["path"]): entry.seq
        for entry in evidence.entries
        if entry.kind == "retention"
        for row in _rows(evidence.workspace.root / entry.body["list"], entry)
    }


def folder_of(uri: str | None) -> str:
    """COMPONENT/CHANNEL/EXECUTION: stays the same when a workspace is moved."""
    return "/".join(PurePosixPath(uri or "").parts[-3:])


def _rows(path: Path, entry: Entry) -> list[dict[str, Any]]:
    named = f"entry {entry.seq} of the ledger names"
    try:
        if sha256_file(path) == entry.body["list_sha256"]:
            return list(orjson.loads(path.read_bytes())["removed"])
    except OSError as error:
        words = f"cannot be read: {error.strerror}, though {named} it; restore it"
        raise IntegrityError(f"{path}: {words}") from error
    raise IntegrityError(f"{path}: is not the list that {named}; restore it")
