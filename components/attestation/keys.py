"""Keys of people and machines that sign, in files: NAME.key.pem (private), NAME.pub.pem (public).

Ed25519 throughout. Its signatures need no random number, and it is a weak or repeated random
number that gives an ECDSA key away; it leaves no curve, padding or hash to choose wrongly. A key
is known by securesystemslib's key id: the SHA-256 over the canonical JSON of the public key.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from components.attestation.key_files import (
    WHERE_IT_GOES,
    read_key_file,
    read_passphrase,
    refuse_in_checkout,
)
from components.records.errors import ConfigError
from components.records.files import sync

PUBLIC, PRIVATE = ".pub.pem", ".key.pem"
_INIT = "`casegate keys init`"
VARIABLE = "CASEGATE_KEY"  # one path, or several with os.pathsep between them

_is_name = re.compile(r"[^\W_][\w.@+-]*( [\w.@+-]+)*").fullmatch


@dataclass(frozen=True)
class PublicKey:
    """A public key; `name` is of the person or machine, from the file's name."""

    name: str
    key: SSlibKey = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.key.keyid)


@dataclass(frozen=True)
class Signer:
    """A private key, ready to sign; `name` is from its file's name and no part of a signature."""

    name: str
    crypto: CryptoSigner = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.crypto.public_key.keyid)

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.name, self.crypto.public_key)


def load_signer(path: Path, passphrase: str | None = None) -> Signer:
    """The private key in `path`.

    Raises:
      ConfigError: no such file, others can read it, it lies in a repository, it holds something
        else than an Ed25519 private key, or the passphrase is missing or wrong.
    """
    content = read_key_file(path, private=True)
    refuse_in_checkout(path)
    key = _private_key(content, path, passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: got {_kind(key)} key, wanted Ed25519; make one with {_INIT}")
    return Signer(key_name(path, PRIVATE), CryptoSigner(key))


def load_public(path: Path) -> PublicKey:
    """The public key in `path`, which names whose it is: NAME.pub.pem.

    Raises:
      ConfigError: it cannot be read, or is not one Ed25519 public key.
    """
    content = read_key_file(path, private=False)
    if b"PRIVATE KEY" in content:
        raise ConfigError(f"{path}: holds a private key, wanted a public one ({PUBLIC})")
    try:
        if content.count(b"-----BEGIN") != 1:
            raise ValueError
        key = load_pem_public_key(content)
    except Exception:  # cryptography has several kinds; none of them leaves a key
        raise ConfigError(f"{path}: holds no public key in PEM; wanted one of {_INIT}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path}: got {_kind(key)} key, wanted Ed25519")
    return PublicKey(key_name(path, PUBLIC), SSlibKey.from_crypto(key))


def public_key_of(line: str, name: str) -> PublicKey:
    """The public key whose PEM file has this line of base64 between its first and its last.

    Raises:
      ConfigError: it is not one Ed25519 public key.
    """
    pem = f"-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----\n".encode()
    try:
        key = load_pem_public_key(pem)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError
    except Exception:  # cryptography has several kinds; none of them leaves a key
        raise ConfigError(f"{name}: got {line[:80]!a}, wanted a line of a NAME.pub.pem") from None
    return PublicKey(name, SSlibKey.from_crypto(key))


def load_trusted(folder: Path) -> tuple[PublicKey, ...]:
    """The keys whose signatures count: every NAME.pub.pem in `folder`; none where it is missing.

    Raises:
      ConfigError: a file is no public key, or one key stands there under two names.
    """
    found: dict[str, PublicKey] = {}
    for path in sorted(folder.glob(f"*{PUBLIC}")):
        key = load_public(path)
        if key.id in found:
            raise ConfigError(
                f"{path}: is the key of '{found[key.id].name}' too; one key has one name: remove "
                "one of the two files"
            )
        found[key.id] = key
    return tuple(found.values())


def load_signers(paths: Sequence[Path] | None = None) -> tuple[Signer, ...]:
    """The private keys in `paths`, or else in those that CASEGATE_KEY names; may be none.

    Raises:
      ConfigError: as `load_signer`, or one key is named twice.
    """
    if paths is None:
        named = os.environ.get(VARIABLE, "").split(os.pathsep)
        paths = [Path(name) for name in named if name]
    passphrase = read_passphrase() if paths else None
    found: dict[str, Signer] = {}
    for path in paths:
        signer = load_signer(path, passphrase)
        if signer.id in found:
            raise ConfigError(f"{path}: this key is named twice; name it once")
        found[signer.id] = signer
    return tuple(found.values())


def key_name(path: Path, suffix: str) -> str:
    """Whose key a file holds, by its name."""
    name = path.name.removesuffix(suffix)
    return checked_name(name if name != path.name else path.stem, str(path))


def checked_name(name: str, where: str) -> str:
    """A name that is safe as a file's name and on a screen.

    Raises:
      ConfigError: it is not.
    """
    plain = unicodedata.normalize("NFC", name)
    if not _is_name(plain) or len(plain) > 64 or plain.endswith("."):
        raise ConfigError(
            f"{where}: got the name {name[:70]!a}, wanted up to 64 letters, digits, spaces and "
            ". @ + - _, with a letter or digit first"
        )
    return plain


def _private_key(content: bytes, path: Path, passphrase: str | None) -> object:
    if b"PUBLIC KEY" in content:
        raise ConfigError(
            f"{path}: holds a public key, wanted the private one beside it ({PRIVATE})"
        )
    try:
        return load_pem_private_key(content, None)
    except TypeError:
        pass  # it is encrypted
    except Exception:
        raise ConfigError(
            f"{path}: holds no private key in PEM (PKCS#8); wanted one of {_INIT}"
        ) from None
    if passphrase is None:
        raise ConfigError(f"{path}: is encrypted; {WHERE_IT_GOES}")
    try:
        return load_pem_private_key(content, passphrase.encode())
    except Exception:
        raise ConfigError(
            f"{path}: the passphrase is wrong, or the file is damaged; {WHERE_IT_GOES}"
        ) from None


def _kind(key: object) -> str:
    words = type(key).__name__.removesuffix("Key").removesuffix("Private").removesuffix("Public")
    return {"RSA": "an RSA", "EC": "an elliptic-curve"}.get(words, f"a {words}")


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
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink()
        raise
