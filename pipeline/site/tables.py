"""Tables that several pages show: releases, runs, and when each version served."""

from collections.abc import Iterable, Sequence

from components.records.ledger.records import Release
from pipeline.evidence.answer import Table
from pipeline.site.catalogue import Catalogue, RunLine

_RUN_LINKS = {
    "run": "run",
    "version": "release",
    "candidate": "sha256",
    "case_set": "case_set",
}


def run_table(runs: Sequence[RunLine], title: str) -> Table:
    """One row per run, in their order, by the ledger alone."""
    rows = tuple(
        (
            run.state,
            run.run_id,
            run.started,
            run.verdict,
            run.exit_code,
            run.version,
            run.case_set,
            run.candidate_sha256,
        )
        for run in runs
    )
    columns = ("state", "run", "started", "verdict", "exit_code", "version", "case_set")
    return Table("runs", title, (*columns, "candidate"), rows, _RUN_LINKS)


def release_table(catalogue: Catalogue, found: Iterable[tuple[str, Release]], title: str) -> Table:
    """One row per release or rollback, in their order."""
    rows = tuple(
        (
            name,
            "serving" if release.seq in catalogue.serving else "replaced",
            release.destination,
            release.kind,
            release.at,
            release.by,
            catalogue.evidence.run_of(release),
            release.model_sha256,
            "signed" if release.attestation_sha256 else "unsigned",
            release.seq,
        )
        for name, release in found
    )
    columns = ("version", "now", "destination", "kind", "at", "by", "run", "model", "signature")
    links = {"version": "release", "run": "run", "model": "sha256", "entry": "entry"}
    return Table("releases", title, (*columns, "entry"), rows, links)


def serving_table(catalogue: Catalogue) -> Table:
    """From when until when each destination served which version: what was live at any time."""
    by_destination: dict[str, list[tuple[str, Release]]] = {}
    for name, release in catalogue.releases.items():
        by_destination.setdefault(release.destination, []).append((name, release))
    rows = tuple(
        (destination, name, release.at, until, release.kind, release.by, release.seq)
        for destination, found in sorted(by_destination.items())
        for (name, release), until in zip(
            reversed(found), _ends([release for _, release in found]), strict=True
        )
    )
    columns = ("destination", "version", "from", "until", "kind", "by", "entry")
    links = {"version": "release", "entry": "entry"}
    return Table("served", "What served from when until when", columns, rows, links)


def _ends(found: Sequence[Release]) -> list[str]:
    """When each stopped to serve, newest first."""
    return ["still serving", *(release.at for release in reversed(found[1:]))]
