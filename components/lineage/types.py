"""What casegate adds to ML Metadata: artifact types, their typed properties, and who fills them.

One table for the writer, the reader and `lineage verify`: a record is flattened here and nowhere
else, so that a row which differs from its record was changed.
"""

from collections.abc import Mapping
from typing import Any

from components.decision import CheckResult
from components.lineage.record import RunRecord
from components.records.ledger.records import Release

RUN = "CasegateRun"
ENVIRONMENT = "CasegateEnvironment"
TRAINING_DATA = "CasegateTrainingData"
CHECK = "CasegateCheck"
RELEASE = "CasegateRelease"
RECORD = "CasegateRecord"  # the execution that ties them to what TFX wrote

Value = str | int | float | None

# Versions are text: they count seconds, and the servers' integers end in 2038. Names avoid what
# SQL reserves, because `lineage sql` shows them as columns.

_TEXT, _INT, _REAL = str, int, float

RUN_PROPERTIES: Mapping[str, type] = {
    "run_id": _TEXT,
    "workspace_id": _TEXT,
    "state": _TEXT,
    "started": _TEXT,
    "finished": _TEXT,
    "exit_code": _INT,
    "error": _TEXT,
    "record_sha256": _TEXT,
    "started_by": _TEXT,
    "host": _TEXT,
    "owner": _TEXT,
    "ci_provider": _TEXT,
    "ci_job": _TEXT,
    "ci_url": _TEXT,
    "commit_author": _TEXT,
    "why": _TEXT,
    "why_detail": _TEXT,
    "git_commit": _TEXT,
    "git_dirty": _INT,
    "diff_sha256": _TEXT,
    "code_sha256": _TEXT,
    "environment_sha256": _TEXT,
    "lock_file_sha256": _TEXT,
    "python": _TEXT,
    "os": _TEXT,
    "container": _TEXT,
    "seed": _INT,
    "deterministic_ops": _INT,
    "config_sha256": _TEXT,
    "policy": _TEXT,
    "policy_sha256": _TEXT,
    "policy_commit": _TEXT,
    "policy_committed": _TEXT,
    "case_set": _TEXT,
    "case_set_version": _INT,
    "case_set_cases": _INT,
    "case_set_root": _TEXT,
    "case_set_sha256": _TEXT,
    "golden_sha256": _TEXT,
    "golden_file_sha256": _TEXT,
    "golden_approved_by": _TEXT,
    "champion_sha256": _TEXT,
    "champion_version": _TEXT,
    "schema_sha256": _TEXT,
    "data": _TEXT,
    "data_sha256": _TEXT,
    "training_root": _TEXT,
    "training_cases": _INT,
    "verdict": _TEXT,
    "decision_sha256": _TEXT,
    "candidate_sha256": _TEXT,
    "statement_sha256": _TEXT,
    "destination": _TEXT,
    "version": _TEXT,
    "attestation_sha256": _TEXT,
    "pipeline": _TEXT,
    "pipeline_run": _TEXT,
    "lineage_sha256": _TEXT,
    "seconds": _REAL,
    "peak_memory_mib": _INT,
}

ENVIRONMENT_PROPERTIES: Mapping[str, type] = {
    "python": _TEXT,
    "os": _TEXT,
    "cpu": _TEXT,
    "cores": _INT,
    "memory_mib": _INT,
    "container": _TEXT,
    "lock_file_sha256": _TEXT,
}

TRAINING_DATA_PROPERTIES: Mapping[str, type] = {
    "training_root": _TEXT,
    "cases": _INT,
    "train_cases": _INT,
    "tune_cases": _INT,
    "positives": _INT,
    "patients": _INT,
    "data": _TEXT,
    "data_sha256": _TEXT,
}

CHECK_PROPERTIES: Mapping[str, type] = {
    "run_id": _TEXT,
    "workspace_id": _TEXT,
    "check_name": _TEXT,
    "rule": _TEXT,
    "verdict": _TEXT,
    "role": _TEXT,
    "waived": _INT,
    "metric": _TEXT,
    "slice": _TEXT,
    "against": _TEXT,
    "n": _INT,
    "estimate": _REAL,
    "lower_bound": _REAL,
    "upper_bound": _REAL,
    "limit_value": _REAL,
    "method": _TEXT,
    "reason": _TEXT,
}

RELEASE_PROPERTIES: Mapping[str, type] = {
    "workspace_id": _TEXT,
    "run_id": _TEXT,
    "destination": _TEXT,
    "version": _TEXT,
    "model_sha256": _TEXT,
    "decision_sha256": _TEXT,
    "attestation_sha256": _TEXT,
    "kind": _TEXT,
    "restored": _TEXT,
    "by_person": _TEXT,
    "at": _TEXT,
    "ledger_seq": _INT,
}

TYPES: Mapping[str, Mapping[str, type]] = {
    RUN: RUN_PROPERTIES,
    ENVIRONMENT: ENVIRONMENT_PROPERTIES,
    TRAINING_DATA: TRAINING_DATA_PROPERTIES,
    CHECK: CHECK_PROPERTIES,
    RELEASE: RELEASE_PROPERTIES,
}


def mebibytes(count: int) -> int:
    """Bytes in MiB: PostgreSQL and MySQL give ML Metadata's integers 32 bits."""
    return round(count / 2**20)


def run_name(workspace_id: str, run_id: str) -> str:
    return f"{workspace_id}/{run_id}"


def run_properties(record: RunRecord) -> dict[str, Value]:
    """A record as the properties of its artifact; what is None has no property."""
    peaks = [c.peak_memory_bytes for c in record.components if c.peak_memory_bytes is not None]
    spent = [c.seconds for c in record.components if c.seconds is not None]
    flat: dict[str, Any] = {
        "run_id": record.run_id,
        "workspace_id": record.workspace_id,
        "state": record.state,
        "started": record.started,
        "finished": record.finished,
        "exit_code": record.exit_code,
        "error": record.error,
        "record_sha256": record.record_sha256,
        "started_by": record.who.user,
        "host": record.who.host,
        "owner": record.who.owner,
        **vars(record.where),
        "why": record.why.trigger,
        "why_detail": record.why.detail,
        **vars(record.code),
        "environment_sha256": record.environment.sha256,
        "lock_file_sha256": record.environment.lock_file_sha256,
        "python": record.environment.python,
        "os": record.environment.os,
        "container": record.environment.container,
        **vars(record.seeds),
        **vars(record.inputs),
        **(vars(record.decision) if record.decision else {}),
        **vars(record.store),
        "seconds": sum(spent) if spent else None,
        "peak_memory_mib": mebibytes(max(peaks)) if peaks else None,
    }
    if record.release:
        flat["destination"] = record.release.destination
        flat["version"] = record.release.version
        flat["attestation_sha256"] = record.release.attestation_sha256
    return stored(flat, RUN_PROPERTIES)


def environment_properties(record: RunRecord) -> dict[str, Value]:
    memory = record.environment.memory_bytes
    flat = {**vars(record.environment), "memory_mib": mebibytes(memory) if memory else None}
    return stored(flat, ENVIRONMENT_PROPERTIES)


def check_properties(record: RunRecord, check: CheckResult) -> dict[str, Value]:
    """A check's figures; a bound that is not finite has no property."""
    return stored(
        {
            "run_id": record.run_id,
            "workspace_id": record.workspace_id,
            "check_name": check.check,
            "rule": check.rule,
            "verdict": check.verdict.value,
            "role": check.role,
            "waived": check.waived,
            "metric": check.metric,
            "slice": check.slice,
            "against": check.against,
            "n": check.n,
            "estimate": check.estimate,
            "lower_bound": check.lower,
            "upper_bound": check.upper,
            "limit_value": check.limit,
            "method": check.method,
            "reason": check.reason,
        },
        CHECK_PROPERTIES,
    )


def release_properties(
    release: Release, *, workspace_id: str, run_id: str | None
) -> dict[str, Value]:
    """A version that was put in a destination, as the ledger has it."""
    return stored(
        {
            "workspace_id": workspace_id,
            "run_id": run_id,
            "destination": release.destination,
            "version": release.version,
            "model_sha256": release.model_sha256,
            "decision_sha256": release.decision_sha256,
            "attestation_sha256": release.attestation_sha256,
            "kind": release.kind,
            "restored": release.restored,
            "by_person": release.by,
            "at": release.at,
            "ledger_seq": release.seq,
        },
        RELEASE_PROPERTIES,
    )


def stored(flat: Mapping[str, Any], kinds: Mapping[str, type]) -> dict[str, Value]:
    """Only what the type knows, in its own kind: ML Metadata's booleans are integers here."""
    return {
        name: _rounded(flat[name]) if kind is float else kind(flat[name])
        for name, kind in kinds.items()
        if flat.get(name) is not None
    }


def _rounded(value: float) -> float:
    """A number as ML Metadata keeps it: its SQL spells doubles with six decimals.

    The exact figures are in `decision.json`; these are for finding runs by them.
    """
    return float(f"{value:.6f}")
