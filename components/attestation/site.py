"""What a coordinator asks of a site about a candidate, and what the site answers.

A request is bound to a model's files and to one run by a nonce; an answer to its request by a hash.
So no answer serves for another model, nor for another run.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.attestation.envelope import read_envelope, sign, verify
from components.attestation.keys import PublicKey, Signer, public_key_of
from components.attestation.statements import (
    MODEL,
    SITE_REQUEST_TYPE,
    SITE_VERDICT_TYPE,
    Statement,
    from_bytes,
    to_bytes,
)
from components.records.errors import ConfigError, IntegrityError, SignatureError
from components.records.files import canonical_json, sha256_tree

# In a candidate's folder of the outbox: the files of its SavedModel, and what asks.
MODEL_FOLDER, REQUEST_FILE = "model", "request.dsse.json"
ANSWER_SUFFIX = ".dsse.json"  # NAME of the site before it, in the run's folder of the inbox


@dataclass(frozen=True)
class SiteAnswers:
    """What went between a run and the sites that its policy names, each an envelope as it came.

    Attributes:
      request: the run's own.
      answers: by the site's name, of those that answered.
    """

    request: str
    answers: Mapping[str, str]

    def to_bytes(self) -> bytes:
        return canonical_json({"request": self.request, "answers": dict(self.answers)}) + b"\n"

    @property
    def sha256(self) -> str:
        """Hex, over the file that keeps it."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def load_answers(path: Path) -> SiteAnswers:
    """The inverse of `SiteAnswers.to_bytes`; IntegrityError where the file is no such thing."""
    try:
        found = json.loads(path.read_bytes())
        answers = {str(name): str(envelope) for name, envelope in found["answers"].items()}
        return SiteAnswers(str(found["request"]), answers)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(
            f"{path}: not what sites were asked and answered ({type(error).__name__}); restore it"
        ) from None


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


def read_verdict(
    sites: SiteAnswers, name: str, *, key: str, model_sha256: str, run_id: str
) -> Mapping[str, Any]:
    """What a site said, in the words of schemas/site_verdict.json.

    Args:
      key: the site's public key, as `public_key_of` takes it.
      model_sha256, run_id: of the candidate, and of the run that judges it.

    Raises:
      SignatureError: its key did not sign it, or it is no answer to this run's request about this
        model; the message names no folder.
    """
    where = f"{name}{ANSWER_SUFFIX}"
    asked = verify(sites.request.encode(), [], where=REQUEST_FILE)
    request = from_bytes(asked.payload, SITE_REQUEST_TYPE, where=REQUEST_FILE)
    if request.predicate["run_id"] != run_id:
        raise SignatureError(f"{REQUEST_FILE}: asks for another run")
    try:
        trusted = public_key_of(key, name)
    except ConfigError as error:
        raise SignatureError(str(error)) from None
    signed = verify(sites.answers[name].encode(), [trusted], where=where)
    signed.require(1)
    said = from_bytes(signed.payload, SITE_VERDICT_TYPE, where=where)
    if said.subjects[MODEL] != model_sha256:
        raise SignatureError(
            f"{where}: is about model {said.subjects[MODEL][:12]}..., the candidate is "
            f"{model_sha256[:12]}..."
        )
    if (said.predicate["request_sha256"], said.predicate["nonce"]) != (
        asked.payload_sha256,
        request.predicate["nonce"],
    ):
        raise SignatureError(f"{where}: answers another request, so it is of another run")
    return said.predicate
