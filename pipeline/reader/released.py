"""The TF.js artefact that the reader may be made of: that of the release that may be served now."""

from pathlib import Path

from components.attestation.checking import check_exported
from components.attestation.keys import load_trusted
from components.records.errors import SignatureError
from components.records.export import TFJS
from components.release.exports import released_export
from pipeline.evidence.signatures import trusted_folder
from pipeline.evidence.subject import Evidence
from pipeline.reader.build import Artefact, load_artefact
from pipeline.serving.vouched import VouchedRelease, vouch
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace


def released_artefact(config: Config, workspace: Workspace) -> Artefact:
    """The released artefact, where all that vouches for its model and for itself still does.

    Raises:
      NothingEvaluated: nothing is released.
      ConfigError: no TF.js artefact was released with it.
      IntegrityError: the model or the artefact was altered, is not on record, or was rolled back.
      SignatureError: too few of those who count signed it.
    """
    release = vouch(config, workspace)
    with Evidence(workspace.root) as evidence:
        wanted = (release.version, release.sha256)
        *_, entry = (r for r in evidence.releases if (r.version, r.model_sha256) == wanted)
        folder = released_export(evidence.workspace.root, entry, TFJS)
    signers = _signers(config, workspace, release, folder) if release.signers else ()
    return load_artefact(folder, release.name, release.version, signers)


def _signers(
    config: Config, workspace: Workspace, release: VouchedRelease, folder: Path
) -> tuple[str, ...]:
    """Who signed the release that lies beside the artefact and names its files."""
    given = Path(config.signing.keys) if config.signing.keys else None
    keys = trusted_folder(workspace.run_folder(release.run_id), given)
    signers = check_exported(folder, trusted=load_trusted(keys)).signers
    if not signers:
        raise SignatureError(
            f"{folder}: got no signature by keys in {keys}, wanted 1; restore the artefact's "
            "signature, or run again"
        )
    return signers
