"""What is on record of an amendment: the ledger's entry, golden's file, and whether they agree."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.baselines.case_set import CaseSet
from components.baselines.diff import diff_case_sets
from components.baselines.golden import Golden, load_golden
from components.baselines.names import GOLDEN
from components.records.errors import IntegrityError
from components.records.ledger.entry import Entry
from pipeline.governance.case_sets import typed, typed_changes


def golden_of(path: Path) -> Golden | None:
    golden = path.parent / GOLDEN
    return load_golden(golden) if golden.exists() else None


def scored_on(golden: Golden, case_set: CaseSet) -> bool:
    return golden.scores.scored_case_set == case_set.merkle_root


def entry_of(entries: Iterable[Entry], before: CaseSet, after: CaseSet) -> Entry | None:
    """The ledger's word on the amendment of `before` to `after`.

    Taking an amendment back gives an earlier root again, so that a root alone does not name one.
    """
    made = _versions(before, after)
    for entry in entries:
        if entry.kind == "amendment" and all(entry.body[key] == made[key] for key in made):
            return entry
    return None


def _versions(before: CaseSet, after: CaseSet) -> dict[str, Any]:
    return {
        "case_set": after.name,
        "from_version": before.version,
        "from_root": before.merkle_root,
        "to_version": after.version,
        "to_root": after.merkle_root,
    }


def entry_body(
    before: CaseSet, after: CaseSet, golden: Golden | None, rescored: Golden | None
) -> dict[str, Any]:
    """The ledger's entry: what changed, spelled out, and what became of golden."""
    diff = diff_case_sets(before, after)
    changed = {
        "added": list(diff.added),
        "retired": list(diff.retired),
        "relabelled": list(diff.relabelled),
        "sentinels": list(diff.sentinels_added),
        "sentinels_removed": list(diff.sentinels_removed),
    }
    goldens = {"to_golden_sha256": golden.golden_sha256 if golden else None}
    if rescored is not None and golden is not None:
        goldens = {
            "from_golden_sha256": golden.golden_sha256,
            "to_golden_sha256": rescored.golden_sha256,
        }
    return {
        **_versions(before, after),
        "reason": after.reason,
        **{key: ids for key, ids in changed.items() if ids},
        **goldens,
    }


def refuse_unfinished(path: Path, current: CaseSet, parent: CaseSet | None) -> None:
    golden = golden_of(path)
    if golden is None or scored_on(golden, current):
        return
    if parent is not None and scored_on(golden, parent):
        done = typed_changes(diff_case_sets(parent, current))
        raise IntegrityError(
            f"{path.parent / GOLDEN}: scored on version {parent.version}: the amendment to "
            f"version {current.version} was interrupted; finish it first: casegate cases amend "
            f"{typed(str(path))} {done} --by ... --reason ..."
        )
    raise IntegrityError(
        f"{path.parent / GOLDEN}: scored on case set {golden.scores.scored_case_set[:12]}..., not "
        f"on version {current.version} ({current.merkle_root[:12]}...); restore both from version "
        "control, or approve golden anew"
    )


def refuse_other_golden(path: Path, rescored: Golden, record: Entry | None) -> None:
    """The golden that finishes an amendment has to be the one that the ledger recorded."""
    if record is not None and record.body.get("to_golden_sha256") != rescored.golden_sha256:
        raise IntegrityError(
            f"{path.parent / GOLDEN}: its model scores otherwise than when entry {record.seq} of "
            "the ledger was written; finish the amendment where it was begun, or restore the "
            "files from version control"
        )
