"""DSSE envelopes: a payload and who signed it, in one small JSON file.

A signature covers the payload's type and its exact bytes (DSSE's pre-authentication encoding), so
nothing has to be spelt in a canonical way to be checked. Reading is strict all the same: there is
one spelling of an envelope, so a changed byte anywhere in the file is noticed.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError

from components.attestation.keys import PublicKey, Signer
from components.records.errors import ConfigError, IntegrityError, SignatureError
from components.records.files import canonical_json
from components.records.schema import parse_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Signed:
    """A payload, and whose signatures on it were checked.

    Attributes:
      signers: those of the trusted keys that signed it.
      unknown: key ids of further signatures, which nobody here can check and which do not count.
    """

    payload: bytes
    signers: tuple[PublicKey, ...]
    unknown: tuple[str, ...]
    where: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(key.name for key in self.signers)

    @property
    def payload_sha256(self) -> str:
        """Stays the same when more people sign."""
        return sha256(self.payload).hexdigest()

    def require(self, threshold: int) -> None:
        """Raises SignatureError where fewer than `threshold` trusted keys signed.

        A key counts once, however often its signature stands there.
        """
        if threshold < 1:
            raise ConfigError(f"signing.threshold: got {threshold}, wanted at least 1")
        if len(self.signers) >= threshold:
            return
        got = f"{len(self.signers)} ({', '.join(self.names)})" if self.signers else "none"
        others = ", ".join(key_id[:12] for key_id in self.unknown)
        raise SignatureError(
            f"{self.where}: got {got} of the trusted keys' signatures, wanted {threshold}"
            + (f"; signed by the unknown {others} too" if others else "")
            + "; let a trusted person sign it, or add the signer's public key to the trusted ones"
        )


def read_envelope(path: Path) -> bytes:
    """The bytes of an envelope, of which no honest one has more than MOST_BYTES.

    Raises:
      SignatureError: there is none, it cannot be read, or it is too long.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise SignatureError(f"{path}: is not there: nobody signed this") from None
    except OSError as error:
        raise SignatureError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise SignatureError(f"{path}: more than {MOST_BYTES} bytes; that is no envelope")
    return content


def sign(payload: bytes, signers: Sequence[Signer]) -> bytes:
    """A new envelope around `payload`, signed by every one of `signers`."""
    return _with_signatures(Envelope(payload, PAYLOAD_TYPE, {}), signers, "envelope")


def add_signatures(content: bytes, signers: Sequence[Signer], *, where: str) -> bytes:
    """The same payload with further signatures; those that are there stay as they are.

    Raises:
      ConfigError: one of these keys signed it already.
      SignatureError: it is no envelope.
    """
    return _with_signatures(_parse(content, where), signers, where)


def verify(content: bytes, trusted: Iterable[PublicKey], *, where: str) -> Signed:
    """The payload, and which of the trusted keys signed it. How many it takes is the caller's word.

    Raises:
      SignatureError: it is no envelope, or a signature with a trusted key's id does not fit.
    """
    envelope, by_id = _parse(content, where), {key.id: key for key in trusted}
    signers, unknown = [], []
    for key_id, signature in envelope.signatures.items():
        key = by_id.get(key_id)
        if key is None:
            unknown.append(key_id)
            continue
        try:
            key.key.verify_signature(signature, envelope.pae())
        except UnverifiedSignatureError:
            raise SignatureError(
                f"{where}: the signature of '{key.name}' does not fit: the statement or the "
                "signature was altered after it was signed; restore the file"
            ) from None
        signers.append(key)
    return Signed(envelope.payload, tuple(signers), tuple(unknown), where)


def _with_signatures(envelope: Envelope, signers: Sequence[Signer], where: str) -> bytes:
    if not signers:
        raise ConfigError(f"{where}: no key to sign it with")
    for signer in signers:
        if signer.id in envelope.signatures:
            raise ConfigError(f"{where}: '{signer.name}' ({signer.id[:12]}) signed it already")
        envelope.sign(signer.crypto)
    content = canonical_json(envelope.to_dict()) + b"\n"
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{where}: would have more than {MOST_BYTES} bytes; nobody reads that")
    return content


def _parse(content: bytes, where: str) -> Envelope:
    if len(content) > MOST_BYTES:
        raise SignatureError(f"{where}: more than {MOST_BYTES} bytes; that is no envelope")
    try:
        document = parse_json(content.decode(), "dsse_envelope", where=where)
        envelope = Envelope.from_dict(json.loads(content))  # which alters what it is given
    except IntegrityError as error:
        raise SignatureError(str(error)) from None
    except RecursionError:
        raise SignatureError(f"{where}: not valid JSON: nested without end") from None
    except Exception as error:  # base64, or one key's signature twice
        words = " ".join(str(error).split())
        raise SignatureError(f"{where}: is no DSSE envelope: {words}") from None
    if envelope.to_dict() != document:
        raise SignatureError(f"{where}: its base64 is not spelt as it was written; restore it")
    return envelope
