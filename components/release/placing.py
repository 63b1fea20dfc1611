"""Puts exported artefacts in their place with a version, whole or not at all.

They are renamed there before their model's own rename makes the version, so a version that is there
has its artefacts; what a killed push placed without its model is no release, and is removed.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from components.records.files import sync, sync_tree, write_atomically
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import releases
from components.records.run_files import RELEASE_ATTESTATION
from components.release.exports import check_artefact, exports_of
from components.release.serving import discard_incoming, incoming_folder, versions


def stage_exports(
    sources: Mapping[str, Path],
    wanted: Mapping[str, str],
    *,
    model_sha256: str,
    exports: Path,
    version: int,
) -> Path:
    """Copies artefacts beside `exports`, on its file system; the folder with one for each kind.

    Args:
      sources: their folders, by kind.
      wanted: their SHA-256 (hex), by kind; of which there may be none.
      exports: `exports/MODEL`.

    Raises:
      IntegrityError: one is missing, or is another than wanted, or made from another model.
    """
    discard_incoming(exports)
    staged = incoming_folder(exports) / str(version)
    staged.mkdir(parents=True)
    for kind, sha256 in wanted.items():
        source, target = sources[kind], staged / kind
        check_artefact(source, kind=kind, sha256=sha256, model_sha256=model_sha256)
        shutil.copytree(source, target)
        check_artefact(target, kind=kind, sha256=sha256, model_sha256=model_sha256)
    return staged


def place_exports(staged: Path, exports: Path, *, signed: Path | None = None) -> None:
    """Renames the staged artefacts into `exports` together; does nothing where there are none.

    Args:
      signed: the envelope of the release, which goes into the folder of each.
    """
    kinds = list(staged.iterdir())
    if kinds:
        for folder in kinds:
            if signed is not None:
                write_atomically(folder / RELEASE_ATTESTATION, signed.read_bytes())
        sync_tree(staged)
        exports.mkdir(parents=True, exist_ok=True)
        staged.rename(exports / staged.name)
        sync(exports)
    discard_incoming(exports)


def discard_interrupted(destination: Path, workspace: Path, ledger: Ledger) -> None:
    """Removes what an interrupted push left: its copies, and artefacts without their version.

    What the ledger names stays, though its model may be retired.
    """
    exports = exports_of(workspace, destination)
    discard_incoming(destination)
    discard_incoming(exports)
    if alone := set(versions(exports)) - set(versions(destination)):
        named = {r.version for r in releases(ledger.entries()) if r.model == exports.name}
        for version in alone - named:
            shutil.rmtree(exports / str(version))
