"""What one run or release was made of: data, code, environment, configuration, policy, people."""

from collections.abc import Iterator

from components.decision import Decision
from components.lineage.record import RunRecord
from components.lineage.types import mebibytes, run_properties
from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.records import Release
from components.records.run_files import DECISION, DECISION_ATTESTATION, RUN_RECORD
from pipeline.evidence.answer import Answer, Columns, Table, Value
from pipeline.evidence.subject import Evidence, Subject

CHECK_COLUMNS: Columns = {
    "verdict": "verdict.value",
    "check": "check",
    "n": lambda check: check.n or None,
    "estimate": "estimate",
    "lower": "lower",
    "upper": "upper",
    "limit": "limit",
    "standing": lambda check: "waived" if check.waived else check.role,
    "reason": "reason",
}
_NOT_PROPERTIES = {"artifact_id", "name", "uri"}
_KIND = {"release": "a release", "rollback": "a rollback, which put an earlier version back"}


def show(evidence: Evidence, subject: Subject) -> Answer:
    """Everything that is known of one run and of what it released.

    Raises:
      IntegrityError: its record or its decision is not the one that the ledger has.
    """
    record = evidence.record(subject.run_id)
    decision = evidence.decision(subject.run_id)
    differing, remark = _against_metadata(evidence, record)
    facts = {
        **_headline(evidence, subject, record),
        **_released(subject.release),
        **_decided(decision),
        **_approved(evidence, record, decision),
        **_data(record),
        **_code(record),
        **_environment(record),
        **_configuration(record),
        **_circumstances(record),
    }
    return Answer(
        question=f"what is {subject.name} made of",
        facts=facts,
        tables=(checks_table(decision), _components_table(record)),
        notes=(*_notes(evidence, record, decision), *remark),
        evidence=tuple(rests_on(evidence, subject)),
        exit_code=IntegrityError.exit_code if differing else 0,
    )


def checks_table(decision: Decision | None) -> Table:
    """Every check of a decision, in the order they were judged.

    Its standing is gate, supporting, or waived by two persons.
    """
    found = decision.checks if decision else ()
    return Table.of("checks", "Checks of the decision", found, CHECK_COLUMNS)


def rests_on(evidence: Evidence, subject: Subject) -> Iterator[str]:
    """The files and the ledger's entries that say so, for whoever checks the answer."""
    folder = evidence.workspace.run_folder(subject.run_id)
    for kind, name, key in (
        ("run", RUN_RECORD, "record_sha256"),
        ("decision", DECISION, "decision_sha256"),
    ):
        if entry := evidence.last_entries.get((kind, subject.run_id)):
            yield f"{folder / name}: {key} {entry.body[key]}, as ledger entry {entry.seq} has it"
        elif (folder / name).exists():
            yield f"{folder / name}: not in the ledger"
    if release := subject.release:
        yield f"ledger entry {release.seq}: {release.kind} of {release.destination}"
    yield evidence.ledger_line


def _headline(evidence: Evidence, subject: Subject, record: RunRecord) -> dict[str, Value]:
    serving = [
        f"{r.destination} version {r.version}"
        for r in evidence.serving().values()
        if evidence.run_of(r) == subject.run_id
    ]
    return {
        "run": record.run_id,
        "version": subject.release.version if subject.release else "none: it released nothing",
        "state": record.state.replace("_", " "),
        "verdict": record.decision.verdict if record.decision else "none: nothing was decided",
        "started": record.started,
        "finished": record.finished,
        "exit code": record.exit_code,
        "error": record.error or "none",
        "its model serves now": ", ".join(serving) or "nowhere",
    }


def _released(release: Release | None) -> dict[str, Value]:
    if release is None:
        return {}
    facts: dict[str, Value] = {
        "release: destination": release.destination,
        "release: version": release.version,
        "release: kind": _KIND[release.kind],
        "release: at": release.at,
        "release: by": release.by,
        "release: model": release.model_sha256,
        "release: attestation": release.attestation_sha256 or "unsigned",
    }
    if release.restored is not None:
        facts["release: version put back"] = release.restored
    return facts


def _decided(decision: Decision | None) -> dict[str, Value]:
    if decision is None:
        return {}
    passing = sum(c.verdict.value == "PASS" for c in decision.checks)
    return {
        "decision: verdict": decision.verdict.value,
        "decision: exit code": decision.exit_code,
        "decision: checks": f"{passing} of {len(decision.checks)} pass",
        "decision: open checks": sum(c.open for c in decision.checks),
        "decision: waived checks": ", ".join(c.check for c in decision.checks if c.waived)
        or "none",
        "decision: already released": decision.already_released,
        "decision: look at the case set": decision.looks.used,
        "decision: looks planned": decision.looks.planned,
        "decision: operating point": decision.operating_points.get("candidate"),
        "decision: candidate": decision.hashes.get("candidate"),
        "decision: candidate's scores": decision.hashes.get("candidate_scores"),
        "decision: hash": decision.decision_sha256,
    }


def _approved(evidence: Evidence, record: RunRecord, decision: Decision | None) -> dict[str, Value]:
    """Who answers for what: golden, what was waived, and the signatures."""
    waived = [
        f"{note.check} by {note.by} and {note.second} until {note.expires}"
        for note in (decision.waivers if decision else ())
        if note.state == "applied"
    ]
    signed = evidence.workspace.run_folder(record.run_id) / DECISION_ATTESTATION
    words = "in decision.dsse.json" if signed.exists() else "unsigned"
    return {
        "approval: golden approved by": record.inputs.golden_approved_by or "nobody yet: no golden",
        "approval: waivers applied": "; ".join(waived) or "none",
        "approval: signature of the decision": words,
        "approval: owner": record.who.owner,
    }


def _data(record: RunRecord) -> dict[str, Value]:
    given = record.inputs
    return {
        "data: source": given.data,
        "data: source's hash": given.data_sha256,
        "data: training and tuning cases": given.training_cases,
        "data: their Merkle root": given.training_root,
        "data: case set": given.case_set,
        "data: case set's version": given.case_set_version,
        "data: case set's cases": given.case_set_cases,
        "data: case set's Merkle root": given.case_set_root,
        "data: schema": given.schema_sha256,
        "data: golden model": given.golden_sha256,
        "data: golden's file": given.golden_file_sha256,
        "data: champion model": given.champion_sha256,
        "data: champion's version": given.champion_version,
    }


def _code(record: RunRecord) -> dict[str, Value]:
    code = record.code
    differs = {None: None, True: "yes", False: "no"}[code.git_dirty]
    return {
        "code: commit": code.git_commit,
        "code: commit's author": record.where.commit_author,
        "code: differs from its commit": differs,
        "code: difference's hash": code.diff_sha256
        or ("none" if code.git_dirty is False else None),
        "code: hash of all source files": code.code_sha256,
    }


def _environment(record: RunRecord) -> dict[str, Value]:
    found = record.environment
    memory = found.memory_bytes
    return {
        "environment: Python": found.python,
        "environment: system": found.os,
        "environment: processor": found.cpu,
        "environment: cores": found.cores,
        "environment: memory, MiB": mebibytes(memory) if memory else None,
        "environment: container": found.container or "none",
        "environment: packages": len(found.packages),
        "environment: TensorFlow": found.packages.get("tensorflow"),
        "environment: TFX": found.packages.get("tfx"),
        "environment: lock file": found.lock_file_sha256,
        "environment: hash": found.sha256,
    }


def _configuration(record: RunRecord) -> dict[str, Value]:
    given = record.inputs
    committed = given.policy_committed or "not committed, or not as it was used"
    return {
        "configuration: hash": given.config_sha256,
        "configuration: seed": record.seeds.seed,
        "configuration: deterministic kernels": record.seeds.deterministic_ops,
        "policy: name": given.policy,
        "policy: hash": given.policy_sha256,
        "policy: committed": committed if given.policy_sha256 else None,
        "policy: commit": given.policy_commit,
    }


def _circumstances(record: RunRecord) -> dict[str, Value]:
    where = record.where
    job = " ".join(part for part in (where.ci_provider, where.ci_job, where.ci_url) if part)
    return {
        "circumstances: started by": record.who.user,
        "circumstances: on": record.who.host,
        "circumstances: CI job": job or "none",
        "circumstances: why": record.why.trigger,
        "circumstances: why, in words": record.why.detail or "nothing was said",
        "circumstances: workspace": record.workspace_id,
    }


def _components_table(record: RunRecord) -> Table:
    rows = tuple(
        (c.name, c.state, c.started, c.seconds, _mebibytes(c.peak_memory_bytes))
        for c in record.components
    )
    columns = ("component", "state", "started", "seconds", "peak_mib")
    return Table("components", "Components", columns, rows)


def _mebibytes(count: int | None) -> int | None:
    return None if count is None else mebibytes(count)


def _notes(evidence: Evidence, record: RunRecord, decision: Decision | None) -> Iterator[str]:
    if ("run", record.run_id) not in evidence.last_entries:
        yield (
            "The ledger has no entry of this run's end: it is still running, or its process is "
            "gone and the next run will close its record."
        )
    for finding in decision.findings if decision else ():
        yield f"The decision remarks: {finding}."


def _against_metadata(evidence: Evidence, record: RunRecord) -> tuple[bool, tuple[str, ...]]:
    """Whether ML Metadata says otherwise than the record, and a sentence on it."""
    if record.state == "running":
        return False, ()
    try:
        row = evidence.row(record.run_id)
    except ConfigError as error:
        return False, (f"ML Metadata was not compared: {error}.",)
    if row is None:
        return True, ("ML Metadata has no row of this run, although it ended.",)
    wanted = run_properties(record)
    found = {key: value for key, value in row.items() if key not in _NOT_PROPERTIES}
    names = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
    if not names:
        return False, ("ML Metadata says the same as the record.",)
    return True, (
        f"ML Metadata disagrees with the record in {', '.join(names)}: its row was altered; the "
        "record, whose hash is in the ledger, is what is shown here.",
    )
