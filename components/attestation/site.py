"""What a coordinator asks of a site about a candidate, and what the site answers.

A request is bound to a model's files and to one run by a nonce; an answer to its request by a hash.
So no answer serves for another model, nor for another run.
"""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.attestation.envelope import read_envelope, sign, verify
from components.attestation.keys import PublicKey, Signer
from components.attestation.statements import (
    MODEL,
    SITE_REQUEST_TYPE,
    SITE_VERDICT_TYPE,
    Statement,
    from_bytes,
    to_bytes,
)
from components.records.errors import IntegrityError, SignatureError
from components.records.files import sha256_tree

# In a candidate's folder of the outbox: the files of its SavedModel, and what asks.
MODEL_FOLDER, REQUEST_FILE = "model", "request.dsse.json"
ANSWER_SUFFIX = ".dsse.json"  # NAME of the site before it, in the run's folder of the inbox


def signed_request(
    model_sha256: str, signers: Sequence[Signer], *, run_id: str, policy: str, **when: str
) -> bytes:
    """The envelope that asks a site about a model.

    Args:
      policy: the name of the one that the coordinator judges by.
      when: `asked_at` and `answer_by`, ISO 8601 in UTC.
    """
    predicate = {"run_id": run_id, "nonce": secrets.token_hex(16), "policy": policy, **when}
    return sign(to_bytes(Statement(SITE_REQUEST_TYPE, {MODEL: model_sha256}, predicate)), signers)


def read_request(folder: Path, coordinator: PublicKey) -> tuple[Statement, str]:
    """What is asked in a folder of the outbox, and the hash that an answer has to name.

    Raises:
      SignatureError: the coordinator did not sign it, or it was altered.
    """
    place = folder / REQUEST_FILE
    signed = verify(read_envelope(place), [coordinator], where=str(place))
    signed.require(1)
    return from_bytes(signed.payload, SITE_REQUEST_TYPE, where=str(place)), signed.payload_sha256


def check_model(folder: Path, request: Statement) -> None:
    """Raises IntegrityError where a folder does not hold just the files that were asked about."""
    if link := next((path for path in folder.rglob("*") if path.is_symlink()), None):
        raise IntegrityError(f"{link}: a link; wanted the model's files themselves")
    found, wanted = sha256_tree(folder), request.subjects[MODEL]
    if found != wanted:
        raise SignatureError(
            f"{folder}: is model {found[:12]}..., the signed request is about {wanted[:12]}...; "
            "have it sent again"
        )


def signed_verdict(
    request: Statement, request_sha256: str, said: Mapping[str, Any], signer: Signer
) -> bytes:
    """The one file that leaves a site.

    Args:
      said: what schemas/site_verdict.json allows beside the request's own.
    """
    nonce = request.predicate["nonce"]
    predicate = {"request_sha256": request_sha256, "nonce": nonce, **said}
    statement = Statement(SITE_VERDICT_TYPE, {MODEL: request.subjects[MODEL]}, predicate)
    return sign(to_bytes(statement), [signer])
