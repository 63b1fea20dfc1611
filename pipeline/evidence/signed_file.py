"""What a key or an envelope holds, for whoever has just the file."""

from hashlib import sha256
from pathlib import Path

from components.attestation.envelope import read_envelope, verify
from components.attestation.key_files import read_passphrase
from components.attestation.keys import PRIVATE, load_public, load_signer, load_trusted
from components.attestation.statements import DECISION_TYPE, RELEASE_TYPE, SUBJECTS, from_bytes
from components.records.errors import IntegrityError
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.signatures import TRUSTED, UNKNOWN

PEM = ".pem"


def signed_file(path: Path, keys: Path | None) -> Answer:
    """A key's id, or an envelope's statement and who signed it.

    Args:
      keys: folder of the public keys that count; None: nobody's do.

    Raises:
      ConfigError: a key that cannot be read.
      SignatureError: no envelope, or altered since it was signed.
    """
    return _key(path) if path.suffix == PEM else _envelope(path, keys)


def _key(path: Path) -> Answer:
    private = path.name.endswith(PRIVATE)
    key = load_signer(path, read_passphrase()).public if private else load_public(path)
    facts = {"name": key.name, "key id": key.id, "kind": "private" if private else "public"}
    return Answer(question=f"whose key is {path}", facts={**facts, "scheme": "Ed25519"})


def _envelope(path: Path, keys: Path | None) -> Answer:
    signed = verify(read_envelope(path), load_trusted(keys) if keys else (), where=str(path))
    kind = RELEASE_TYPE if f'"{RELEASE_TYPE}"'.encode() in signed.payload else DECISION_TYPE
    statement = from_bytes(signed.payload, kind, where=str(path))
    facts: dict[str, Value] = {"statement": statement.predicate_type}
    for name, value in statement.predicate.items():
        plain = ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
        facts[name.replace("_", " ")] = plain
    rows: list[tuple[Value, ...]] = [(key.name, key.id, TRUSTED) for key in signed.signers]
    rows += [(None, key_id, UNKNOWN) for key_id in signed.unknown]
    subjects = tuple((n, SUBJECTS[n].value, hex_) for n, hex_ in statement.subjects.items())
    return Answer(
        question=f"who signed {path}",
        facts={**facts, "statement's SHA-256": sha256(signed.payload).hexdigest()},
        tables=(
            Table("signatures", "signatures", ("by", "key", "counts"), tuple(rows)),
            Table("subjects", "what was signed", ("name", "digest", "value"), subjects),
        ),
        notes=("The files themselves were not compared: name the run for that.",),
        exit_code=0 if signed.signers else IntegrityError.exit_code,
    )
