"""What a question is about: the workspace's evidence, opened once, and the run or release named."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

from components.decision import Decision, load_decision
from components.lineage.reader import MetadataStore, Row
from components.lineage.record import RunRecord, load_record
from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.entry import Entry
from components.records.ledger.ledger import Ledger
from components.records.ledger.places import recorded_name
from components.records.ledger.records import Release, releases
from components.records.run_files import DECISION, RUN_RECORD
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class Subject:
    """A run, and the release that was asked for, if it was asked for by its version.

    Attributes:
      release: the ledger's entry of the version; for a run that released something, that.
    """

    run_id: str
    release: Release | None

    @property
    def name(self) -> str:
        """As a person calls it."""
        return f"version {self.release.version}" if self.release else f"run {self.run_id}"


class Evidence:
    """A workspace's ledger, store and run folders, each read once; a context manager."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root.resolve())

    def __enter__(self) -> "Evidence":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if "store" in self.__dict__:
            self.store.__exit__(kind, error, where)

    @cached_property
    def workspace_id(self) -> str:
        return self.workspace.id

    @cached_property
    def store(self) -> MetadataStore:
        return MetadataStore(self.workspace.store)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The ledger's, verified."""
        return Ledger(self.workspace.ledger).entries()

    @cached_property
    def releases(self) -> tuple[Release, ...]:
        """Releases and rollbacks, oldest first, as the ledger has them."""
        return releases(self.entries)

    @cached_property
    def decided(self) -> Mapping[str, Entry]:
        """The ledger's entry of each decision, by run id; the last one counts."""
        return {e.body["run_id"]: e for e in self.entries if e.kind == "decision"}

    @cached_property
    def last_entries(self) -> Mapping[tuple[str, str], Entry]:
        """The last entry of each kind on each run, by kind and run id."""
        return {(e.kind, e.body["run_id"]): e for e in self.entries if "run_id" in e.body}

    @cached_property
    def _run_of_decision(self) -> Mapping[str, str]:
        return {e.body["decision_sha256"]: run for run, e in self.decided.items()}

    def run_of(self, release: Release) -> str:
        """The run whose model it is; for a rollback, the run that made the model it restored."""
        run_id = release.run_id or self._run_of_decision.get(release.decision_sha256)
        if run_id is None:
            raise IntegrityError(
                f"{self.workspace.ledger}: entry {release.seq} names decision "
                f"{release.decision_sha256[:12]}..., which no entry records"
            )
        return run_id

    def subject(self, text: str, *, destination: str | None = None) -> Subject:
        """The run or release that a person means.

        Args:
          text: a version number, or a run id or its beginning.
          destination: `serving/MODEL`, where one version number stands in several.

        Raises:
          ConfigError: there is no such thing, or there are several.
        """
        if text.isdecimal():
            found = [
                release
                for release in self.releases
                if str(release.version) == text and destination in (None, release.destination)
            ]
            places = sorted({release.destination for release in found})
            if len(places) > 1:
                raise ConfigError(
                    f"version {text}: stands in {', '.join(places)}; say --destination"
                )
            if found:
                return Subject(self.run_of(found[-1]), found[-1])
        run_id = self._run(text)
        mine = [r for r in self.releases if r.run_id == run_id]
        return Subject(run_id, mine[-1] if mine else None)

    def _run(self, text: str) -> str:
        found = [
            folder.name
            for folder in (self.workspace.runs.iterdir() if self.workspace.runs.is_dir() else ())
            if text and folder.name.startswith(text)
        ]
        if not found:
            last = [str(release.version) for release in self.releases[-3:]]
            known = f"the last versions are {', '.join(last)}" if last else "nothing was released"
            raise ConfigError(
                f"{text!r}: no version and no run of {self.workspace.root}; {known}; "
                "`casegate lineage list` shows all"
            )
        if len(found) > 1 and text not in found:
            raise ConfigError(f"{text!r}: {len(found)} runs begin so; give more of the run id")
        return text if text in found else found[0]

    def record(self, run_id: str) -> RunRecord:
        """The run's record, which is the one that the ledger has.

        Raises:
          IntegrityError: it was edited, or replaced by another.
        """
        path = self.workspace.run_folder(run_id) / RUN_RECORD
        entry = self.last_entries.get(("run", run_id))
        record = load_record(path, known=entry.body["record_sha256"] if entry else None)
        if entry is not None and entry.body["record_sha256"] != record.record_sha256:
            raise IntegrityError(
                f"{path}: is record {record.record_sha256[:12]}..., entry {entry.seq} of the "
                f"ledger names {entry.body['record_sha256'][:12]}...; restore it"
            )
        return record

    def decision(self, run_id: str) -> Decision | None:
        """The run's decision, which is the one that the ledger has; None where it came to none.

        Raises:
          IntegrityError: it was edited, replaced or removed.
        """
        path = self.workspace.run_folder(run_id) / DECISION
        entry = self.decided.get(run_id)
        if not path.exists() and entry is None:
            return None
        decision = load_decision(path, known=entry.body["decision_sha256"] if entry else None)
        if entry is not None and entry.body["decision_sha256"] != decision.decision_sha256:
            raise IntegrityError(
                f"{path}: is decision {decision.decision_sha256[:12]}..., entry {entry.seq} of the "
                f"ledger names {entry.body['decision_sha256'][:12]}...; restore it"
            )
        return decision

    def row(self, run_id: str) -> Row | None:
        """What ML Metadata has of a run; None where it has nothing."""
        return self.store.run(self.workspace_id, run_id)

    def serving(self) -> Mapping[str, Release]:
        """What was put last in each destination, by the ledger."""
        return {release.destination: release for release in self.releases}

    def place(self, destination: Path) -> str:
        """How the ledger names a destination."""
        return recorded_name(destination.resolve(), self.workspace.root)
