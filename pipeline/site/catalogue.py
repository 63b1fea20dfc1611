"""What the site has pages for: runs, releases and case sets, as the ledger and the folders say.

ML Metadata is not asked, so that the pages stand on the chain of hashes where they can.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from components.records.ledger.records import Release
from components.records.run_files import RUN_RECORD
from pipeline.evidence.answer import Table, Value
from pipeline.evidence.subject import Evidence
from pipeline.site.places import is_safe

NOT_CLOSED = "not closed"  # it runs, or its process died and no later run closed it
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.\d+Z")


@dataclass(frozen=True)
class RunLine:
    """A run as the ledger knows it.

    Attributes:
      started: as its id says; None where that is no time.
      version: name of the release that it made.
      case_set: its name, where the run came to a decision.
    """

    run_id: str
    started: str | None
    state: str
    verdict: str | None
    exit_code: int | None
    version: str | None
    candidate_sha256: str | None
    case_set: str | None


class Catalogue:
    """Reads the ledger once; as of when it was made."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @cached_property
    def releases(self) -> dict[str, Release]:
        """Releases and rollbacks by the name of their page, oldest first.

        A page is named by the version alone unless that stands in several destinations.
        """
        places: dict[int, set[str]] = {}
        for release in self.evidence.releases:
            places.setdefault(release.version, set()).add(release.destination)
        return {
            str(r.version) if len(places[r.version]) == 1 else f"{r.version}-{r.seq}": r
            for r in self.evidence.releases
        }

    @cached_property
    def name_of(self) -> Mapping[int, str]:
        """The name of a release's page by the number of its ledger entry."""
        return {release.seq: name for name, release in self.releases.items()}

    def before(self, name: str) -> str | None:
        """The release that the same destination served before; None for its first."""
        served = self.releases[name].destination
        same = [n for n, release in self.releases.items() if release.destination == served]
        return same[same.index(name) - 1] if name != same[0] else None

    @cached_property
    def serving(self) -> frozenset[int]:
        """Ledger entries of what was put last in each destination."""
        return frozenset(release.seq for release in self.evidence.serving().values())

    @cached_property
    def runs(self) -> Mapping[str, RunLine]:
        """Newest first: every run that the ledger names or that left a record."""
        named = {run_id for _, run_id in self.evidence.last_entries}
        known = sorted(filter(is_safe, named | self.recorded), reverse=True)
        released = {release.run_id: release for release in self.evidence.releases}
        return {run_id: self._line(run_id, released.get(run_id)) for run_id in known}

    @cached_property
    def case_sets(self) -> tuple[str, ...]:
        """Names of the case sets that judged, or were amended."""
        names = (e.body.get("case_set") for e in self.evidence.entries)
        return tuple(sorted({name for name in names if isinstance(name, str)}))

    @cached_property
    def recorded(self) -> frozenset[str]:
        """Runs with a record in the workspace; a link may lead anywhere, so none is followed."""
        return frozenset(
            path.parent.name
            for path in self.evidence.workspace.runs.glob(f"*/{RUN_RECORD}")
            if not path.parent.is_symlink() and not path.is_symlink()
            if is_safe(path.parent.name) and path.is_file()
        )

    def _line(self, run_id: str, release: Release | None) -> RunLine:
        entries = [self.evidence.last_entries.get((k, run_id)) for k in ("run", "decision")]
        ended, decided = (entry.body if entry else {} for entry in entries)
        return RunLine(
            run_id,
            started=time_of(run_id),
            state=ended.get("state", NOT_CLOSED),
            verdict=decided.get("verdict"),
            exit_code=ended.get("exit_code", decided.get("exit_code")),
            version=self.name_of[release.seq] if release else None,
            candidate_sha256=decided.get("candidate_sha256"),
            case_set=decided.get("case_set"),
        )


def time_of(run_id: str) -> str | None:
    """When a run started, in UTC, as its id says."""
    found = _TIME.fullmatch(run_id)
    return "{}-{}-{}T{}:{}:{}Z".format(*found.groups()) if found else None


def run_table(runs: Sequence[RunLine], title: str) -> Table:
    """One row per run, in their order, by the ledger alone."""
    columns = ("state", "run", "started", "verdict", "exit_code", "version", "case_set")
    links = {"run": "run", "version": "release", "candidate": "sha256", "case_set": "case_set"}
    names = ("state", "run_id", *columns[2:], "candidate_sha256")
    rows = tuple(tuple(getattr(run, name) for name in names) for run in runs)
    return Table("runs", title, (*columns, "candidate"), rows, links)


def release_table(catalogue: Catalogue, found: Iterable[tuple[str, Release]], title: str) -> Table:
    """One row per release or rollback, in their order."""
    rows = []
    for name, release in found:
        now = "serving" if release.seq in catalogue.serving else "replaced"
        run_id, model = catalogue.evidence.run_of(release), release.model_sha256
        signed = "signed" if release.attestation_sha256 else "unsigned"
        row = (name, now, release.destination, release.kind, release.at, release.by)
        rows.append((*row, run_id, model, signed, release.seq))
    columns = ("version", "now", "destination", "kind", "at", "by", "run", "model", "signature")
    links = {"version": "release", "run": "run", "model": "sha256", "entry": "entry"}
    return Table("releases", title, (*columns, "entry"), tuple(rows), links)


def serving_table(catalogue: Catalogue) -> Table:
    """From when until when each destination served which version: what was live at any time."""
    rows: dict[str, list[tuple[Value, ...]]] = {}
    until: dict[str, str] = {}
    for name, release in reversed(catalogue.releases.items()):
        place, at = release.destination, release.at
        row = (place, name, at, until.get(place, "still serving"), release.kind, release.by)
        rows.setdefault(place, []).append((*row, release.seq))
        until[place] = at
    listed = tuple(row for _, found in sorted(rows.items()) for row in found)
    columns = ("destination", "version", "from", "until", "kind", "by", "entry")
    links = {"version": "release", "entry": "entry"}
    return Table("served", "What served from when until when", columns, listed, links)
