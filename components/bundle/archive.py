"""A bundle as one zip: the same bytes for the same files, and read without trusting any of it.

Reading writes nothing to disk and believes no size that the archive states: names are checked
against a list of what a name may be, and bytes are counted while they are read.
"""

import io
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from components.records.errors import ConfigError, IntegrityError
from components.records.files import write_output, writing_to

MOST_BYTES = 1 << 30  # of all files together, unpacked
MOST_FILES = 4096
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip can state
_ENCRYPTED = 0x1
# Letters, digits and a few signs, in folders: no name that any system takes for a way out.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")
_EXPLAINED = (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, RuntimeError, EOFError)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files, sorted by name and without their times.

    Raises:
      ConfigError: more than a reader would take, or the file cannot be written.
    """
    size = sum(map(len, files.values()))
    if size > MOST_BYTES or len(files) > MOST_FILES:
        raise ConfigError(
            f"{path}: {len(files)} files of {size} bytes; a bundle holds at most {MOST_FILES} of "
            f"{MOST_BYTES} bytes: leave the model or the training manifest out"
        )
    with writing_to(path):
        write_output(path, archive_bytes(files))


def archive_bytes(files: Mapping[str, bytes]) -> bytes:
    """The zip of these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(files):
            if not _NAME.fullmatch(name):
                raise ConfigError(f"{name!r}: no name for a file of a bundle")
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # so that the permissions below are read as such
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name])
    return packed.getvalue()


def read_archive(path: Path) -> dict[str, bytes]:
    """The files in a zip, in memory.

    Raises:
      ConfigError: no such file.
      IntegrityError: no sound zip, or one that no bundle would be: names that lead elsewhere or
        stand twice, links, encryption, more bytes than MOST_BYTES.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise IntegrityError(f"{path}: larger than {MOST_BYTES} bytes; this is no bundle")
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            _refuse_odd(path, archive)
            return _contents(path, archive)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such bundle") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except IntegrityError:
        raise
    except Exception as error:  # zipfile raises many kinds for a damaged or hostile archive
        fault = str(error) if isinstance(error, _EXPLAINED) else type(error).__name__
        raise IntegrityError(f"{path}: no sound zip: {' '.join(fault.split())}") from None


def _refuse_odd(path: Path, archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise IntegrityError(f"{path}: {len(entries)} files, a bundle has at most {MOST_FILES}")
    if archive.comment or min((e.header_offset for e in entries), default=0) != 0:
        raise IntegrityError(f"{path}: bytes before or after the files; it was altered")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if not _NAME.fullmatch(name) or entry.orig_filename != name:
            raise IntegrityError(f"{path}: {name[:80]!r} is no name for a file of a bundle")
        if name.lower() in seen:
            raise IntegrityError(f"{path}: {name} stands twice")
        seen.add(name.lower())
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or entry.flag_bits & _ENCRYPTED:
            raise IntegrityError(f"{path}: {name} is a link or encrypted; a bundle has plain files")
        if entry.compress_type not in _METHODS:
            raise IntegrityError(f"{path}: {name} is packed in a way that no bundle is")


def _contents(path: Path, archive: zipfile.ZipFile) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    left = MOST_BYTES
    for entry in archive.infolist():
        with archive.open(entry) as packed:
            content = packed.read(left + 1)
        left -= len(content)
        if left < 0:
            raise IntegrityError(
                f"{path}: {entry.filename}: unpacks to more than the {MOST_BYTES} bytes a "
                "bundle may have"
            )
        found[entry.filename] = content
    return found


class BundleMember(PurePosixPath):
    """As much of `pathlib.Path` as those readers use."""

    content: bytes

    def exists(self) -> bool:
        return True

    def read_bytes(self) -> bytes:
        return self.content

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self.content.decode(encoding, errors)

    def open(self, mode: str = "rb") -> BinaryIO:
        assert mode == "rb"
        return io.BytesIO(self.content)


def as_path(name: str, content: bytes) -> Path:
    """The file as its readers' signatures have it; `name` is what their errors call it."""
    member = BundleMember(name)
    member.content = content
    return cast(Path, member)
