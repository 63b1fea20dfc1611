"""The ledger's word on what is served: written right after a push, or by the next run."""

from pathlib import Path

from components.decision import load_decision
from components.records.clock import utc_now
from components.records.files import sha256_file
from components.records.ledger.ledger import Ledger
from components.records.ledger.places import recorded_name
from components.records.ledger.records import releases
from components.records.run_files import RELEASE_ATTESTATION
from components.release.serving import Champion


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
    ledger.append(
        "release",
        {
            "destination": destination,
            "version": champion.version,
            "model_sha256": champion.sha256,
            "run_id": champion.decision.parent.name,
            "decision_sha256": load_decision(champion.decision).decision_sha256,
            "attestation_sha256": _attestation(champion),
        },
        by="casegate",
        at=utc_now(),
    )
    return True


def _attestation(champion: Champion) -> str | None:
    """Hash of the signed statement on this release; None where nobody signed it."""
    path = champion.decision.with_name(RELEASE_ATTESTATION)
    return sha256_file(path) if path.exists() else None
