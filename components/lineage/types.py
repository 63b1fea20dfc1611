"""What casegate adds to ML Metadata: artifact types, their typed properties, and who fills them.

One table for the writer, the reader and `lineage verify`: a record is flattened here and nowhere
else, so that a row which differs from its record was changed.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from components.decision import CheckResult
from components.lineage.record import Code, Decided, RunInputs, RunRecord, Seeds, Stored, Where
from components.records.ledger.records import Release

RUN = "CasegateRun"
ENVIRONMENT = "CasegateEnvironment"
TRAINING_DATA = "CasegateTrainingData"
CHECK = "CasegateCheck"
RELEASE = "CasegateRelease"
RECORD = "CasegateRecord"  # the execution that ties them to what TFX wrote

Value = str | int | float
COLUMN = {str: "string_value", int: "int_value", float: "double_value"}  # where it is kept

# Versions are text: they count seconds, and the servers' integers end in 2038. Names avoid what
# SQL reserves, because `lineage sql` shows them as columns.

_KINDS: Mapping[type, type] = {str: str, int: int, bool: int, float: float}


def _kinds_of(part: type) -> dict[str, type]:
    """The fields of a part of the record, each with the kind that ML Metadata has for it."""
    return {f.name: _KINDS[(get_args(f.type) or (f.type,))[0]] for f in fields(part)}


def _texts(*names: str) -> dict[str, type]:
    return dict.fromkeys(names, str)


RUN_PROPERTIES: Mapping[str, type] = {
    **_texts("run_id", "workspace_id", "state", "started", "finished"),
    "exit_code": int,
    **_texts("error", "record_sha256", "started_by", "host", "owner"),
    **_kinds_of(Where),
    **_texts("why", "why_detail"),
    **_kinds_of(Code),
    **_texts("environment_sha256", "lock_file_sha256", "python", "os", "container"),
    **_kinds_of(Seeds),
    **_kinds_of(RunInputs),
    **_kinds_of(Decided),
    **_texts("destination", "version", "attestation_sha256"),
    **_kinds_of(Stored),
    "seconds": float,
    "peak_memory_mib": int,
} | _texts("champion_version")

ENVIRONMENT_PROPERTIES: Mapping[str, type] = {
    **_texts("python", "os", "cpu"),
    "cores": int,
    "memory_mib": int,
    **_texts("container", "lock_file_sha256"),
}

TRAINING_DATA_PROPERTIES: Mapping[str, type] = {
    "training_root": str,
    **dict.fromkeys(("cases", "train_cases", "tune_cases", "positives", "patients"), int),
    **_texts("data", "data_sha256"),
}

CHECK_PROPERTIES: Mapping[str, type] = {
    **_texts("run_id", "workspace_id", "check_name", "rule", "verdict", "role"),
    "waived": int,
    **_texts("metric", "slice", "against"),
    "n": int,
    **dict.fromkeys(("estimate", "lower_bound", "upper_bound", "limit_value"), float),
    **_texts("method", "reason"),
}

RELEASE_PROPERTIES: Mapping[str, type] = {
    **_texts("workspace_id", "run_id", "destination", "version", "model_sha256"),
    **_texts("decision_sha256", "attestation_sha256", "kind", "restored", "by_person", "at"),
    **_texts("exports"),
    "ledger_seq": int,
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
        **vars(record),
        "record_sha256": record.record_sha256,
        "started_by": record.who.user,
        "host": record.who.host,
        "owner": record.who.owner,
        **vars(record.where),
        "why": record.why.trigger,
        "why_detail": record.why.detail,
        **vars(record.code),
        **vars(record.environment),
        "environment_sha256": record.environment.sha256,
        **vars(record.seeds),
        **vars(record.inputs),
        **(vars(record.decision) if record.decision else {}),
        **(vars(record.release) if record.release else {}),
        **vars(record.store),
        "seconds": sum(spent) if spent else None,
        "peak_memory_mib": mebibytes(max(peaks)) if peaks else None,
    }
    return stored(flat, RUN_PROPERTIES)


def environment_properties(record: RunRecord) -> dict[str, Value]:
    memory = record.environment.memory_bytes
    flat = {**vars(record.environment), "memory_mib": mebibytes(memory) if memory else None}
    return stored(flat, ENVIRONMENT_PROPERTIES)


def check_properties(record: RunRecord, check: CheckResult) -> dict[str, Value]:
    """A check's figures; a bound that is not finite has no property."""
    named = {
        "run_id": record.run_id,
        "workspace_id": record.workspace_id,
        "check_name": check.check,
        "verdict": check.verdict.value,
        "lower_bound": check.lower,
        "upper_bound": check.upper,
        "limit_value": check.limit,
    }
    return stored({**vars(check), **named}, CHECK_PROPERTIES)


def release_properties(
    release: Release, *, workspace_id: str, run_id: str | None
) -> dict[str, Value]:
    """A version that was put in a destination, as the ledger has it."""
    named = {
        "workspace_id": workspace_id,
        "run_id": run_id,
        "by_person": release.by,
        "ledger_seq": release.seq,
        "exports": " ".join(f"{kind}={it}" for kind, it in release.exports.items()) or None,
    }
    return stored({**vars(release), **named}, RELEASE_PROPERTIES)


def stored(flat: Mapping[str, Any], kinds: Mapping[str, type]) -> dict[str, Value]:
    """Only what the type knows, in its own kind: ML Metadata's booleans are integers here."""
    return {
        # The SQL of ML Metadata spells doubles with six decimals; `decision.json` has all of them.
        name: float(f"{flat[name]:.6f}") if kind is float else kind(flat[name])
        for name, kind in kinds.items()
        if flat.get(name) is not None
    }
