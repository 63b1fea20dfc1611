"""An earlier version made the champion again.

TensorFlow Serving takes the highest version, so the earlier one's files go in under a new, higher
number: copied beside the destination, flushed, checked, and renamed into place whole. Nothing that
is served already is touched, and whoever reads the destination sees it before or after, never
between.

The ledger's entry is written before that rename. A crash between the two then leaves a rollback
that somebody ordered by name and that did not happen: `ledger verify` says so, the model that was
to go counts as withdrawn, and the same command, given again, carries it out under the next number.
The other way round it would leave a model in service that nobody is on record for.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.decision import load_decision
from components.records.clock import current_time
from components.records.errors import ConfigError, IntegrityError, Unservable
from components.records.files import sha256_tree, sync, sync_tree, writing_to
from components.records.ledger.ledger import Entry
from components.records.ledger.records import Release, recorded_name, releases
from components.release.exports import exports_of
from components.release.placing import place_exports, stage_exports
from components.release.serving import (
    Champion,
    discard_incoming,
    find_version,
    incoming_folder,
    versions,
)
from components.scoring.served import probe
from pipeline.governance.act import GovernedAct, governed_act


def roll_back(
    root: Path, *, to: int, by: str, reason: str, model_name: str, serving: Path | None = None
) -> Entry:
    """Makes version `to` the champion again; holds the workspace while it lasts.

    Args:
      serving: the folder that TensorFlow Serving serves from; None takes the workspace's own.

    Returns:
      The ledger's entry.

    Raises:
      ConfigError: nobody named, no such version, or it is the champion already.
      IntegrityError: the version's files are not those of a model that passed here, or an
        artefact that was released with it is gone or was altered.
      Unservable: TensorFlow Serving cannot run it.
    """
    if model_name != Path(model_name).name or model_name.startswith(".") or not model_name:
        raise ConfigError(f"--model-name: got '{model_name}', wanted a plain folder name")
    with governed_act(root, by=by, reason=reason) as act:
        destination = act.workspace.destination(model_name, serving)
        name = recorded_name(destination, act.workspace.root)
        current = _current(destination, to)
        earlier, outgoing = _servable(act, destination, to), _files_of(destination / str(current))
        if outgoing == earlier.sha256:
            raise ConfigError(
                f"--to {to}: {destination / str(current)}, the champion, is that model already"
            )
        new = _next_version(destination, name, act.entries)
        exports = exports_of(act.workspace.root, destination)
        artefacts = _released_with(earlier, name, act.entries)
        staged = _staged(artefacts, act.workspace.root, exports, new)
        incoming = _prepared(earlier, destination, new)
        body: dict[str, Any] = {
            "destination": name,
            "from_version": current,
            "to_version": to,
            "new_version": new,
            "from_model_sha256": outgoing,
            "to_model_sha256": earlier.sha256,
            "decision_sha256": load_decision(earlier.decision).decision_sha256,
        }
        if artefacts and artefacts.exports:
            body["exports"] = dict(artefacts.exports)
        entry = act.record("rollback", body)
        then = f"; entry {entry.seq} of the ledger says what was meant: mend that and run again"
        with writing_to(destination, then):
            place_exports(staged, exports)
            incoming.rename(destination / str(new))
            sync(destination)
        discard_incoming(destination)
    return entry


def _current(destination: Path, to: int) -> int:
    """The champion's version, which is another than `to`."""
    found = versions(destination)
    if to not in found:
        there = ", ".join(map(str, found)) or "no version"
        raise ConfigError(f"--to {to}: not under {destination}; there is {there}")
    if to == found[-1]:
        raise ConfigError(f"--to {to}: {destination / str(to)} is the champion already")
    return found[-1]


def _servable(act: GovernedAct, destination: Path, to: int) -> Champion:
    """The earlier version, which passed here and still runs."""
    earlier = find_version(destination, to, act.workspace.runs)
    if fault := probe(earlier.path).fault:
        raise Unservable(
            f"--to {to}: {earlier.path} cannot be served: {fault}; nothing was changed: choose "
            "another version, or train again"
        )
    return earlier


def _files_of(version: Path) -> str | None:
    """The tree's hash; None where it is in no state to have one, which may be why it has to go."""
    try:
        return sha256_tree(version)
    except IntegrityError:
        return None


def _released_with(earlier: Champion, name: str, entries: Iterable[Entry]) -> Release | None:
    """The ledger's entry of the version, which names its artefacts; None where it has none."""
    same = (name, earlier.version, earlier.sha256)
    found = (r for r in releases(entries) if (r.destination, r.version, r.model_sha256) == same)
    return next(found, None)


def _staged(earlier: Release | None, workspace: Path, exports: Path, version: int) -> Path:
    """Copies of the artefacts that were released with the version, each with its signature."""
    wanted = earlier.exports if earlier else {}
    folder = workspace / earlier.exports_folder if earlier else exports
    with writing_to(exports, "; nothing was changed: mend that and run again"):
        return stage_exports(
            {kind: folder / kind for kind in wanted},
            wanted,
            model_sha256=earlier.model_sha256 if earlier else "",
            exports=exports,
            version=version,
        )


def _next_version(destination: Path, name: str, entries: Iterable[Entry]) -> int:
    """A number above all that are or were, or that a rollback which was cut short wrote down."""
    recorded = [release.version for release in releases(entries) if release.destination == name]
    known = [version + 1 for version in versions(destination) + recorded]
    return max([int(current_time().timestamp()), *known])


def _prepared(earlier: Champion, destination: Path, version: int) -> Path:
    """A copy of the version, flushed and checked, on the destination's file system."""
    discard_incoming(destination)
    folder = incoming_folder(destination) / str(version)
    try:
        shutil.copytree(earlier.path, folder)
        if sha256_tree(folder) != earlier.sha256:
            raise IntegrityError(f"{earlier.path}: changed while it was copied; run again")
        sync_tree(folder)
    except OSError as error:
        discard_incoming(destination)
        raise ConfigError(
            f"{folder}: cannot be written: {error}; nothing was changed: mend that and run again"
        ) from error
    return folder
