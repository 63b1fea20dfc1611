"""Who signed what a bundle says, and whether the reader has any reason to believe them.

The keys inside a bundle show that nothing was changed since somebody signed; who that was, only a
key from elsewhere can show.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.attestation import statements
from components.attestation.envelope import Signed, verify
from components.attestation.keys import PUBLIC, PublicKey, load_public
from components.attestation.statements import Statement
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.decision import Decision
from components.lineage.record import RunRecord
from components.records.errors import IntegrityError, SignatureError
from components.records.ledger.records import Release
from components.records.run_files import DECISION_ATTESTATION, RELEASE_ATTESTATION
from pipeline.evidence.bundle.check_ledger import Chain
from pipeline.evidence.bundle.checked_bundle import FITS, SIGNED, Bundle
from pipeline.evidence.bundle.names import KEYS


def trusted_keys(paths: Sequence[Path]) -> tuple[PublicKey, ...]:
    """The public keys in these files; ConfigError where one is none."""
    return tuple(_distinct([load_public(path) for path in paths]))


def check_signatures(
    bundle: Bundle,
    record: RunRecord,
    decision: Decision | None,
    chain: Chain,
    trusted: Sequence[PublicKey],
) -> None:
    """Holds both signed statements against the files, and their signers against the keys.

    Args:
      trusted: the keys that the reader vouches for; empty for none.

    Raises:
      SignatureError: a statement does not fit, a signature does not, one that was made is missing,
        or none of the trusted keys signed.
    """
    inside = [key for key in _inside(bundle) if key.id not in {known.id for known in trusted}]
    if decision is None:
        if trusted:
            raise SignatureError(f"{bundle.where}: the run came to no decision that one could sign")
        bundle.leave_open("signature of the decision", "the run came to no decision")
        return
    statement = _decision(bundle, record, decision, trusted, inside)
    _release(bundle, record, chain.original, statement, trusted, inside)


def _decision(
    bundle: Bundle,
    record: RunRecord,
    decision: Decision,
    trusted: Sequence[PublicKey],
    inside: Sequence[PublicKey],
) -> Signed | None:
    made = record.decision.statement_sha256 if record.decision else None
    what = "signature of the decision"
    if not _there(bundle, DECISION_ATTESTATION, what, made, trusted):
        return None
    where = f"{bundle.where}: {DECISION_ATTESTATION}"
    signed = verify(bundle.files[DECISION_ATTESTATION], [*trusted, *inside], where=where)
    if made is not None:  # somebody may also have signed after the run
        got = hashlib.sha256(signed.payload).hexdigest()
        bundle.same(f"{DECISION_ATTESTATION}: the statement", got, made, "run.json names")
    statement = statements.from_bytes(signed.payload, statements.DECISION_TYPE, where=where)
    statements.check_agreement(statement, decision, where=where)
    _compare(statement, _subjects(bundle, record, decision), where)
    count = len(statement.subjects)
    bundle.note("signed decision", FITS, f"names {count} subjects by hash, each as it is here")
    _signers(bundle, what, signed, trusted)
    return signed


def _release(
    bundle: Bundle,
    record: RunRecord,
    release: Release | None,
    decided: Signed | None,
    trusted: Sequence[PublicKey],
    inside: Sequence[PublicKey],
) -> None:
    if release is None:
        if RELEASE_ATTESTATION in bundle:
            raise IntegrityError(f"{bundle.where}: {RELEASE_ATTESTATION}: nothing was released")
        return
    made, what = release.attestation_sha256, "signature of the release"
    if not _there(bundle, RELEASE_ATTESTATION, what, made, trusted):
        return
    content = bundle.files[RELEASE_ATTESTATION]
    says = f"ledger entry {release.seq} names"
    bundle.same(RELEASE_ATTESTATION, hashlib.sha256(content).hexdigest(), made, says)
    where = f"{bundle.where}: {RELEASE_ATTESTATION}"
    signed = verify(content, [*trusted, *inside], where=where)
    statement = statements.from_bytes(signed.payload, statements.RELEASE_TYPE, where=where)
    _compare(statement, {statements.MODEL: release.model_sha256}, where)
    told = statement.predicate
    for name, wanted in (
        ("run_id", record.run_id),
        ("destination", release.destination),
        ("version", release.version),
    ):
        bundle.same(f"{RELEASE_ATTESTATION}: {name}", told[name], wanted, "the ledger has")
    if decided is not None:
        got, rests_on = hashlib.sha256(decided.payload).hexdigest(), "decision_statement_sha256"
        bundle.same(DECISION_ATTESTATION, got, told[rests_on], "the signed release rests on")
    bundle.note("signed release", FITS, "names the model, its destination and the signed decision")
    _signers(bundle, what, signed, trusted)


def _there(
    bundle: Bundle, name: str, what: str, made: str | None, trusted: Sequence[PublicKey]
) -> bool:
    """Whether there is a signed statement; SignatureError where there has to be one."""
    if name in bundle:
        return True
    if made is not None:
        raise SignatureError(
            f"{bundle.where}: {name} is missing; statement {made[:12]}... is on record as signed"
        )
    if trusted:
        raise SignatureError(f"{bundle.where}: {name} is missing: nobody signed; wanted --key")
    bundle.leave_open(what, "nobody signed it")
    return False


def _signers(bundle: Bundle, what: str, signed: Signed, trusted: Sequence[PublicKey]) -> None:
    """Says who signed; raises SignatureError where the reader's keys did not."""
    known = {key.id for key in trusted}
    counting = [key.name for key in signed.signers if key.id in known]
    others = [key.id[:12] for key in signed.signers if key.id not in known]
    others += [key_id[:12] for key_id in signed.unknown]
    also = f"; also by {', '.join(others)}, which no --key names" if others else ""
    if counting:
        bundle.note(what, SIGNED, f"by {', '.join(counting)}{also}")
    elif trusted:
        raise SignatureError(
            f"{signed.where}: signed by {', '.join(others) or 'nobody'}, by none of the keys "
            "given with --key"
        )
    elif signed.unknown and not signed.signers:
        bundle.leave_open(what, f"by {', '.join(others)}, whose keys are not here")
    else:
        names = ", ".join(key.name for key in signed.signers)
        bundle.leave_open(
            what, f"fits the keys inside the bundle ({names}), which nobody vouched for; use --key"
        )


def _compare(statement: Statement, found: Mapping[str, str | None], where: str) -> None:
    """Every subject that was signed is what the bundle has, or was not there then either."""
    for name in {**statement.subjects, **found}:
        statements.check_digest(name, found.get(name), statement, where=where)


def _subjects(bundle: Bundle, record: RunRecord, decision: Decision) -> dict[str, str | None]:
    """What the statement should name; what is not in the bundle as the run record has it."""
    found: dict[str, str | None] = {
        statements.MODEL: decision.hashes["candidate"],
        statements.CHAMPION: decision.hashes["champion"],
        statements.ENVIRONMENT: record.environment.sha256,
        statements.TRAINING: record.inputs.training_root,
        POLICY: record.inputs.policy_sha256,
        CASE_SET: record.inputs.case_set_sha256,
        GOLDEN: record.inputs.golden_file_sha256,
    }
    for name in statements.SUBJECTS:
        if name in bundle:
            found[name] = hashlib.sha256(bundle.files[name]).hexdigest()
    return found


def _inside(bundle: Bundle) -> list[PublicKey]:
    """The public keys that the bundle brings along."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    found = []
    for name in sorted(bundle.files):
        if not name.startswith(KEYS):
            continue
        try:
            key = load_pem_public_key(bundle.files[name])
        except Exception:  # cryptography has several kinds; none of them leaves a key
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise IntegrityError(f"{bundle.where}: {name}: holds no Ed25519 public key")
        called = name.removeprefix(KEYS).removesuffix(PUBLIC)
        found.append(PublicKey(called, SSlibKey.from_crypto(key)))
    return _distinct(found)


def _distinct(keys: Sequence[PublicKey]) -> list[PublicKey]:
    return list({key.id: key for key in keys}.values())
