"""What one run or release was made of: data, code, environment, configuration, policy, people."""

from collections.abc import Iterator

from components.decision import Decision
from components.lineage.record import RunRecord
from components.lineage.types import mebibytes, run_properties
from components.records.errors import ConfigError, IntegrityError
from components.records.run_files import DECISION, DECISION_ATTESTATION, RUN_RECORD
from pipeline.evidence.answer import Answer, Columns, Table, Value, facts_of, named
from pipeline.evidence.subject import OF_ROW, Evidence, Subject

CHECK_COLUMNS: Columns = {
    "verdict": "verdict.value",
    "check": "check",
    "n": lambda check: check.n or None,
    **named("estimate", "lower", "upper", "limit"),
    "standing": lambda check: "waived" if check.waived else check.role,
    "reason": "reason",
}
_KIND = {"release": "a release", "rollback": "a rollback, which put an earlier version back"}
_RELEASE: Columns = {
    "release: destination": "destination",
    "release: version": "version",
    "release: kind": lambda release: _KIND[release.kind],
    "release: at": "at",
    "release: by": "by",
    "release: model": "model_sha256",
    "release: attestation": lambda release: release.attestation_sha256 or "unsigned",
    "release: artefacts": lambda release: ", ".join(release.exports) or "none",
}
EXPORT_COLUMNS: Columns = {
    "verdict": "verdict.value",
    "artefact": "kind",
    "required": "required",
    "operating point": "operating_point",
    "bytes": "size_bytes",
    "alike": lambda it: "; ".join(
        f"{name}: {found.alike} of {found.n}" for name, found in it.runtimes.items()
    ),
    "open checks": lambda it: ", ".join(check.check for check in it.checks if check.open) or None,
    "sha256": "sha256",
}
_DECISION: Columns = {
    "decision: verdict": "verdict.value",
    "decision: exit code": "exit_code",
    "decision: checks": lambda it: (
        f"{sum(c.verdict.value == 'PASS' for c in it.checks)} of {len(it.checks)} pass"
    ),
    "decision: open checks": lambda it: sum(c.open for c in it.checks),
    "decision: waived checks": lambda it: (
        ", ".join(c.check for c in it.checks if c.waived) or "none"
    ),
    "decision: already released": "already_released",
    "decision: look at the case set": "looks.used",
    "decision: looks planned": "looks.planned",
    "decision: operating point": "operating_points.candidate",
    "decision: candidate": "hashes.candidate",
    "decision: candidate's scores": "hashes.candidate_scores",
    "decision: hash": "decision_sha256",
}
_RECORD: Columns = {
    "approval: owner": "who.owner",
    "data: source": "inputs.data",
    "data: source's hash": "inputs.data_sha256",
    "data: training and tuning cases": "inputs.training_cases",
    "data: their Merkle root": "inputs.training_root",
    "data: case set": "inputs.case_set",
    "data: case set's version": "inputs.case_set_version",
    "data: case set's cases": "inputs.case_set_cases",
    "data: case set's Merkle root": "inputs.case_set_root",
    "data: schema": "inputs.schema_sha256",
    "data: golden model": "inputs.golden_sha256",
    "data: golden's file": "inputs.golden_file_sha256",
    "data: champion model": "inputs.champion_sha256",
    "data: champion's version": "inputs.champion_version",
    "code: commit": "code.git_commit",
    "code: commit's author": "where.commit_author",
    "code: differs from its commit": lambda it: {None: None, True: "yes", False: "no"}[
        it.code.git_dirty
    ],
    "code: difference's hash": lambda it: (
        it.code.diff_sha256 or ("none" if it.code.git_dirty is False else None)
    ),
    "code: hash of all source files": "code.code_sha256",
    "environment: Python": "environment.python",
    "environment: system": "environment.os",
    "environment: processor": "environment.cpu",
    "environment: cores": "environment.cores",
    "environment: memory, MiB": lambda it: (
        mebibytes(memory) if (memory := it.environment.memory_bytes) else None
    ),
    "environment: container": lambda it: it.environment.container or "none",
    "environment: packages": lambda it: len(it.environment.packages),
    "environment: TensorFlow": "environment.packages.tensorflow",
    "environment: TFX": "environment.packages.tfx",
    "environment: lock file": "environment.lock_file_sha256",
    "environment: hash": "environment.sha256",
    "configuration: hash": "inputs.config_sha256",
    "configuration: seed": "seeds.seed",
    "configuration: deterministic kernels": "seeds.deterministic_ops",
    "policy: name": "inputs.policy",
    "policy: hash": "inputs.policy_sha256",
    "policy: committed": lambda it: (
        (it.inputs.policy_committed or "not committed, or not as it was used")
        if it.inputs.policy_sha256
        else None
    ),
    "policy: commit": "inputs.policy_commit",
    "circumstances: started by": "who.user",
    "circumstances: on": "who.host",
    "circumstances: CI job": lambda it: (
        " ".join(filter(None, (it.where.ci_provider, it.where.ci_job, it.where.ci_url))) or "none"
    ),
    "circumstances: why": "why.trigger",
    "circumstances: why, in words": lambda it: it.why.detail or "nothing was said",
    "circumstances: workspace": "workspace_id",
}
_COMPONENT: Columns = {
    "component": "name",
    **named("state", "started", "seconds"),
    "peak_mib": lambda it: None if (peak := it.peak_memory_bytes) is None else mebibytes(peak),
}


def show(evidence: Evidence, subject: Subject) -> Answer:
    """Everything that is known of one run and of what it released.

    Raises:
      IntegrityError: its record or its decision is not the one that the ledger has.
    """
    record = evidence.record(subject.run_id)
    decision = evidence.decision(subject.run_id)
    differing, remark = _against_metadata(evidence, record)
    release = subject.release
    released = facts_of(release, _RELEASE) if release else {}
    if release and release.restored is not None:
        released["release: version put back"] = release.restored
    components = Table.of("components", "Components", record.components, _COMPONENT)
    return Answer(
        question=f"what is {subject.name} made of",
        facts={
            **_headline(evidence, subject, record),
            **released,
            **(facts_of(decision, _DECISION) if decision else {}),
            **_approved(evidence, record, decision),
            **facts_of(record, _RECORD),
        },
        tables=(checks_table(decision), *exports_tables(decision), components),
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


def exports_tables(decision: Decision | None) -> Iterator[Table]:
    """What became of each exported artefact, where there was any."""
    if decision and decision.exports:
        title, links = "Exported artefacts", {"sha256": "sha256"}
        yield Table.of("exports", title, decision.exports, EXPORT_COLUMNS, links)


def rests_on(evidence: Evidence, subject: Subject) -> Iterator[str]:
    """The files and the ledger's entries that say so, for whoever checks the answer."""
    folder = evidence.workspace.run_folder(subject.run_id)
    named = (("run", "record_sha256", RUN_RECORD), ("decision", "decision_sha256", DECISION))
    for kind, key, name in named:
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


def _approved(evidence: Evidence, record: RunRecord, decision: Decision | None) -> dict[str, Value]:
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
    }


def _notes(evidence: Evidence, record: RunRecord, decision: Decision | None) -> Iterator[str]:
    if ("run", record.run_id) not in evidence.last_entries:
        yield (
            "The ledger has no entry of this run's end: it is still running, or its process is "
            "gone and the next run will close its record."
        )
    for finding in decision.findings if decision else ():
        yield f"The decision remarks: {finding}."


def _against_metadata(evidence: Evidence, record: RunRecord) -> tuple[bool, tuple[str, ...]]:
    if record.state == "running":
        return False, ()
    try:
        row = evidence.store.run(evidence.workspace_id, record.run_id)
    except ConfigError as error:
        return False, (f"ML Metadata was not compared: {error}.",)
    if row is None:
        return True, ("ML Metadata has no row of this run, although it ended.",)
    wanted = run_properties(record)
    keys = wanted.keys() | row.keys() - OF_ROW
    names = sorted(key for key in keys if wanted.get(key) != row.get(key))
    if not names:
        return False, ("ML Metadata says the same as the record.",)
    return True, (
        f"ML Metadata disagrees with the record in {', '.join(names)}: its row was altered; the "
        "record, whose hash is in the ledger, is what is shown here.",
    )
