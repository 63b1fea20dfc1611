"""The run record: who started a run, on what, with what, and what became of it.

Written when a run starts and again when it ends, as `run.json` in the run's folder; its hash goes
into the ledger, its fields into ML Metadata. What is not known is None, never a guess.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

from components.records.errors import IntegrityError
from components.records.files import canonical_json, sha256_json, write_atomically
from components.records.schema import read_json, read_known

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Who:
    """The account that started the run, on which machine, and the owner its config names."""

    user: str | None
    host: str | None
    owner: str | None


@dataclass(frozen=True)
class Where:
    """The CI job that started it, if one did; `commit_author` is git's word."""

    ci_provider: str | None
    ci_job: str | None
    ci_url: str | None
    commit_author: str | None


@dataclass(frozen=True)
class Why:
    """Attributes:
    trigger: commit, schedule, drift or manual.
    detail: one line, as whoever started it gave it.
    """

    trigger: str
    detail: str | None = None


@dataclass(frozen=True)
class Code:
    """Attributes:
    diff_sha256: of `git diff HEAD`, None where nothing differs or there is no git.
    code_sha256: over the project's own source files.
    """

    git_commit: str | None
    git_dirty: bool | None
    diff_sha256: str | None
    code_sha256: str


@dataclass(frozen=True)
class Environment:
    """Attributes:
    container: the image's name or the container's id; None outside of one.
    packages: every installed distribution and its version.
    """

    python: str
    os: str
    cpu: str | None
    cores: int | None
    memory_bytes: int | None
    container: str | None
    lock_file_sha256: str | None
    packages: Mapping[str, str]

    @property
    def sha256(self) -> str:
        return sha256_json(asdict(self))


@dataclass(frozen=True)
class Seeds:
    """Attributes:
    deterministic_ops: whether TensorFlow was told to use deterministic kernels.
    """

    seed: int | None
    deterministic_ops: bool | None


@dataclass(frozen=True)
class RunInputs:
    """What the run was given, by hash; all None where it stopped before reading it.

    Attributes:
      policy_commit, policy_committed: the commit that holds the policy as it was used, and its
        time; None where it was not committed.
      golden_sha256: the approved model; golden_file_sha256 the file with its scores.
      training_root: Merkle root over the training and tuning cases.
    """

    config_sha256: str | None = None
    policy: str | None = None
    policy_sha256: str | None = None
    policy_commit: str | None = None
    policy_committed: str | None = None
    case_set: str | None = None
    case_set_version: int | None = None
    case_set_cases: int | None = None
    case_set_root: str | None = None
    case_set_sha256: str | None = None
    golden_sha256: str | None = None
    golden_file_sha256: str | None = None
    golden_approved_by: str | None = None
    champion_sha256: str | None = None
    champion_version: int | None = None
    schema_sha256: str | None = None
    data: str | None = None
    data_sha256: str | None = None
    training_root: str | None = None
    training_cases: int | None = None


@dataclass(frozen=True)
class ComponentRun:
    """One component of the graph.

    Attributes:
      state: running, finished, cached or failed.
      started: ISO 8601 in UTC.
      seconds: None while it runs.
      peak_memory_bytes: of the whole process while it ran; None where the system does not say.
    """

    name: str
    state: str
    started: str
    seconds: float | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class Decided:
    """The gate's decision, by hash; the whole is in `decision.json`.

    Attributes:
      statement_sha256: of the signed statement on it, without its signatures, because more people
        may sign later; None where nobody signed.
    """

    verdict: str
    decision_sha256: str
    candidate_sha256: str | None
    statement_sha256: str | None = None


@dataclass(frozen=True)
class Released:
    """Attributes:
    destination: as the ledger names it.
    attestation_sha256: of the signed statement; None for an unsigned release.
    """

    destination: str
    version: int
    model_sha256: str
    attestation_sha256: str | None


@dataclass(frozen=True)
class Stored:
    """Where ML Metadata has the run, and the hash of what it held when the run ended."""

    pipeline: str
    pipeline_run: str
    lineage_sha256: str | None = None


@dataclass(frozen=True)
class RunRecord:
    """Attributes:
    started, finished: ISO 8601 in UTC, to the millisecond.
    error: why it failed, in one line.
    files: SHA-256 of what lay in the run's folder when it ended, by name.
    """

    run_id: str
    workspace_id: str
    state: str
    started: str
    who: Who
    where: Where
    why: Why
    code: Code
    environment: Environment
    seeds: Seeds
    store: Stored
    inputs: RunInputs = field(default_factory=RunInputs)
    components: tuple[ComponentRun, ...] = ()
    decision: Decided | None = None
    release: Released | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    finished: str | None = None
    exit_code: int | None = None
    error: str | None = None

    @property
    def record_sha256(self) -> str:
        """SHA-256 (hex) over the canonical JSON of the whole record."""
        return sha256_json(self.document())

    def document(self) -> dict[str, Any]:
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def save_record(record: RunRecord, path: Path) -> None:
    """Writes a record atomically, its hash inside."""
    document = {**record.document(), "record_sha256": record.record_sha256}
    write_atomically(path, canonical_json(document) + b"\n")


def load_record(path: Path, *, known: str | None = None) -> RunRecord:
    """The record in `path`.

    Args:
      known: its hash as the ledger has it; one that fits is not held against the schema again.

    Raises:
      IntegrityError: unreadable, against schemas/run_record.json, or edited since it was written.
    """
    document = (known and read_known(path, "record_sha256", known)) or read_json(path, "run_record")
    stored = document.pop("record_sha256")
    record = _from_document(document)
    if record.record_sha256 != stored:
        raise IntegrityError(
            f"{path}: the run record was edited: it hashes to {record.record_sha256[:12]}..., it "
            f"says {stored[:12]}...; compare it with the ledger"
        )
    return record


def _from_document(document: dict[str, Any]) -> RunRecord:
    parts: dict[str, Any] = {k: v for k, v in document.items() if k != "schema_version"}
    for name, kind in _PARTS.items():
        part = parts[name]
        if isinstance(part, list):
            parts[name] = tuple(kind(**row) for row in part)
        elif part is not None:
            parts[name] = kind(**part)
    return RunRecord(**parts)


# The fields that are parts of their own, each with its class: of `Decided | None`, Decided.
_PARTS: Mapping[str, Any] = {
    field.name: kind
    for field in fields(RunRecord)
    if is_dataclass(kind := (get_args(field.type) or (field.type,))[0])
}
