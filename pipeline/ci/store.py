"""Where a registry lies: a folder, or a bucket with S3's or Google's interface."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from components.records.errors import ConfigError, SourceError
from components.records.files import write_atomically

BUCKETS = ("s3", "gs")
RETRY_SECONDS = 15
ANONYMOUS = "anonymous"  # what a public bucket of Google's is asked as


class FileStore(Protocol):
    """Small files by name; a name has slashes as a path has."""

    @property
    def said(self) -> str:
        """Its address, for a person."""

    def read(self, name: str) -> bytes | None:
        """A file's content; None where there is no such file.

        Raises:
          SourceError: nobody knows, because it cannot be reached or does not let us in.
        """

    def write(self, name: str, content: bytes) -> None:
        """Puts a file there whole, in place of the one that is there.

        Raises:
          SourceError: it could not be written.
        """


@dataclass(frozen=True)
class Folder:
    root: Path

    @property
    def said(self) -> str:
        return str(self.root)

    def read(self, name: str) -> bytes | None:
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SourceError(f"{self.root / name}: cannot be read: {error.strerror}") from None

    def write(self, name: str, content: bytes) -> None:
        try:
            write_atomically(self.root / name, content)
        except OSError as error:
            raise SourceError(f"{self.root / name}: cannot be written: {error.strerror}") from None


@dataclass(frozen=True)
class Bucket:
    """A place in a bucket, which is reached when it is first asked.

    Attributes:
      address: as pyarrow takes it; may end with ?region=...&endpoint_override=...
    """

    address: str

    @property
    def said(self) -> str:
        return self.address.partition("?")[0].replace(f"{ANONYMOUS}@", "", 1)

    def read(self, name: str) -> bytes | None:
        try:
            files, root = self._opened()
            with files.open_input_stream(f"{root}/{name}") as stream:
                return stream.read()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SourceError(f"{self.said}/{name}: cannot be read: {_first(error)}") from None

    def write(self, name: str, content: bytes) -> None:
        try:
            files, root = self._opened()
            with files.open_output_stream(f"{root}/{name}") as stream:
                stream.write(content)
        except (OSError, ValueError) as error:
            raise SourceError(f"{self.said}/{name}: cannot be written: {_first(error)}") from None

    def _opened(self) -> tuple[Any, str]:
        from pyarrow.fs import FileSystem  # type: ignore[import-untyped]

        address = self.address
        if address.startswith("gs://") and "retry_limit_seconds=" not in address:
            # Left to itself, Google's client tries for a quarter of an hour.
            address += f"{'&' if '?' in address else '?'}retry_limit_seconds={RETRY_SECONDS}"
        files, root = FileSystem.from_uri(address)
        return files, root.rstrip("/")


def open_store(address: str) -> FileStore:
    """The place that an address names.

    Raises:
      ConfigError: no folder, and no bucket that can be spoken to; or a password stands in it.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        return Folder(Path(address))
    if scheme not in BUCKETS:
        raise ConfigError(
            f"registry: got {scheme}://..., wanted a folder, "
            + " or ".join(f"{known}://..." for known in BUCKETS)
        )
    parts = urlsplit(address)
    if parts.username not in (None, ANONYMOUS) or parts.password is not None:
        raise ConfigError(
            "registry: the address holds a key; give keys in the environment or in the files that "
            "the provider's own tools read"
        )
    return Bucket(address)


def _first(error: BaseException) -> str:
    """The error in one line, which for a bucket may be a page."""
    return " ".join(str(error).split())[:200] or type(error).__name__
