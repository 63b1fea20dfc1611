"""Keyed hashes in place of whoever a picture is of.

Without the site's secret nobody can tell a hash's patient, not even by trying every number of an
archive. With it the same patient has the same hash in every data set of the site.
"""

import functools
import hashlib
import hmac
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from components.attestation.key_files import read_secret, read_secret_file, refuse_in_checkout
from components.records.errors import ConfigError
from components.records.files import writing_to

VARIABLE = "CASEGATE_SITE_SECRET"
DIGITS = 32  # of a hash in hexadecimal: 128 bits
_LEAST = 16  # characters of a secret


@dataclass(frozen=True)
class Pseudonyms:
    """Keyed hashes by one secret."""

    secret: bytes = field(repr=False)

    def of(self, kind: str, value: str) -> str:
        """HMAC-SHA-256 of a value of a kind, 32 hex digits; empty where the value is."""
        text = f"casegate-{kind}\0{value}".encode("utf-8", "surrogateescape")
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()[:DIGITS] if value else ""

    @property
    def id(self) -> str:
        """What tells one secret from another, and nothing about it."""
        return self.of("secret", "id")


def secret_file() -> Path:
    """Where the secret is kept unless the environment has it or names another file."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / (
        "casegate/site-secret"
    )


@functools.cache
def site_pseudonyms(*, make: bool) -> Pseudonyms:
    """The site's own, from CASEGATE_SITE_SECRET, the file in CASEGATE_SITE_SECRET_FILE, or ours.

    Args:
      make: makes the secret where there is none; a worker of a run must not.

    Raises:
      ConfigError: the secret is too short, is open to others, lies in a repository, or is absent.
    """
    secret = read_secret(VARIABLE, "secret")
    if secret is None:
        path = secret_file()
        if make and not path.exists():
            _make(path)
        secret = read_secret_file(path, "secret")
    if len(secret) < _LEAST:
        raise ConfigError(f"{VARIABLE}: got {len(secret)} characters, wanted {_LEAST} or more")
    return Pseudonyms(secret.encode())


def _make(path: Path) -> None:
    """A new secret, whole from the first moment on; another process may have made one meanwhile."""
    refuse_in_checkout(path)
    with writing_to(path, f"; name another file in {VARIABLE}_FILE"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:  # of mode 600
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
            try:
                os.link(file.name, path)
            except FileExistsError:
                return
