"""What is signed: in-toto statements on a decision, a release or a site, bound to files by digest.

in-toto leaves the names of digests open but for a few; `sha256` stands for the bytes of a file
alone. What is hashed in another way has a name of its own, described in the statement's schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.decision import Decision
from components.records.errors import IntegrityError, SignatureError
from components.records.export import KINDS
from components.records.files import canonical_json
from components.records.run_files import CHAMPION_SCORES, DECISION, HTML_REPORT, REPORT, SCORES
from components.records.schema import check_document, parse_json


class Digest(str, Enum):
    """How a subject is hashed, under the name that in-toto's digest set gets."""

    FILE = "sha256"
    TREE = "casegateTreeSha256"  # components/records/files.py sha256_tree
    JSON = "casegateJsonSha256"  # components/records/files.py sha256_json
    MERKLE = "casegateMerkleSha256"  # components/records/merkle.py merkle_root
    EXPORT = "casegateExportSha256"  # components/records/export.py export_sha256


MODEL, CHAMPION, ENVIRONMENT, TRAINING = "model", "champion", "environment", "training"

# Every name that a statement on a decision may have as subject.
SUBJECTS: Mapping[str, Digest] = {
    MODEL: Digest.TREE,
    DECISION: Digest.FILE,
    CASE_SET: Digest.FILE,
    POLICY: Digest.FILE,
    GOLDEN: Digest.FILE,
    CHAMPION: Digest.TREE,
    ENVIRONMENT: Digest.JSON,
    TRAINING: Digest.MERKLE,
    SCORES: Digest.FILE,
    CHAMPION_SCORES: Digest.FILE,
    HTML_REPORT: Digest.FILE,
    REPORT: Digest.FILE,
}
# And of every name that any statement may have: a release names what was exported, too.
DIGESTS: Mapping[str, Digest] = {**SUBJECTS, **dict.fromkeys(KINDS, Digest.EXPORT)}
NEVER_ABSENT = (MODEL, DECISION, CASE_SET, POLICY, SCORES, HTML_REPORT, REPORT)


@dataclass(frozen=True)
class Statement:
    """Attributes:
    predicate_type: a key of _SCHEMAS.
    subjects: name -> digest (hex), hashed as DIGESTS says.
    """

    predicate_type: str
    subjects: Mapping[str, str]
    predicate: Mapping[str, Any]


DECISION_TYPE = "urn:casegate:decision:v1"
RELEASE_TYPE = "urn:casegate:release:v1"
SITE_REQUEST_TYPE = "urn:casegate:site-request:v1"
SITE_VERDICT_TYPE = "urn:casegate:site-verdict:v1"
_SCHEMAS = {
    DECISION_TYPE: "attestation_decision",
    RELEASE_TYPE: "attestation_release",
    SITE_REQUEST_TYPE: "site_request",
    SITE_VERDICT_TYPE: "site_verdict",
}


def decision_statement(
    decision: Decision, subjects: Mapping[str, str], *, signed_at: str
) -> Statement:
    """What the signers of a decision say.

    Args:
      subjects: digests by name; names of SUBJECTS that are left out are listed as absent.

    Raises:
      IntegrityError: a subject that every decision has is missing, or one contradicts the decision.
    """
    missing = [name for name in NEVER_ABSENT if name not in subjects]
    if missing:
        raise IntegrityError(f"run {decision.run_id}: {missing[0]} is missing, so nobody can sign")
    absent = [name for name in SUBJECTS if name not in subjects]
    predicate = {**_facts_of(decision), "signed_at": signed_at, "absent": absent}
    statement = Statement(DECISION_TYPE, subjects, predicate)
    check_agreement(statement, decision, where=f"run {decision.run_id}")
    return statement


def to_bytes(statement: Statement) -> bytes:
    """The statement as in-toto's JSON, in its one spelling; the payload that is signed."""
    # protobuf is wanted by nothing else that the reading commands import.
    from google.protobuf.json_format import MessageToDict
    from in_toto_attestation.v1 import resource_descriptor  # type: ignore[import-untyped]
    from in_toto_attestation.v1 import statement as in_toto

    subjects = [
        resource_descriptor.ResourceDescriptor(
            name=name, digest={DIGESTS[name].value: statement.subjects[name]}
        ).pb
        for name in DIGESTS
        if name in statement.subjects
    ]
    made = in_toto.Statement(subjects, statement.predicate_type, dict(statement.predicate))
    made.validate()
    document = MessageToDict(made.pb)
    assert document["predicate"] == statement.predicate
    document["predicate"] = dict(statement.predicate)  # protobuf made 12.0 of a version 12
    schema = _SCHEMAS[statement.predicate_type]
    check_document(document, schema, locate=lambda path: "statement", error=SignatureError)
    _check_subjects(document, statement.predicate_type, "statement")
    return canonical_json(document)


def from_bytes(payload: bytes, predicate_type: str, *, where: str) -> Statement:
    """The inverse of `to_bytes`.

    Raises:
      SignatureError: it is no such statement, or names a subject twice.
    """
    try:
        document = parse_json(payload.decode(), _SCHEMAS[predicate_type], where=where)
    except IntegrityError as error:
        raise SignatureError(str(error)) from None
    except (UnicodeDecodeError, RecursionError):
        raise SignatureError(f"{where}: the payload is no statement in JSON") from None
    _check_subjects(document, predicate_type, where)
    subjects = {row["name"]: next(iter(row["digest"].values())) for row in document["subject"]}
    return Statement(predicate_type, subjects, document["predicate"])


def check_agreement(statement: Statement, decision: Decision, *, where: str) -> None:
    """Raises SignatureError where a statement says something else than its decision does."""
    for key, wanted in _facts_of(decision).items():
        if statement.predicate[key] != wanted:
            raise SignatureError(
                f"{where}: {key} is {statement.predicate[key]!r} in the signed statement and "
                f"{wanted!r} in {DECISION}; restore the decision that was signed"
            )
    hashes = {MODEL: "candidate", CHAMPION: "champion", POLICY: "policy"}
    for name, key in hashes.items():
        check_digest(name, decision.hashes[key], statement, where=f"{where}: {DECISION}")


def check_digest(name: str, found: str | None, statement: Statement, *, where: str) -> None:
    """Raises SignatureError where a subject is not what was signed; None: it is not there."""
    signed = statement.subjects.get(name)
    if found == signed:
        return
    got = f"is {found[:12]}..." if found else "is not there"
    wanted = f"{signed[:12]}... was signed" if signed else "was absent when it was signed"
    raise SignatureError(f"{where}: {name} {got}, {wanted}; restore what was signed")


def _facts_of(decision: Decision) -> dict[str, Any]:
    return {
        "run_id": decision.run_id,
        "verdict": decision.verdict.value,
        "exit_code": decision.exit_code,
        "created": decision.created,
        "policy": decision.policy,
        "case_set": decision.case_set["name"],
        "case_set_version": decision.case_set["version"],
        "already_released": decision.already_released,
        "waived": [check.check for check in decision.checks if check.waived],
    }


def _check_subjects(document: dict[str, Any], predicate_type: str, where: str) -> None:
    """What JSON Schema cannot say of subjects: each once, and hashed as its name wants it."""
    for row in document["subject"]:
        (kind,) = row["digest"]
        if DIGESTS.get(row["name"]) != kind:
            raise SignatureError(f"{where}: got subject {row['name']!r} with {kind}; wanted others")
    names = [row["name"] for row in document["subject"]]
    if predicate_type != DECISION_TYPE:  # its schema wants the model
        if len(set(names)) < len(names):
            raise SignatureError(f"{where}: names a subject twice: {names}")
        return
    absent = document["predicate"]["absent"]
    if sorted([*names, *absent]) != sorted(SUBJECTS):
        raise SignatureError(
            f"{where}: wanted every subject once, by its digest or as absent; got {names} and "
            f"absent {absent}"
        )
