"""Makes a key pair: two new files, of which the private one is its owner's alone."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from components.attestation.checkout import refuse_in_checkout
from components.attestation.keys import PRIVATE, PUBLIC, Signer, checked_name, load_signer
from components.records.errors import ConfigError
from components.records.files import sync


def new_key(folder: Path, name: str, passphrase: str | None = None) -> tuple[Path, Path, Signer]:
    """Makes NAME.key.pem (PKCS#8, mode 600) and NAME.pub.pem in `folder`, which may be new.

    Args:
      passphrase: encrypts the private key; None leaves that to the file system.

    Returns:
      The two paths, private first, and the key as read back from the first.

    Raises:
      ConfigError: a file is there already, the folder cannot be written to, or it lies in a git
        checkout that does not ignore the private key.
    """
    name = checked_name(name, "--name")
    private, public = folder / f"{name}{PRIVATE}", folder / f"{name}{PUBLIC}"
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise ConfigError(f"{path}: is there already, and a key is never overwritten")
    refuse_in_checkout(private)
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))
    shown = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(private, secret, 0o600)
        try:
            _create(public, shown, 0o644)
        except BaseException:
            private.unlink()  # half a pair is of no use, and would be in the way
            raise
        sync(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: no key can be written there: {error.strerror}") from None
    return private, public, load_signer(private, passphrase)


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    if passphrase is None:
        return NoEncryption()
    if not passphrase:
        raise ConfigError("the passphrase is empty; give one, or none at all")
    return BestAvailableEncryption(passphrase.encode())


def _create(path: Path, content: bytes, mode: int) -> None:
    """A new file; fails where one is there, even one that came a moment ago."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
