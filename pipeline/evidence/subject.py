"""What a question is about: the workspace's evidence, opened once, and the run or release named."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.decision import Decision, load_decision
from components.lineage.reader import MetadataStore, Row
from components.lineage.record import RunInputs, RunRecord, load_record
from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.ledger import Entry, Ledger
from components.records.ledger.records import Release, releases
from components.records.run_files import DECISION, RUN_RECORD
from pipeline.evidence.artefacts import release_of_artefact
from pipeline.settings.workspace import Workspace

CONFIG = "config.json"
# Of a row of ML Metadata, what is no property of what was recorded.
OF_ROW = {"artifact_id", "name", "uri"}
# Of a run, as ML Metadata knows it; no more, because there may be thousands.
RUN_COLUMNS = (
    *("run_id", "state", "started", "finished", "exit_code", "error", "verdict"),
    *("why", "why_detail", "started_by", "git_commit", "git_dirty"),
    *("case_set", "case_set_version", "case_set_root", "training_root", "policy"),
    *("environment_sha256", "candidate_sha256", "record_sha256", "decision_sha256"),
    *("destination", "version"),
)


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


class Evidence(ExitStack):
    """A workspace's ledger, store and run folders, each read once; a context manager."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.workspace = Workspace(root.resolve())

    @cached_property
    def workspace_id(self) -> str:
        return self.workspace.id

    @cached_property
    def store(self) -> MetadataStore:
        return self.enter_context(MetadataStore(self.workspace.store))

    @cached_property
    def runs(self) -> list[Row]:
        """What ML Metadata has of every run, newest first."""
        return self.store.runs(self.workspace_id, columns=RUN_COLUMNS)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The ledger's, verified."""
        return Ledger(self.workspace.ledger).entries()

    @property
    def ledger_line(self) -> str:
        """The ledger as what an answer rests on."""
        return f"{self.workspace.ledger}: {len(self.entries)} entries, chain intact"

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
          text: a version number, a run id or its beginning, or what `release_of_artefact` finds
            the release of.
          destination: `serving/MODEL`, where one version number stands in several.

        Raises:
          ConfigError: there is no such thing, or there are several.
        """
        versions = [r for r in self.releases if str(r.version) == text]
        found = [r for r in versions if destination in (None, r.destination)]
        places = sorted({r.destination for r in found})
        if len(places) > 1:
            raise ConfigError(f"version {text}: stands in {', '.join(places)}; say --destination")
        if found:
            return Subject(self.run_of(found[-1]), found[-1])
        if not any(name.startswith(text) for name in self.run_ids()):
            placed = [r for r in self.releases if destination in (None, r.destination)]
            folders = [self.workspace.run_folder(self.run_of(r)) for r in placed]
            if release := release_of_artefact(text, zip(placed, folders, strict=True)):
                return Subject(self.run_of(release), release)
        run_id = self._run(text)
        mine = [r for r in self.releases if r.run_id == run_id]
        return Subject(run_id, mine[-1] if mine else None)

    def _run(self, text: str) -> str:
        found = [name for name in self.run_ids() if text and name.startswith(text)]
        if text in found:
            return text
        if not found:
            last = [str(release.version) for release in self.releases[-3:]]
            known = f"the last versions are {', '.join(last)}" if last else "nothing was released"
            raise ConfigError(
                f"{text!r}: no version and no run of {self.workspace.root}; {known}; "
                "`casegate lineage list` shows all"
            )
        if len(found) > 1:
            raise ConfigError(f"{text!r}: {len(found)} runs begin so; give more of the run id")
        return found[0]

    def run_ids(self) -> set[str]:
        """The runs that have a folder."""
        runs = self.workspace.runs
        return {path.name for path in runs.iterdir() if path.is_dir()} if runs.is_dir() else set()

    def record(self, run_id: str) -> RunRecord:
        """The run's record; IntegrityError where it is not the one that the ledger has."""
        return self._verified("run", "record", self._path(run_id, RUN_RECORD), load_record)

    def decision(self, run_id: str) -> Decision | None:
        """The run's decision, or None; IntegrityError where it is not the one the ledger has."""
        path = self._path(run_id, DECISION)
        if not path.exists() and run_id not in self.decided:
            return None
        return self._verified("decision", "decision", path, load_decision)

    def _verified(self, kind: str, what: str, path: Path, load: Callable[..., Any]) -> Any:
        """What `load` finds in a file of a run's folder, held against the ledger's entry of it."""
        key, entry = f"{what}_sha256", self.last_entries.get((kind, path.parent.name))
        recorded = entry.body[key] if entry else None
        found = load(path, known=recorded)
        if entry is not None and recorded != getattr(found, key):
            raise IntegrityError(
                f"{path}: is {what} {getattr(found, key)[:12]}..., entry {entry.seq} of the ledger "
                f"names {entry.body[key][:12]}...; restore it"
            )
        return found

    def config(self, record: RunRecord) -> dict[str, Any] | None:
        """The run's configuration; None where its record has none, whatever lies in the folder.

        Raises:
          IntegrityError: the recorded one was altered or is gone.
        """
        wanted = record.files.get(CONFIG)
        if wanted is None:
            return None
        return dict(orjson.loads(as_recorded(self._path(record.run_id, CONFIG), wanted)))

    def kept(self, name: str, sha256: str) -> Path | None:
        """The copy that a run kept of a file that judged it; None where there is none.

        Raises:
          IntegrityError: it was altered.
        """
        path = self.workspace.kept(name, sha256)
        if not path.exists():
            return None
        as_recorded(path, sha256)
        return path

    def _path(self, run_id: str, name: str) -> Path:
        return self.workspace.run_folder(run_id) / name

    def serving(self) -> Mapping[str, Release]:
        """What was put last in each destination, by the ledger."""
        return {release.destination: release for release in self.releases}

    def serves(self, release: Release) -> bool:
        """Whether nothing was put in its destination since."""
        return self.serving()[release.destination].seq == release.seq

    def folder(self, release: Release) -> Path | None:
        """Where a release's files are; None where they are gone."""
        path = self.workspace.root / release.destination / str(release.version)
        return path if path.is_dir() else None


def as_recorded(path: Path, sha256: str) -> bytes:
    """A file's content, if it is still what was recorded.

    Raises:
      IntegrityError: it was altered, is gone, or cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IntegrityError(
            f"{path}: cannot be read: {error.strerror}; {sha256[:12]}... was recorded; restore it"
        ) from None
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise IntegrityError(
            f"{path}: was altered since the run: its SHA-256 is {found[:12]}..., "
            f"{sha256[:12]}... was recorded; restore it from a copy"
        )
    return content


def is_of_same(waiver: Entry, decision: Entry) -> bool:
    """Whether a waiver was granted for the candidate, the cases and the policy of a decision."""
    named = ("candidate_sha256", "case_set_root", "policy_sha256")
    return all(waiver.body[key] == decision.body[key] for key in named)


def judging_files(inputs: RunInputs) -> dict[str, str | None]:
    """The hash of each file of the baseline that judged a run, by its name."""
    return {
        POLICY: inputs.policy_sha256,
        CASE_SET: inputs.case_set_sha256,
        GOLDEN: inputs.golden_file_sha256,
    }
