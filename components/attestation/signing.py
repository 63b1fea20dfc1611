"""Signs what a run decided and released, and refuses what nobody who counts has signed."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from components.attestation import statements
from components.attestation.checking import (
    CheckedStatement,
    Found,
    check_decision,
    in_the_run,
    measure,
)
from components.attestation.envelope import sign
from components.attestation.keys import Signer, load_trusted
from components.attestation.statements import Statement, check_digest
from components.decision import Verdict, load_decision
from components.records.clock import utc_now
from components.records.errors import SignatureError
from components.records.export import export_sha256
from components.records.files import sha256_tree, write_atomically
from components.records.run_files import DECISION, DECISION_ATTESTATION, RELEASE_ATTESTATION


def attest_decision(folder: Path, known: Found, signers: Sequence[Signer]) -> Path:
    """Signs the decision in a run's folder; returns the envelope's path.

    Args:
      known: the subjects that do not lie in the folder; the rest are hashed there. The model and
        the champion are as the decision has them unless given.

    Raises:
      IntegrityError: a file is missing, or contradicts the decision.
    """
    decision = load_decision(folder / DECISION)
    named = {statements.MODEL: "candidate", statements.CHAMPION: "champion"}
    decided = {name: decision.hashes[key] for name, key in named.items()}
    found = {name: digest for name, digest in decided.items() if digest}
    found |= {name: measure(name, it) for name, it in {**in_the_run(folder), **known}.items()}
    statement = statements.decision_statement(decision, found, signed_at=utc_now())
    return _write(folder / DECISION_ATTESTATION, statement, signers)


def attest_release(
    folder: Path,
    *,
    model_folder: Path,
    destination: str,
    version: int,
    decision: CheckedStatement,
    signers: Sequence[Signer],
    exports: Mapping[str, Path] | None = None,
) -> Path:
    """Signs that a model goes to a destination; returns the envelope's path, in the run's folder.

    Args:
      model_folder: the version's files, in the destination or about to be renamed into it.
      destination: as the ledger names it.
      exports: the folders of the artefacts that go with it, by kind.

    Raises:
      SignatureError: these are not the files that the decision was signed for, or are not all.
    """
    where = str(model_folder)
    found = sha256_tree(model_folder)
    check_digest(statements.MODEL, found, decision.statement, where=where)
    artefacts = {kind: export_sha256(path) for kind, path in (exports or {}).items()}
    if artefacts != (decided := load_decision(folder / DECISION).passed_exports):
        raise SignatureError(
            f"{where}: got artefacts {artefacts}, wanted those that passed, {decided}; run again"
        )
    predicate = {
        "destination": destination,
        "version": version,
        "run_id": decision.statement.predicate["run_id"],
        "decision_statement_sha256": decision.statement_sha256,
        "decision_signed_by": list(decision.signers),
        "released_at": utc_now(),
    }
    statement = Statement(
        statements.RELEASE_TYPE, {statements.MODEL: found, **artefacts}, predicate
    )
    return _write(folder / RELEASE_ATTESTATION, statement, signers)


def _write(path: Path, statement: Statement, signers: Sequence[Signer]) -> Path:
    write_atomically(path, sign(statements.to_bytes(statement), signers))
    return path


def check_releasable(
    envelope: Path,
    *,
    model_folder: Path,
    there: Found,
    trusted_keys: Path,
    threshold: int,
    unmeasured: Iterable[str] = (),
) -> CheckedStatement:
    """The decision on a model that may be released, if enough trusted keys signed just that.

    Args:
      envelope: `decision.dsse.json` in the run's folder, whose other files are hashed again.
      there: the subjects outside of the run's folder, as they are now.
      trusted_keys: folder of NAME.pub.pem files.
      threshold: how many of these keys have to have signed, at least 1.
      unmeasured: subjects that the caller cannot measure and takes as signed.

    Raises:
      SignatureError: too few signatures that count, any subject is not what was signed, or the
        decision does not let this model pass.
    """
    given = {**there, statements.MODEL: model_folder}
    checked = check_decision(
        envelope, there=given, trusted=load_trusted(trusted_keys), threshold=threshold
    )
    left = [name for name in checked.unmeasured if name not in set(unmeasured)]
    if left:
        raise SignatureError(f"{envelope}: {left[0]} was signed and was not compared; refused")
    facts = checked.statement.predicate
    if facts["verdict"] != Verdict.PASS.value or facts["already_released"]:
        why = "released already" if facts["already_released"] else f"a {facts['verdict']}"
        raise SignatureError(
            f"{envelope}: the signed decision lets nothing be released: it is {why}"
        )
    return checked
