"""What is really released: the versions under the serving folder, who decided them, the ledger.

The champion is read from the destination, not from a record of what was meant to be there.
"""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.decision import Decision, Verdict, load_decision
from components.records.clock import utc_now
from components.records.errors import IntegrityError
from components.records.files import sha256_file, sha256_tree
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import recorded_name, releases
from components.records.run_files import DECISION, RELEASE_ATTESTATION
from components.release.exports import exports_of, placed_exports

INCOMING = ".incoming"


@dataclass(frozen=True)
class Champion:
    """The model now released.

    Attributes:
      version: its version number, as TensorFlow Serving counts them.
      path: the SavedModel's folder.
      sha256: hash of the whole folder, names and contents.
      decision: the decision that released it.
    """

    version: int
    path: Path
    sha256: str
    decision: Path


def versions(destination: Path) -> list[int]:
    """Version numbers in the destination (`serving/<model>`), ascending."""
    folders = destination.iterdir() if destination.is_dir() else ()
    return sorted(int(each.name) for each in folders if each.is_dir() and each.name.isdecimal())


def find_champion(destination: Path, decisions: Path) -> Champion | None:
    """The highest version in the destination; None where nothing is released.

    Args:
      destination: `serving/<model>`.
      decisions: the folder of runs, each with its `decision.json`.

    Raises:
      IntegrityError: the version's files are not those of any model that passed here, or a
        decision was edited.
    """
    found = versions(destination)
    return find_version(destination, found[-1], decisions) if found else None


def find_version(destination: Path, version: int, decisions: Path) -> Champion:
    """A version in the destination that a decision let pass, whether it is the highest or not.

    Raises:
      IntegrityError: as `find_champion`.
    """
    path = destination / str(version)
    digest = sha256_tree(path)
    for decision in sorted(decisions.glob(f"*/{DECISION}"), reverse=True):
        # Years of decisions may lie here; only one that names these files is worth checking.
        named = digest.encode() in decision.read_bytes()
        if named and _passed(load_decision(decision), digest):
            return Champion(version, path, digest, decision)
    raise IntegrityError(
        f"{path}: got SHA-256 {digest[:12]}, wanted a model that a decision under {decisions} "
        "let pass; it was altered or put there by hand: restore it, or remove the version"
    )


def _passed(decision: Decision, digest: str) -> bool:
    """Whether it let these files pass in a run, where the Evaluator worked from the model itself.

    A decision on score files knows the model by what the file says of it, which anybody can write.
    """
    return (
        decision.verdict is Verdict.PASS
        and decision.hashes["candidate"] == digest
        and any(check.check == "evaluator" for check in decision.checks)
    )


def incoming_folder(destination: Path) -> Path:
    """Where a push is prepared: beside the destination, on the same file system."""
    return destination.parent / INCOMING / destination.name


def discard_incoming(destination: Path) -> None:
    """Removes what an interrupted push left beside the destination."""
    folder = incoming_folder(destination)
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # another model's push may be in there
        folder.parent.rmdir()


def record_release(ledger: Ledger, champion: Champion, *, workspace: Path) -> bool:
    """Writes a release entry for the champion, unless the ledger has one for this version.

    A run that was killed between the push and the entry leaves a release that only the next run
    can write down; so this is asked on every run, and does nothing where nothing is missing.

    Returns:
      Whether an entry was missing.
    """
    destination = recorded_name(champion.path.parent, workspace)
    known = {
        (release.version, release.model_sha256)
        for release in releases(ledger.entries())
        if release.destination == destination
    }
    if (champion.version, champion.sha256) in known:
        return False
    envelope = champion.decision.with_name(RELEASE_ATTESTATION)
    decision = load_decision(champion.decision)
    body: dict[str, Any] = {
        "destination": destination,
        "version": champion.version,
        "model_sha256": champion.sha256,
        "run_id": champion.decision.parent.name,
        "decision_sha256": decision.decision_sha256,
        "attestation_sha256": sha256_file(envelope) if envelope.exists() else None,
    }
    placed = exports_of(workspace, champion.path.parent) / str(champion.version)
    if exports := placed_exports(placed, decision):
        body["exports"] = exports
    ledger.append("release", body, by="casegate", at=utc_now())
    return True
