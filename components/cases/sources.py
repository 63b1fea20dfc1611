"""The one way in: what a person types becomes a data source."""

import difflib
import hashlib
import os
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from rich.console import Console
from rich.progress import wrap_file

from components.cases.dicom_folder import is_dicom_folder
from components.cases.files import cache_folder
from components.cases.folder import open_folder
from components.cases.manifest import MANIFEST, open_manifest
from components.cases.npz import NpzSource, open_npz
from components.cases.reading import PLAIN, Reading, refuse_reading
from components.cases.spans import KIND, open_spans, span_pattern
from components.records import events
from components.records.case import Source
from components.records.errors import SourceError, suggestion
from components.records.files import write_atomically

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Publication:
    """A published file. MD5 is what its publisher gives; it finds damage, not malice."""

    url: str
    md5: str
    n_bytes: int


# MedMNIST v2, Zenodo record 6496656; Yang et al. (2023), Scientific Data 10:41.
PUBLISHED = {
    "pneumoniamnist": Publication(
        "https://zenodo.org/records/6496656/files/pneumoniamnist.npz?download=1",
        "28209eda62fecd6e6a2d98b1501bb15f",
        4_170_669,
    )
}


def open_medmnist(name: str) -> NpzSource:
    """The source `medmnist:NAME`, downloaded unless $CASEGATE_CACHE (~/.cache/casegate) has it.

    Raises:
      SourceError: unknown name, or no verified file could be had.
    """
    spec = f"medmnist:{name}"
    if name not in PUBLISHED:
        raise SourceError(f"{spec}: unknown set '{name}'{suggestion(name, PUBLISHED)}")
    path = cache_folder() / f"{name}.npz"
    publication = PUBLISHED[name]
    try:
        if not path.is_file() or _md5(path.read_bytes()) != publication.md5:
            download(publication, path)
    except (OSError, HTTPException, SourceError) as error:
        raise SourceError(
            f"{spec}: no verified download of {publication.url} ({error}); put the file at {path}"
        ) from None
    return open_npz(path, spec)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def download(publication: Publication, path: Path) -> None:
    """Puts the published file at `path`, whole and verified, or leaves `path` as it was.

    Standard error has a progress bar where it is a terminal.

    Raises:
      OSError, HTTPException: the network or the disk failed.
      SourceError: an address that is not https (or http on this machine), or other content.
    """
    require_secure(publication.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    opener = urllib.request.build_opener(_SecureRedirects)
    console, content = Console(stderr=True), bytearray()
    with (
        opener.open(publication.url, timeout=TIMEOUT_S) as response,
        wrap_file(
            response,
            publication.n_bytes,
            description=f"Downloading {path.name}",
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as stream,
    ):
        while piece := stream.read(1 << 16):
            content += piece
            if len(content) > publication.n_bytes:
                raise SourceError(f"more than the {publication.n_bytes:,} bytes it should have")
    if _md5(bytes(content)) != publication.md5:
        raise SourceError(f"its MD5 is not {publication.md5}")
    write_atomically(path, bytes(content))


def require_secure(url: str) -> None:
    """Refuses an address that is neither https nor plain http on the loopback interface."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "127.0.0.1"):
        return
    raise SourceError(f"{url}: wanted https")


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # type: ignore[no-untyped-def]
        self, req, fp, code, msg, headers, newurl
    ) -> urllib.request.Request | None:
        require_secure(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


KINDS = ("phantom", "medmnist", "dicomweb", KIND)
WORDS = ("phantom", *(f"medmnist:{name}" for name in PUBLISHED))


def open_source(spec: str, reading: Reading = PLAIN) -> Source:
    """The source that `spec` names, checked: every split it needs is there with both classes.

    Args:
      spec: `phantom` or `phantom:KEY=VALUE,...`; `medmnist:NAME`; the path of an .npz file, of a
        folder with `manifest.csv`, of a folder with `train/` and `test/`, or of a folder of DICOM
        files; `dicomweb:ADDRESS?QUERY`; or spans of training data, `spans:PATTERN@NUMBERS`, as
        `components.cases.spans` finds them.
      reading: what a person said of the names in it, which only files have.

    Raises:
      SourceError: no such source, or its data cannot be used.
    """
    kind, _, rest = spec.partition(":")
    if kind in ("phantom", "medmnist"):
        refuse_reading(spec, reading)
    if kind == "phantom":
        _refuse_ambiguous(spec)
        # Not needed by those who bring their own data.
        from components.phantom.source import PhantomSource

        return PhantomSource.parse(spec)
    if kind == KIND:
        return open_spans(spec, reading)
    if kind == "medmnist":
        return open_medmnist(rest)
    if kind == "dicomweb":
        return _open_dicomweb(spec, reading)
    path = Path(os.path.normpath(spec)).expanduser()
    canonical = os.path.normpath(spec)
    if canonical.partition(":")[0] in KINDS:  # ./phantom is a folder, and read again from here
        canonical = f"./{canonical}"
    try:
        if path.is_dir():
            return _open_directory(path, canonical, reading)
        if path.is_file():
            if path.suffix.lower() == ".npz":
                refuse_reading(spec, reading)
                return open_npz(path, canonical)
            raise SourceError(f"{spec}: not a data source; wanted an .npz file or a folder")
    except (OSError, ValueError) as error:  # no permission; a zero byte in the path
        raise SourceError(f"{spec}: cannot be read: {error}") from None
    if span_pattern(spec):
        raise SourceError(f"{spec}: which spans? wanted spans:{canonical}@1-3, or data.source")
    raise SourceError(f"{spec}: no such file or folder{suggestion(spec, _near(spec, path))}")


def _refuse_ambiguous(spec: str) -> None:
    """Raises SourceError where a folder of data bears the name of what casegate makes itself."""
    if any((Path(spec) / name).exists() for name in (MANIFEST, "train", "test")):
        raise SourceError(
            f"{spec}: is the name of synthetic images, and of a folder with data here; write "
            f"./{spec} for the folder, or rename it"
        )


def _open_directory(path: Path, spec: str, reading: Reading) -> Source:
    has_manifest = (path / MANIFEST).is_file()
    found = sorted(item.name for item in path.iterdir() if not item.name.startswith("."))
    in_classes = "train" in found or "test" in found
    if is_dicom_folder(path):
        # pydicom takes longer to import than most sources take to open.
        from components.cases.dicom import open_dicom

        return open_dicom(path, spec, reading)
    if has_manifest:
        return open_manifest(path, spec, reading)
    if not in_classes:
        shown = f"found {found[:6]}" if found else "the folder is empty"
        raise SourceError(
            f"{spec}: {shown}; wanted {MANIFEST}, or train/ and test/, or DICOM files"
        )
    return open_folder(path, spec, reading)


def _open_dicomweb(spec: str, reading: Reading) -> Source:
    """The source `dicomweb:ADDRESS?QUERY`, or `...#DIGEST` for a list that was retrieved."""
    from components.cases.dicom import open_dicom
    from components.dicom.pseudonyms import site_pseudonyms
    from components.dicom.web import check_query, kept_list, retrieve

    address, _, digest = spec.partition("#")
    base, filters = check_query(address.removeprefix("dicomweb:"), require_secure)
    if not reading.dicom.labels:
        raise SourceError(f"{base}: pictures without labels; wanted data.dicom.labels")
    found = kept_list(cache_folder(), digest) if digest else None
    if found is None:
        secret = site_pseudonyms(make=True)
        found = retrieve(base, filters, cache_folder(), secret, require_secure, _retrieving)
    if digest and found.digest != digest:
        raise SourceError(f"{spec}: the archive has other pictures now; leave out #{digest}")
    pinned = f"{address}#{found.digest}"
    return open_dicom(found.folder, pinned, reading, name="dicomweb", files=found.files)


def _retrieving(done: int, of: int) -> None:
    if done % 20 == 0 or done == of:
        events.publish("progress", detail=f"retrieved {done:,} of {of:,}", done=done, total=of)


def _near(spec: str, path: Path) -> list[str]:
    """What could have been meant: the words, and what stands beside the path with a like name."""
    folder = path.parent
    names = [item.name for item in folder.iterdir()] if folder.is_dir() else []
    beside = difflib.get_close_matches(path.name, names)
    return [*WORDS, *(str(Path(spec).parent / name) for name in beside)]
