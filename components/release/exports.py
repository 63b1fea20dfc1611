"""Exported artefacts as they are released: `exports/MODEL/VERSION/KIND/` in the workspace."""

from pathlib import Path

from components.decision import Decision
from components.records.errors import ConfigError, IntegrityError
from components.records.export import EXPORTS, export_sha256, load_export_record
from components.records.ledger.records import Release


def exports_of(workspace: Path, destination: Path) -> Path:
    """`exports/MODEL`, where the artefacts of a destination's versions lie."""
    return workspace / EXPORTS / destination.name


def check_artefact(folder: Path, *, kind: str, sha256: str, model_sha256: str) -> None:
    """Raises IntegrityError unless the folder holds just this artefact, made from this model."""
    record = load_export_record(folder)
    named = (("SHA-256", export_sha256(folder), sha256), ("kind", record.kind, kind))
    for what, got, wanted in (*named, ("made from model", record.model_sha256, model_sha256)):
        if got != wanted:
            raise IntegrityError(
                f"{folder}: {what}: got {got[:12]}, wanted {wanted[:12]}; it is not the artefact "
                "that was judged: restore it, or run again"
            )


def placed_exports(folder: Path, decision: Decision) -> dict[str, str]:
    """The artefacts that passed, all of which lie in a version's folder.

    Raises:
      IntegrityError: one does not.
    """
    for kind, sha256 in decision.passed_exports.items():
        model = str(decision.hashes["candidate"])
        check_artefact(folder / kind, kind=kind, sha256=sha256, model_sha256=model)
    return decision.passed_exports


def released_export(workspace: Path, release: Release, kind: str) -> Path:
    """The folder of an artefact that was released with a version, as the ledger names it.

    Raises:
      ConfigError: none of this kind was released with it.
      IntegrityError: it is gone, or was altered since.
    """
    if kind not in release.exports:
        there = ", ".join(release.exports) or "none"
        raise ConfigError(
            f"{release.destination} version {release.version}: no artefact {kind} was released "
            f"with it; there is {there}: name it in the configuration's exports, and run again"
        )
    folder = workspace / release.exports_folder / kind
    wanted = {"sha256": release.exports[kind], "model_sha256": release.model_sha256}
    check_artefact(folder, kind=kind, **wanted)
    return folder
