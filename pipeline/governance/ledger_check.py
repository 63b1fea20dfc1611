"""The ledger held against what it speaks of: decisions under runs/, and models being served.

The chain proves what was written down and in which order. This says whether the evidence that the
entries name is still there, as it was, and whether what is served is what was put on record.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from components.decision import load_decision
from components.records.chain import ChainContent
from components.records.errors import CasegateError, ConfigError, IntegrityError
from components.records.files import sha256_file, sha256_tree
from components.records.ledger.ledger import Entry, Ledger
from components.records.ledger.records import Release, releases
from components.records.run_files import DECISION
from components.release.serving import versions
from pipeline.governance.decided import decided_runs
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class VerifiedLedger:
    """What was checked, where all is well.

    Attributes:
      decisions: that the ledger names, each found as recorded.
      unrecorded: runs with a decision that the ledger does not know.
      versions: that are served and on record.
      older: versions that are older than the first one on record.
    """

    content: ChainContent[Entry]
    decisions: int
    unrecorded: tuple[str, ...]
    versions: int
    older: int


def verify_ledger(
    root: Path, *, holds: str | None = None, runs: Collection[str] | None = None
) -> VerifiedLedger:
    """Checks the chain, and then all that it names.

    Args:
      holds: hash of an entry that was noted elsewhere, and that has to be there; or its beginning.
      runs: ids of those whose decisions are read; None reads every one, of which there may be
        thousands.

    Raises:
      IntegrityError: names the first entry that does not fit.
    """
    workspace = Workspace(root.resolve())
    ledger = Ledger(workspace.ledger)
    content = ledger.verify()
    entries = content.entries
    if holds is not None:
        _refuse_absent(holds, entries, workspace.ledger)
    _check_evidence(entries, workspace, runs)
    named = {entry.body["run_id"] for entry in entries if entry.kind == "decision"}
    released: dict[str, list[Release]] = {}
    for release in releases(entries):
        released.setdefault(release.destination, []).append(release)
    # A destination that is an absolute name stays what it is.
    counts = [_check_served(workspace.root / name, there) for name, there in released.items()]
    return VerifiedLedger(
        content=content,
        decisions=len(named),
        unrecorded=tuple(f.name for f in decided_runs(workspace) if f.name not in named),
        versions=sum(served for served, _ in counts),
        older=sum(older for _, older in counts),
    )


def _refuse_absent(sha256: str, entries: Iterable[Entry], path: Path) -> None:
    if len(sha256) < 8:
        raise ConfigError(f"--holds: got '{sha256}', wanted at least 8 digits of an entry's hash")
    if not any(entry.entry_sha256.startswith(sha256.lower()) for entry in entries):
        raise IntegrityError(
            f"{path}: holds no entry with hash {sha256}: the ledger was rewritten or cut since "
            "that hash was noted"
        )


# Files that an entry names by path and hash.
_FILES = {"drift": ("report",), "retention": ("list",)}


def _check_evidence(
    entries: Iterable[Entry], workspace: Workspace, runs: Collection[str] | None
) -> None:
    """Raises IntegrityError for the first entry whose decision or file is not as it was."""
    read: dict[str, str] = {}
    for entry in entries:
        run_id = entry.body.get("run_id")
        if run_id and "decision_sha256" in entry.body and (runs is None or run_id in runs):
            if run_id not in read:
                read[run_id] = _hash_decision(entry, workspace)
            path, wanted = workspace.run_folder(run_id) / DECISION, entry.body["decision_sha256"]
            _hold(entry, path, "is decision", read[run_id], wanted)
        for name in _FILES.get(entry.kind, ()):
            path, wanted = workspace.root / entry.body[name], entry.body[f"{name}_sha256"]
            _hold(entry, path, "hashes to", _hash_file(entry, path), wanted)


def _hash_decision(entry: Entry, workspace: Workspace) -> str:
    try:
        return load_decision(workspace.run_folder(entry.body["run_id"]) / DECISION).decision_sha256
    except CasegateError as error:
        raise _misfit(entry, str(error)) from error


def _hash_file(entry: Entry, path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise _misfit(entry, f"{path}: {error.strerror}; restore it") from None


def _hold(entry: Entry, path: Path, verb: str, found: str, wanted: str) -> None:
    """Raises IntegrityError where a file is another than the entry names."""
    if found != wanted:
        raise _misfit(
            entry,
            f"{path} {verb} {found[:12]}..., the entry names {wanted[:12]}...; restore the "
            "recorded one from a copy",
        )


def _misfit(entry: Entry | Release, words: str) -> IntegrityError:
    return IntegrityError(f"entry {entry.seq} ({entry.kind}) does not fit: {words}")


def _check_served(destination: Path, recorded: list[Release]) -> tuple[int, int]:
    """The versions that are there and on record, and those older than the record.

    Raises:
      IntegrityError: a version is of nobody's making or was altered, or what is served is not what
        was put there last.
    """
    known = {release.version: release for release in recorded}
    first, last = min(known), recorded[-1]
    there = versions(destination)
    for version in there:
        path = destination / str(version)
        if version in known:
            release = known[version]
            if sha256_tree(path) != release.model_sha256:
                model = f"{release.model_sha256[:12]}..."
                raise _misfit(release, f"{path} is not the model {model} that it names; restore it")
        elif version > first:
            raise IntegrityError(
                f"{path}: is in no entry of the ledger; it was put there by hand, or a run was "
                "killed before it wrote it down: run again, and remove it if this stays"
            )
    if not there or there[-1] != last.version:
        raise _misfit(last, _not_served(destination, last, there))
    return len([v for v in there if v in known]), len([v for v in there if v < first])


def _not_served(destination: Path, last: Release, there: list[int]) -> str:
    served = f"{destination} serves {f'version {there[-1]}' if there else 'nothing'}"
    if last.restored is not None and last.version not in there:
        return (
            f"{served}: the rollback to version {last.restored} by {last.by} was cut short; give "
            f"`casegate rollback --to {last.restored}` again"
        )
    return f"{served}, the entry put version {last.version} there; restore it, or roll back by name"
