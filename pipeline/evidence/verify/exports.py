"""Are exported artefacts still those that were judged, and those that were released."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from components.baselines.export_scores import ARTEFACT
from components.baselines.scores import load_scores
from components.decision import Decision
from components.records.export import EXPORTS, export_sha256
from components.records.files import sha256_file
from components.records.ledger.records import Release
from components.records.run_files import RELEASE_ATTESTATION
from components.release.serving import versions
from pipeline.evidence.subject import Evidence
from pipeline.evidence.verify.difference import Difference, Differences, unlike

_WHAT = "artefact"


def judged_exports(folder: Path, decision: Decision, counts: Counter[str]) -> Differences:
    """What a run's folder holds of each artefact, against what its decision says of it."""
    for export in decision.exports:
        place = folder / EXPORTS / export.kind
        if export.sha256 is not None:
            counts["judged artefacts"] += 1
            yield from unlike(_WHAT, place / ARTEFACT, export.sha256, export_sha256)
        for runtime, found in export.runtimes.items():
            if found.scores_sha256 is not None:
                counts["score files"] += 1
                scores, wanted = place / f"scores.{runtime}.json", found.scores_sha256
                yield from unlike(
                    "scores", scores, wanted, lambda path: load_scores(path).scores_sha256
                )
    yield from _unnamed(folder / EXPORTS, {export.kind for export in decision.exports}, "decision")


def released_exports(evidence: Evidence, counts: Counter[str]) -> Differences:
    """What lies in `exports/` of the workspace, against the ledger's releases.

    A version that is gone there and from its destination was retired, and is not missed.
    """
    root = evidence.workspace.root
    for release in evidence.releases:
        folder = root / release.exports_folder
        if folder.is_dir() or (release.exports and evidence.folder(release)):
            yield from _released(evidence, release, folder, counts)
    known = {root / release.exports_folder for release in evidence.releases}
    for model in _folders(root / EXPORTS):
        for version in versions(model):
            if model / str(version) not in known:
                yield Difference(_WHAT, str(model / str(version)), "no such release", "a folder")


def _released(
    evidence: Evidence, release: Release, folder: Path, counts: Counter[str]
) -> Differences:
    says = f"by entry {release.seq}"
    signed = _restored(release, evidence.releases)
    for kind, wanted in release.exports.items():
        counts["released artefacts"] += 1
        place = folder / kind
        yield from unlike(_WHAT, place, wanted, export_sha256, f"{wanted[:12]}... {says}")
        envelope = place / RELEASE_ATTESTATION
        if signed is not None and (sha256 := signed.attestation_sha256) is not None:
            yield from unlike("signature", envelope, sha256, sha256_file)
        elif signed is not None and envelope.exists():
            yield Difference("signature", str(envelope), "unsigned", "an envelope")
    yield from _unnamed(folder, set(release.exports), f"entry {release.seq}")


def _restored(release: Release, releases: Sequence[Release]) -> Release | None:
    """The release that a rollback brought back, whose signature lies beside its artefacts."""
    found: Release | None = release
    while found is not None and found.restored is not None:
        place = (found.destination, found.restored)
        found = next((r for r in releases if (r.destination, r.version) == place), None)
    return found


def _unnamed(folder: Path, kinds: set[str], where: str) -> Differences:
    for place in _folders(folder):
        if place.name not in kinds:
            yield Difference(_WHAT, str(place), f"none of this name, by {where}", "a folder")


def _folders(place: Path) -> list[Path]:
    """Those that are no one's copy in the making."""
    there = sorted(place.iterdir()) if place.is_dir() else []
    return [path for path in there if path.is_dir() and not path.name.startswith(".")]
