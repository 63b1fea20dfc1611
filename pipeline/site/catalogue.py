"""What the site has pages for: runs, releases and case sets, as the ledger and the folders say.

ML Metadata is not asked, so that the pages stand on the chain of hashes where they can.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from components.records.ledger.entry import Entry
from components.records.ledger.records import Release
from components.records.run_files import RUN_RECORD
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
      case_set: name and version, where it came to a decision.
    """

    run_id: str
    started: str | None
    state: str
    verdict: str | None
    exit_code: int | None
    version: str | None
    candidate_sha256: str | None
    case_set: str | None
    case_set_version: int | None


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
        mine = self.releases[name]
        found = None
        for other, release in self.releases.items():
            if release.seq == mine.seq:
                return found
            found = other if release.destination == mine.destination else found
        return found

    @cached_property
    def serving(self) -> frozenset[int]:
        """Ledger entries of what was put last in each destination."""
        return frozenset(release.seq for release in self.evidence.serving().values())

    @cached_property
    def runs(self) -> Mapping[str, RunLine]:
        """Newest first: every run that the ledger names or that left a record."""
        named = {run_id for _, run_id in self.evidence.last_entries}
        known = sorted(filter(is_safe, named | self._folders), reverse=True)
        return {run_id: self._line(run_id) for run_id in known}

    @cached_property
    def case_sets(self) -> tuple[str, ...]:
        """Names of the case sets that judged, or were amended."""
        names = (e.body.get("case_set") for e in self.evidence.entries)
        return tuple(sorted({name for name in names if isinstance(name, str)}))

    def has_record(self, run_id: str) -> bool:
        """Whether there is a record to read, in the workspace itself."""
        return run_id in self._folders

    @cached_property
    def _folders(self) -> frozenset[str]:
        """Run folders with a record; a link may lead anywhere, so none is followed."""
        return frozenset(
            path.name for path in _folders_in(self.evidence.workspace.runs) if _is_run(path)
        )

    @cached_property
    def _released(self) -> Mapping[str, Release]:
        return {r.run_id: r for r in self.evidence.releases if r.run_id is not None}

    def _line(self, run_id: str) -> RunLine:
        ended = self._body("run", run_id)
        decided = self._body("decision", run_id)
        release = self._released.get(run_id)
        return RunLine(
            run_id,
            started=time_of(run_id),
            state=ended.get("state", NOT_CLOSED),
            verdict=decided.get("verdict"),
            exit_code=ended.get("exit_code", decided.get("exit_code")),
            version=self.name_of[release.seq] if release else None,
            candidate_sha256=decided.get("candidate_sha256"),
            case_set=decided.get("case_set"),
            case_set_version=decided.get("case_set_version"),
        )

    def _body(self, kind: str, run_id: str) -> Mapping[str, Any]:
        entry: Entry | None = self.evidence.last_entries.get((kind, run_id))
        return entry.body if entry else {}


def time_of(run_id: str) -> str | None:
    """When a run started, in UTC, as its id says."""
    found = _TIME.fullmatch(run_id)
    return "{}-{}-{}T{}:{}:{}Z".format(*found.groups()) if found else None


def _folders_in(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_run(folder: Path) -> bool:
    record = folder / RUN_RECORD
    inside = not folder.is_symlink() and not record.is_symlink()
    return inside and is_safe(folder.name) and record.is_file()
