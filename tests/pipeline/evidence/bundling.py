"""Bundles for tests, and what a forger would make of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.bundle.archive import read_archive, write_archive
from components.bundle.manifest import NAME, check_manifest, manifest_bytes
from components.records.chain import FIRST_PREVIOUS
from components.records.files import canonical_json, sha256_json
from pipeline.evidence.bundle.export import export
from pipeline.evidence.subject import Evidence
from tests.pipeline.evidence.releasing import VERSION, ReleasedRun


def bundled(run: ReleasedRun, out: Path, *, name: str = str(VERSION), **wanted: object) -> Path:
    with Evidence(run.workspace.root) as evidence:
        what: dict[str, Any] = {"cards": {}, **wanted}
        return export(evidence, evidence.subject(name), out, **what).path


def resealed(path: Path, changes: Mapping[str, bytes | None], **about_it: object) -> Path:
    """The bundle with these files changed or (None) removed, and a manifest that fits them.

    Args:
      about_it: what the manifest is to say instead of what it said.
    """
    files = read_archive(path)
    about = check_manifest(files).about
    del files[NAME]
    for name, content in changes.items():
        if content is None:
            del files[name]
        else:
            files[name] = content
    if "ledger.jsonl" in changes and changes["ledger.jsonl"]:
        lines = files["ledger.jsonl"].splitlines()
        head = json.loads(lines[-1])["entry_sha256"]
        about = replace(about, ledger_entries=len(lines), ledger_head=head)
    files[NAME] = manifest_bytes(replace(about, **about_it), files)  # type: ignore[arg-type]
    out = path.with_name("resealed.zip")
    write_archive(out, files)
    return out


def rechained(content: bytes, old: str, new: str) -> bytes:
    """The ledger with a text replaced, and every hash from there on recomputed."""
    before, lines = FIRST_PREVIOUS, []
    for line in content.splitlines():
        entry = json.loads(line.replace(old.encode(), new.encode()))
        entry["previous"] = before
        del entry["entry_sha256"]
        before = entry["entry_sha256"] = sha256_json(entry)
        lines.append(canonical_json(entry) + b"\n")
    return b"".join(lines)
