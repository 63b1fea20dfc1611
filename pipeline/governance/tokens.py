"""Bearer tokens, by which a server knows who asks; they come from a file, and are not held."""

import hashlib
import hmac
import stat
from collections.abc import Mapping
from pathlib import Path

from components.records.errors import ConfigError
from pipeline.governance.persons import require_text

SHORTEST, LONGEST = 16, 500


class Tokens(dict[bytes, str]):
    """Names by the hash of a token; the tokens themselves are not held."""

    def reader_of(self, token: str) -> str | None:
        """The name that a token stands for, found in the same time whichever it is."""
        given, found = _hashed(token), None
        for known, name in self.items():
            if hmac.compare_digest(known, given):
                found = name
        return found


def load_tokens(path: Path) -> Tokens:
    """Tokens from a file with a line NAME:TOKEN for each reader; # begins a comment.

    A reader may have several lines, so that a token can be replaced without an interruption.

    Raises:
      ConfigError: others may read or write the file, or a line is none; the line is not quoted.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"--token-file {path}: cannot be read: {reason}") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigError(
            f"--token-file {path}: got mode {stat.S_IMODE(mode):04o}, so others may read or write "
            f"it; chmod 600 {path}"
        )
    tokens = Tokens()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, token = _parse_token_line(f"--token-file {path}:{number}", line)
        if _hashed(token) in tokens:
            raise ConfigError(f"--token-file {path}:{number}: a token stands there twice")
        tokens[_hashed(token)] = name
    if not tokens:
        raise ConfigError(f"--token-file {path}: got no token, wanted lines NAME:TOKEN")
    return tokens


def _parse_token_line(where: str, line: str) -> tuple[str, str]:
    name, colon, token = line.rpartition(":")
    token = token.strip()
    if not colon or not name.strip():
        raise ConfigError(f"{where}: wanted NAME:TOKEN")
    if not (SHORTEST <= len(token) <= LONGEST and token.isascii() and token.isprintable()):
        raise ConfigError(
            f"{where}: the token has {len(token)} characters or is not plain text; wanted "
            f"{SHORTEST} to {LONGEST} that nobody can guess, e.g. of `openssl rand -hex 32`"
        )
    if " " in token:
        raise ConfigError(f"{where}: the token has a space in it")
    return require_text(name, f"{where}: name"), token


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def bearer_of(headers: Mapping[str, str]) -> str:
    """The token that a request brought, by its headers; empty where it brought none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
