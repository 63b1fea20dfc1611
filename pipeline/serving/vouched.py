"""What may be served now: the newest version, where everything that vouches for it still does.

A folder under `serving/` proves nothing. A version is served only if its files are those that a
decision let pass, the ledger has its release, nobody rolled the model back since, and, where
signing is required, those who count signed it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.attestation.keys import load_trusted
from components.records.errors import IntegrityError, NothingEvaluated, SignatureError
from components.records.files import sha256_tree
from components.records.ledger.ledger import Entry, Ledger
from components.records.ledger.records import Release, recorded_name, withdrawn
from components.release.serving import Champion, find_champion, versions
from components.scoring.running import RunningModel
from components.scoring.served import probing
from pipeline.evidence.signatures import signed_statements, trusted_folder
from pipeline.evidence.subject import Evidence, Subject
from pipeline.governance.decided import find_run
from pipeline.settings.config import Config
from pipeline.settings.sections import SigningConfig
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class VouchedRelease:
    """A version that may be served, as it was when it was vouched for.

    Attributes:
      name: the model's, as requests have it.
      version: as TensorFlow Serving counts them.
      folder: of the SavedModel.
      sha256: hash of the folder.
      run_id: of the run that trained it.
      operating_point: the score, in [0, 1], at or above which its label is 1.
      signers: names of the trusted keys that signed its decision; none where that is allowed.
    """

    name: str
    version: int
    folder: Path
    sha256: str
    run_id: str
    operating_point: float
    signers: tuple[str, ...] = ()


def vouch(config: Config, workspace: Workspace) -> VouchedRelease:
    """The version that may be served; takes the time of hashing its files.

    Args:
      config: of it `serving` says which model, `signing` whose signatures it needs.

    Raises:
      NothingEvaluated: nothing is released.
      IntegrityError: the newest version was altered, is not on record, or was rolled back.
      SignatureError: too few of those who count signed it.
    """
    destination = _destination(config, workspace)
    champion = find_champion(destination, workspace.runs)
    if champion is None:
        raise NothingEvaluated(
            f"{destination}: nothing is released, so there is nothing to serve; release a model "
            "first, or name its folder with --set serving.model_name"
        )
    with Evidence(workspace.root) as evidence:
        release = _recorded(evidence, champion)
        run_id = evidence.run_of(release)
        signers = _signers(evidence, Subject(run_id, release), config.signing)
        run = find_run(workspace, run_id, evidence.entries)
    return VouchedRelease(
        name=config.serving.model_name,
        version=champion.version,
        folder=champion.path,
        sha256=champion.sha256,
        run_id=run_id,
        operating_point=run.scores().operating_point,
        signers=signers,
    )


def load_vouched(release: VouchedRelease) -> RunningModel:
    """The release in a process of its own, warm; its files are hashed once more.

    Raises:
      Unservable: it cannot be loaded, or does not answer.
      IntegrityError: it was altered since it was vouched for.
    """
    model = RunningModel(release.folder, warm_with=probing())
    if sha256_tree(release.folder) != release.sha256:
        model.close()
        raise IntegrityError(f"{release.folder}: was altered while it was loaded")
    return model


def release_state(config: Config, workspace: Workspace) -> object:
    """What changes whenever `vouch` may say something else; to be compared for equality.

    It reads names and times alone, so it may be asked several times a second. Files that are
    altered in place change it only where it is asked after the next release.
    """
    chain = Ledger(workspace.ledger).chain
    return versions(_destination(config, workspace)), chain.state()


def rolled_back(workspace: Workspace, sha256: str) -> str | None:
    """Who rolled a model back and why, in words; None where nobody did, as far as can be known.

    What was served before an altered version came may go on being served, unless this says so.
    """
    try:
        return _withdrawal(Ledger(workspace.ledger).entries(), sha256)
    except IntegrityError:
        return None  # an altered ledger takes nothing out of service


def _withdrawal(entries: Iterable[Entry], sha256: str) -> str | None:
    for one in withdrawn(entries):
        if one.model_sha256 == sha256:
            return f"it was rolled back by {one.by} at {one.at}: {one.reason}"
    return None


def _destination(config: Config, workspace: Workspace) -> Path:
    return workspace.destination(config.serving.model_name, config.serving.directory)


def _recorded(evidence: Evidence, champion: Champion) -> Release:
    """The ledger's entry of the version, which nobody took back since."""
    name = recorded_name(champion.path.parent, evidence.workspace.root)
    key = (name, champion.version, champion.sha256)
    found = [r for r in evidence.releases if (r.destination, r.version, r.model_sha256) == key]
    if not found:
        raise IntegrityError(
            f"{champion.path}: the ledger has no release of these files as version "
            f"{champion.version}; run the pipeline again, which records one that was cut short, "
            "or remove the version"
        )
    if why := _withdrawal(evidence.entries, champion.sha256):
        raise IntegrityError(f"{champion.path}: {why}; release or roll back to another version")
    return found[-1]


def _signers(evidence: Evidence, subject: Subject, signing: SigningConfig) -> tuple[str, ...]:
    """Who signed the decision, where somebody had to."""
    mine = [release for release in evidence.releases if release.run_id == subject.run_id]
    # What was signed once has to stay so, whatever is allowed.
    if signing.unsigned and not any(release.attestation_sha256 for release in mine):
        return ()
    folder = evidence.workspace.run_folder(subject.run_id)
    keys = trusted_folder(folder, Path(signing.keys) if signing.keys else None)
    signers = {}
    for what, checked in signed_statements(evidence, subject, load_trusted(keys)):
        signers[what] = checked.signers if checked else ()
        wanted = signing.threshold if what == "decision" else 1
        if len(signers[what]) < wanted:
            raise SignatureError(
                f"{folder}: got {len(signers[what])} signatures on the {what} of {subject.name} "
                f"by keys in {keys}, wanted {wanted}; have it signed, or allow unsigned releases "
                "with signing.unsigned: true"
            )
    return signers["decision"]
