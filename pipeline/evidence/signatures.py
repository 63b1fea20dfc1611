"""Who signed a run's decision and release, and a further person's signature on the decision."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from components.attestation import statements
from components.attestation.checking import (
    CheckedStatement,
    check_decision,
    check_exported,
    check_release,
)
from components.attestation.envelope import add_signatures, read_envelope, verify
from components.attestation.key_files import read_passphrase
from components.attestation.keys import (
    PRIVATE,
    PublicKey,
    Signer,
    load_public,
    load_signer,
    load_trusted,
)
from components.records.errors import ConfigError, IntegrityError, SignatureError
from components.records.export import EXPORT_RECORD
from components.records.files import write_atomically
from components.records.ledger.records import Release
from components.records.run_files import DECISION_ATTESTATION, RELEASE_ATTESTATION
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.subject import CONFIG, Evidence, Subject, judging_files
from pipeline.governance.decided import baseline_named_by

TRUSTED, UNKNOWN = "trusted", "not known: does not count"
PEM = ".pem"
# Of what a statement says, what an answer shows.
_SHOWN = ("verdict", "created", "signed_at", "destination", "version", "released_at")


def trusted_folder(folder: Path, given: Path | None = None) -> Path:
    """Where the keys that count for a run are kept: as given, configured, or beside its policy."""
    if given is not None:
        return given
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        configured = (config.get("signing") or {}).get("keys")
        return Path(configured) if configured else baseline_named_by(folder) / "keys"
    except (IntegrityError, OSError, ValueError, AttributeError, TypeError):
        raise ConfigError(
            f"{folder}: does not say where the public keys are that count; say --keys DIR"
        ) from None


def checked_decision(
    evidence: Evidence, run_id: str, trusted: Sequence[PublicKey]
) -> CheckedStatement:
    """The signed decision of a run, held against every file that is at hand.

    Raises:
      SignatureError, IntegrityError: something is not as it was signed, or as the ledger has it.
    """
    evidence.decision(run_id)  # is the one that the ledger names
    envelope = evidence.workspace.run_folder(run_id) / DECISION_ATTESTATION
    there = subjects_there(evidence, run_id)
    return check_decision(envelope, there=there, trusted=trusted, threshold=None)


def sign_run(
    evidence: Evidence, subject: Subject, signers: Sequence[Signer], keys: Path | None
) -> Answer:
    """Adds signatures to a run's decision, after checking that it and its files are as signed.

    Raises:
      ConfigError: one of these keys signed it already.
      SignatureError, IntegrityError: as `checked_decision`; nothing is signed then.
    """
    folder = evidence.workspace.run_folder(subject.run_id)
    place = trusted_folder(folder, keys)
    trusted = load_trusted(place)
    checked = checked_decision(evidence, subject.run_id, trusted)
    envelope = folder / DECISION_ATTESTATION
    content = add_signatures(read_envelope(envelope), signers, where=str(envelope))
    signed = verify(content, trusted, where=str(envelope))
    if signed.payload_sha256 != checked.statement_sha256:
        raise SignatureError(f"{envelope}: changed while it was checked; nothing was signed")
    write_atomically(envelope, content)
    return replace(signatures(evidence, subject, place), exit_code=0)  # it is signed now


def signatures(evidence: Evidence, subject: Subject, keys: Path | None) -> Answer:
    """Who signed what of a run; exit code 4 where nobody did, or nobody who is trusted."""
    folder = evidence.workspace.run_folder(subject.run_id)
    place = trusted_folder(folder, keys)
    trusted = load_trusted(place)
    facts: dict[str, Value] = {"run": subject.run_id, "trusted keys": f"{len(trusted)} in {place}"}
    notes, rows = [], list[tuple[Value, ...]]()
    ids = {key.name: key.id for key in trusted}
    counted = True
    for what, checked in signed_statements(evidence, subject, trusted):
        if checked is None:
            facts[f"{what}: signed"] = "no"
            counted = False
            continue
        says = checked.statement.predicate
        facts[f"{what}: signed"] = "yes"
        facts |= {f"{what}: {k.replace('_', ' ')}": says[k] for k in _SHOWN if k in says}
        facts[f"{what}: statement"] = checked.statement_sha256
        rows += [(what, name, ids[name], TRUSTED) for name in checked.signers]
        rows += [(what, None, key_id, UNKNOWN) for key_id in checked.unknown]
        counted = counted and bool(checked.signers)
        if checked.unmeasured:
            left = ", ".join(checked.unmeasured)
            notes.append(f"Not at hand, so not compared with what was signed: {left}.")
    table = Table("signatures", "signatures", ("statement", "by", "key", "counts"), tuple(rows))
    return Answer(
        question=f"who signed {subject.name}",
        facts=facts,
        tables=(table,),
        notes=tuple(notes),
        exit_code=0 if counted else IntegrityError.exit_code,
    )


def signed_statements(
    evidence: Evidence, subject: Subject, trusted: Sequence[PublicKey]
) -> Iterator[tuple[str, CheckedStatement | None]]:
    """The two statements on a run, each None where it is not signed."""
    folder = evidence.workspace.run_folder(subject.run_id)
    signed = (folder / DECISION_ATTESTATION).exists()
    decision = checked_decision(evidence, subject.run_id, trusted) if signed else None
    yield "decision", decision
    for release in evidence.releases:
        if release.run_id == subject.run_id:
            yield "release", _checked_release(evidence, release, decision, trusted)


def _checked_release(
    evidence: Evidence,
    release: Release,
    decision: CheckedStatement | None,
    trusted: Sequence[PublicKey],
) -> CheckedStatement | None:
    """The statement that the ledger's entry names; None where it calls the release unsigned."""
    if release.attestation_sha256 is None or release.run_id is None:
        return None
    envelope = evidence.workspace.run_folder(release.run_id) / RELEASE_ATTESTATION
    found = sha256(read_envelope(envelope)).hexdigest()
    if found != release.attestation_sha256:
        raise SignatureError(
            f"{envelope}: is {found[:12]}..., entry {release.seq} of the ledger names "
            f"{release.attestation_sha256[:12]}...; restore it"
        )
    model = evidence.folder(release)
    checked = check_release(envelope, model_folder=model, decision=decision, trusted=trusted)
    destination, version = (checked.statement.predicate[key] for key in ("destination", "version"))
    if (destination, version) != (release.destination, release.version):
        raise SignatureError(
            f"{envelope}: was signed for {destination} version {version}, entry {release.seq} of "
            f"the ledger is {release.destination} version {release.version}"
        )
    signed = {n: it for n, it in checked.statement.subjects.items() if n != statements.MODEL}
    if signed != dict(release.exports):
        raise SignatureError(
            f"{envelope}: was signed for artefacts {', '.join(signed) or 'none'}, entry "
            f"{release.seq} of the ledger names {', '.join(release.exports) or 'none'}, or others"
        )
    return checked


def subjects_there(evidence: Evidence, run_id: str) -> dict[str, Path | str]:
    """The subjects outside of a run's folder that this workspace still has, or knows by hash."""
    record = evidence.record(run_id)
    inputs, champion = record.inputs, record.inputs.champion_sha256
    found: dict[str, Path | str | None] = {
        statements.ENVIRONMENT: record.environment.sha256,
        statements.TRAINING: inputs.training_root,
    }
    for release in reversed(evidence.releases):  # the first that put the model there counts
        if release.run_id == run_id:
            found[statements.MODEL] = evidence.folder(release)
        if champion and release.model_sha256 == champion:
            found[statements.CHAMPION] = evidence.folder(release)
    for name, digest in judging_files(inputs).items():
        path = evidence.workspace.kept(name, digest) if digest else None
        found[name] = path if path and path.exists() else None
    return {name: it for name, it in found.items() if it is not None}


def signed_file(path: Path, keys: Path | None) -> Answer:
    """A key's id, or an envelope's statement and who signed it.

    Args:
      keys: folder of the public keys that count; None: nobody's do.

    Raises:
      ConfigError: a key that cannot be read.
      SignatureError: no envelope, or altered since it was signed; or it lies in the folder of an
        exported artefact whose files are others.
    """
    return _key(path) if path.suffix == PEM else _envelope(path, load_trusted(keys) if keys else ())


def _key(path: Path) -> Answer:
    private = path.name.endswith(PRIVATE)
    key = load_signer(path, read_passphrase()).public if private else load_public(path)
    facts = {"name": key.name, "key id": key.id, "kind": "private" if private else "public"}
    return Answer(question=f"whose key is {path}", facts={**facts, "scheme": "Ed25519"})


def _envelope(path: Path, trusted: Sequence[PublicKey]) -> Answer:
    signed = verify(read_envelope(path), trusted, where=str(path))
    note = "The files themselves were not compared: name the run for that."
    if (path.parent / EXPORT_RECORD).exists():
        check_exported(path.parent, trusted=trusted)
        note = f"{path.parent}: its files are those of an artefact that was signed."
    released = f'"{statements.RELEASE_TYPE}"'.encode() in signed.payload
    kind = statements.RELEASE_TYPE if released else statements.DECISION_TYPE
    statement = statements.from_bytes(signed.payload, kind, where=str(path))
    says: dict[str, Value] = {"statement": statement.predicate_type}
    for name, value in statement.predicate.items():
        plain = ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
        says[name.replace("_", " ")] = plain
    rows: list[tuple[Value, ...]] = [(key.name, key.id, TRUSTED) for key in signed.signers]
    rows += [(None, key_id, UNKNOWN) for key_id in signed.unknown]
    subjects = tuple((n, statements.DIGESTS[n].value, it) for n, it in statement.subjects.items())
    return Answer(
        question=f"who signed {path}",
        facts={**says, "statement's SHA-256": signed.payload_sha256},
        tables=(
            Table("signatures", "signatures", ("by", "key", "counts"), tuple(rows)),
            Table("subjects", "what was signed", ("name", "digest", "value"), subjects),
        ),
        notes=(note,),
        exit_code=0 if signed.signers else IntegrityError.exit_code,
    )
