"""Compares a signed statement with what is really there, subject by subject."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.attestation import statements
from components.attestation.envelope import Signed, read_envelope, verify
from components.attestation.keys import PublicKey
from components.attestation.statements import DIGESTS, Digest, Statement, check_digest
from components.decision import load_decision
from components.records.errors import IntegrityError, SignatureError
from components.records.export import export_sha256, load_export_record
from components.records.files import sha256_file, sha256_tree
from components.records.run_files import (
    CHAMPION_SCORES,
    DECISION,
    HTML_REPORT,
    RELEASE_ATTESTATION,
    REPORT,
    SCORES,
)

# A subject is a path that is hashed on the spot, or a digest that the caller knows.
Found = Mapping[str, Path | str]

IN_THE_RUN = (DECISION, SCORES, CHAMPION_SCORES, HTML_REPORT, REPORT)


@dataclass(frozen=True)
class CheckedStatement:
    """A signed statement that fits what is there.

    Attributes:
      statement_sha256: of the payload; it stays the same when more people sign.
      signers: names of the trusted keys that signed.
      unknown: ids of keys that signed too and do not count.
      unmeasured: subjects that were not at hand to be compared.
    """

    statement: Statement
    statement_sha256: str
    signers: tuple[str, ...]
    unknown: tuple[str, ...]
    unmeasured: tuple[str, ...]

    @property
    def model_sha256(self) -> str:
        return self.statement.subjects[statements.MODEL]


def check_decision(
    envelope: Path, *, there: Found, trusted: Iterable[PublicKey], threshold: int | None
) -> CheckedStatement:
    """A run's signed decision, compared with every subject that is at hand.

    Args:
      there: subjects outside of the run's folder; what is left out is `unmeasured`, but a file
        that was signed and is gone from the run's folder is an error.
      threshold: how many trusted keys have to have signed; None only tells who did.

    Raises:
      SignatureError: something is not as it was signed.
    """
    where, folder = str(envelope), envelope.parent
    signed, statement = _read(envelope, statements.DECISION_TYPE, trusted, threshold)
    inside = in_the_run(folder)
    found = {name: _measure_again(name, it) for name, it in {**inside, **there}.items()}
    for name in IN_THE_RUN:
        check_digest(name, found.get(name), statement, where=str(folder))
    for name, it in there.items():
        place = str(it) if isinstance(it, Path) else where
        check_digest(name, found[name], statement, where=place)
    decision = load_decision(folder / DECISION)
    statements.check_agreement(statement, decision, where=where)
    return _checked(signed, statement, (n for n in statement.subjects if n not in found))


def check_release(
    envelope: Path,
    *,
    model_folder: Path | None,
    decision: CheckedStatement | None,
    trusted: Iterable[PublicKey],
) -> CheckedStatement:
    """A run's signed release. Who has to have signed it is the caller's to say.

    Args:
      model_folder: None where the version's files are not at hand.
      decision: the signed decision beside it; None where that is not at hand.

    Raises:
      SignatureError: it is not as it was signed, or was signed on the word of another decision.
    """
    signed, statement = _read(envelope, statements.RELEASE_TYPE, trusted)
    relied_on = statement.predicate["decision_statement_sha256"]
    if decision is not None and relied_on != decision.statement_sha256:
        raise SignatureError(
            f"{envelope}: rests on statement {relied_on[:12]}..., the signed decision beside it is "
            f"{decision.statement_sha256[:12]}...; restore the one that was signed"
        )
    if model_folder is not None:
        found = _measure_again(statements.MODEL, model_folder)
        check_digest(statements.MODEL, found, statement, where=str(model_folder))
    return _checked(signed, statement, () if model_folder else (statements.MODEL,))


def check_exported(folder: Path, *, trusted: Iterable[PublicKey]) -> CheckedStatement:
    """The signed release that lies in an exported artefact's folder, which names these files.

    Needs no run and no workspace: the folder alone, wherever it was copied to.

    Raises:
      SignatureError: nobody signed, or something else was signed.
      IntegrityError: as `load_export_record`.
    """
    envelope, record = folder / RELEASE_ATTESTATION, load_export_record(folder)
    signed = verify(read_envelope(envelope), trusted, where=str(envelope))
    statement = statements.from_bytes(signed.payload, statements.RELEASE_TYPE, where=str(envelope))
    check_digest(record.kind, export_sha256(folder), statement, where=str(folder))
    check_digest(statements.MODEL, record.model_sha256, statement, where=str(folder))
    return _checked(signed, statement, (n for n in statement.subjects if n != record.kind))


def _read(
    envelope: Path, kind: str, trusted: Iterable[PublicKey], threshold: int | None = None
) -> tuple[Signed, Statement]:
    """An envelope belongs to the run in whose folder it lies, and to no other."""
    signed = verify(read_envelope(envelope), trusted, where=str(envelope))
    if threshold is not None:
        signed.require(threshold)
    statement = statements.from_bytes(signed.payload, kind, where=str(envelope))
    run_id = statement.predicate["run_id"]
    if run_id != envelope.parent.name:
        raise SignatureError(
            f"{envelope}: was signed for run {run_id}, not for this one; restore its own"
        )
    return signed, statement


def _checked(signed: Signed, statement: Statement, unmeasured: Iterable[str]) -> CheckedStatement:
    known = (signed.payload_sha256, signed.names, signed.unknown)
    return CheckedStatement(statement, *known, tuple(unmeasured))


def subjects_of(named: Mapping[str, Sequence[str]], *, unchanged: bool = False) -> Found:
    """Subjects as a component's request has them: name -> [path, or nothing, and SHA-256].

    Args:
      unchanged: hashes every path now, and refuses one that is not what the request says.

    Raises:
      IntegrityError: one is not.
    """
    found: dict[str, Path | str] = {}
    for name, (path, digest) in named.items():
        if path and unchanged and measure(name, Path(path)) != digest:
            raise IntegrityError(f"{path}: changed during the run; run again")
        found[name] = Path(path) if path else digest
    return found


def measure(name: str, it: Path | str) -> str:
    """The digest (hex) of a subject, hashed as its name wants it; a digest stays as it is.

    Raises:
      IntegrityError: the file or folder cannot be read.
    """
    if isinstance(it, str):
        return it
    kind = DIGESTS[name]
    if kind in (Digest.TREE, Digest.EXPORT):
        return sha256_tree(it) if kind is Digest.TREE else export_sha256(it)
    if kind is not Digest.FILE:
        raise IntegrityError(f"{it}: {name} is no file; wanted its digest")
    try:
        return sha256_file(it)
    except OSError as error:
        raise IntegrityError(f"{it}: cannot be read: {error.strerror}") from None


def _measure_again(name: str, it: Path | str) -> str:
    try:
        return measure(name, it)
    except IntegrityError as error:
        raise SignatureError(f"{name} was signed and is not there any more: {error}") from None


def in_the_run(folder: Path) -> dict[str, Path]:
    return {name: folder / name for name in IN_THE_RUN if (folder / name).exists()}
