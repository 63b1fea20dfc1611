"""What a signed decision names and a workspace still has, to be hashed again."""

from pathlib import Path

from components.attestation.statements import CHAMPION, ENVIRONMENT, MODEL, TRAINING
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.records.ledger.records import Release
from pipeline.evidence.subject import Evidence


def subjects_there(evidence: Evidence, run_id: str) -> dict[str, Path | str]:
    """The subjects outside of a run's folder that this workspace still has, or knows by hash."""
    record, place = evidence.record(run_id), evidence.workspace
    inputs = record.inputs
    found: dict[str, Path | str | None] = {
        ENVIRONMENT: record.environment.sha256,
        TRAINING: inputs.training_root,
        MODEL: _model(evidence, run_id),
        CHAMPION: _released(evidence, inputs.champion_sha256),
    }
    kept = {
        CASE_SET: inputs.case_set_sha256,
        POLICY: inputs.policy_sha256,
        GOLDEN: inputs.golden_file_sha256,
    }
    for name, digest in kept.items():
        path = place.kept(name, digest) if digest else None
        found[name] = path if path and path.exists() else None
    return {name: it for name, it in found.items() if it is not None}


def _model(evidence: Evidence, run_id: str) -> Path | None:
    """The folder that a run's model was released to, if it was and is there."""
    for release in evidence.releases:
        if release.run_id == run_id:
            return released_folder(evidence, release)
    return None


def _released(evidence: Evidence, sha256: str | None) -> Path | None:
    """A folder that holds, by the ledger, the model with this hash."""
    for release in evidence.releases:
        if sha256 is not None and release.model_sha256 == sha256:
            return released_folder(evidence, release)
    return None


def released_folder(evidence: Evidence, release: Release) -> Path | None:
    """Where a release's files are; None where they are gone."""
    path = evidence.workspace.root / release.destination / str(release.version)
    return path if path.is_dir() else None
