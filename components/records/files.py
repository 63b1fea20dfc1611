"""Files that other people rely on: written whole or not at all, and named by their content."""

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from components.records.errors import CasegateError, ConfigError, IntegrityError, WorkspaceBusy


def write_atomically(
    path: Path, content: bytes, *, like: os.stat_result | None = None, private: bool = False
) -> None:
    """Writes `content` so that a reader, or a crash, sees the old file or the new one.

    A temporary file in the same folder is flushed to disk, then takes the name; parents are made.

    Args:
      like: whose mode and owner the file gets; None makes it as the umask says.
      private: nobody but its owner may read it, from the first moment on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = create_beside(path, 0o600 if private else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if like is not None:
                with suppress(PermissionError):  # only root gives a file away
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)  # the new name is on disk only when its folder is


def create_beside(path: Path, mode: int = 0o666) -> tuple[int, Path]:
    """A new file in the folder of `path`, open for writing, and its name; the umask holds."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), temporary


def write_output(path: Path, content: bytes) -> None:
    """Writes where a person said: through a link, into a pipe or a device, with a file's own mode.

    What is a file, or not there yet, is written atomically.
    """
    try:
        there = path.stat()
    except FileNotFoundError:
        write_atomically(path.resolve(), content)
        return
    if descriptor := _standard(there):
        # What the shell opened: it may be a file that already has something in it.
        with open(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
    elif stat.S_ISREG(there.st_mode):
        write_atomically(path.resolve(), content, like=there)
    else:
        path.write_bytes(content)


def is_standard_output(path: Path) -> bool:
    """Whether what is written there comes out where this process prints."""
    with suppress(OSError):
        return _standard(path.stat()) == 1
    return False


def _standard(there: os.stat_result) -> int | None:
    for descriptor in (1, 2):
        with suppress(OSError):  # it may be closed
            if os.path.samestat(os.fstat(descriptor), there):
                return descriptor
    return None


@contextmanager
def writing_to(
    place: Path | str,
    then: str = "",
    *,
    kind: type[CasegateError] = ConfigError,
    named: bool = False,
) -> Iterator[None]:
    """Raises an error of this kind for an OSError of the block; `then` says what to do.

    Args:
      named: where the OSError names a file, that stands in the message, and not `place`.
    """
    try:
        yield
    except OSError as error:
        where = (named and error.filename) or place
        raise kind(f"{where}: cannot be written: {error.strerror}{then}") from error


@contextmanager
def lock_file(path: Path, busy: Callable[[], str], *, wait_s: float = 0) -> Iterator[None]:
    """One process at a time in the block; the lock goes with the process, even if killed.

    Raises:
      WorkspaceBusy: another one has it for longer than `wait_s`; `busy` gives the words.
      OSError: the folder cannot be made or written to.
    """
    import filelock  # takes longer to import than most commands take

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = filelock.FileLock(path).acquire(timeout=wait_s)
    except filelock.Timeout:
        raise WorkspaceBusy(busy()) from None
    with lock:
        yield


def canonical_json(value: Any) -> bytes:
    """The one UTF-8 spelling of a JSON value: sorted keys, no spaces, floats by shortest repr.

    Raises:
      ValueError: a float is NaN or infinite.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def sha256_json(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def sha256_tree(folder: Path, *, but: str | None = None) -> str:
    """SHA-256 (hex) over the files below `folder`: their relative POSIX paths and contents.

    Empty folders, times and permissions do not count.

    Args:
      but: the relative path of a file that does not count, whether it is there or not.

    Raises:
      IntegrityError: no such folder, no file in it, or a link to a folder or a special file, whose
        content this would miss.
    """
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            found.append((path.relative_to(folder).as_posix(), path))
        elif path.is_symlink() or not path.is_dir():
            raise IntegrityError(f"{path}: got a link or special file, wanted files and folders")
    digests = {name: sha256_file(path) for name, path in found if name != but}
    if not digests:
        raise IntegrityError(f"{folder}: got no file to hash, wanted a folder with files")
    return sha256_of_tree(digests)


def sha256_of_tree(digests: Mapping[str, str]) -> str:
    """As `sha256_tree`, of a folder's relative paths, each with the SHA-256 (hex) of its file."""
    digest = hashlib.sha256()
    for name, sha256 in sorted(digests.items()):
        # A name cannot contain NUL and a digest has a fixed length, so no two trees look alike.
        digest.update(name.encode() + b"\0" + bytes.fromhex(sha256))
    return digest.hexdigest()


def sync_tree(folder: Path) -> None:
    """Flushes every file and folder below `folder`, and the folder itself, to disk."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Flushes a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
