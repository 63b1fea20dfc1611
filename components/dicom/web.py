"""Pictures of an archive by DICOMweb: it lists them (QIDO-RS), and gives each once (WADO-RS).

The cache is by content. What was retrieved is not asked for again, so an interrupted retrieval goes
on where it was; and a list of contents has a name, by which a run reads the same pictures to its
end while the archive grows.
"""

import base64
import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import requests
from dicomweb_client.api import DICOMwebClient

from components.attestation.key_files import read_secret
from components.dicom.facts import identifies, keep_quiet
from components.dicom.index import read_ahead
from components.dicom.pseudonyms import DIGITS, Pseudonyms
from components.records.errors import ConfigError, SourceError
from components.records.files import sha256_json, write_atomically, writing_to
from components.records.json_lines import parse_object

if TYPE_CHECKING:
    from pydicom import Dataset

CREDENTIALS = "CASEGATE_DICOMWEB_CREDENTIALS"
OBJECTS = "objects"
ATTEMPTS = 3  # of a request that an archive could not answer just now
THREADS = 4
_PAGE = 500
_TIMEOUT_S = 60
_UIDS = ("0020000D", "0020000E", "00080018")  # of study, series and instance
_ORIGINAL = (("application/dicom", "*"),)  # as the archive has it, not decoded for us


class ArchiveUnreachable(SourceError):
    """Nothing is wrong with what was asked; the archive does not answer just now."""


@dataclass(frozen=True)
class Retrieved:
    """What an archive has of a query.

    Attributes:
      folder: which holds the files.
      files: relative to it, each named by its content.
    """

    folder: Path
    files: tuple[str, ...]

    @property
    def digest(self) -> str:
        return sha256_json(self.files)[:DIGITS]


def check_query(address: str, allowed: Callable[[str], None]) -> tuple[str, dict[str, str]]:
    """The archive's address and the query's parameters.

    Args:
      allowed: raises SourceError for an address that must not be asked.

    Raises:
      SourceError: it has credentials, or asks for one patient: it would stand in every record.
    """
    base, _, query = address.partition("?")
    parts = urlsplit(base)
    if parts.username or parts.password:
        raise SourceError(
            f"dicomweb: credentials in the address of {parts.hostname}; put them into "
            f"{CREDENTIALS}_FILE"
        )
    allowed(base)
    filters = dict(parse_qsl(query, keep_blank_values=True))
    for name in filters:
        if identifies(name):
            raise SourceError(f"{base}: {name} in a query names a patient; wanted other parameters")
    return base, filters


def kept_list(cache: Path, digest: str) -> Retrieved | None:
    """The list of that digest, if the cache has it with all its files."""
    try:
        files = tuple(orjson.loads((_place(cache) / f"{digest}.json").read_bytes()))
    except (OSError, ValueError):
        return None
    kept = Retrieved(_place(cache) / OBJECTS, files)
    whole = kept.digest == digest and all((kept.folder / file).is_file() for file in files)
    return kept if whole else None


def retrieve(
    base: str,
    filters: Mapping[str, str],
    cache: Path,
    pseudonyms: Pseudonyms,
    allowed: Callable[[str], None],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Retrieved:
    """Asks the archive what it has, and gets what the cache has not.

    Raises:
      SourceError: the archive cannot be reached, refuses, or answers something else.
    """
    archive, place = DicomWeb(base, allowed), _place(cache)
    known = dict(_retrieved_before(place))
    with writing_to(place, kind=SourceError):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        instances = list(archive.instances(filters))
        keys = [pseudonyms.of("instance", f"{base}\0{uids[-1]}") for uids in instances]
        wanted = [
            (key, uids)
            for key, uids in zip(keys, instances, strict=True)
            if not (place / OBJECTS / known.get(key, "absent")).is_file()
        ]
        adding = threading.Lock()

        def get(one: tuple[str, tuple[str, ...]]) -> None:
            known[one[0]] = _keep(place, one[0], archive.instance(one[1]), adding)

        for number, _ in enumerate(read_ahead(get, wanted, threads=THREADS), 1):
            progress(number, len(wanted))
        found = Retrieved(place / OBJECTS, tuple(sorted({known[key] for key in keys})))
        write_atomically(place / f"{found.digest}.json", orjson.dumps(found.files))
    return found


def _place(cache: Path) -> Path:
    return cache / "dicom" / "web"


def _retrieved_before(place: Path) -> Iterator[tuple[str, str]]:
    """Which instance is which file; an unfinished last line is none."""
    try:
        with (place / "instances.jsonl").open("rb") as stream:
            for line in stream:
                if row := parse_object(line):
                    yield row["key"], row["file"]
    except OSError:
        return


def _keep(place: Path, key: str, content: bytes, adding: threading.Lock) -> str:
    name = hashlib.sha256(content).hexdigest()
    file = f"{name[:2]}/{name}.dcm"
    if not (place / OBJECTS / file).is_file():
        write_atomically(place / OBJECTS / file, content)
    with adding, (place / "instances.jsonl").open("ab") as stream:
        stream.write(orjson.dumps({"key": key, "file": file}) + b"\n")
    return file


class DicomWeb:
    """An archive that is asked by DICOMweb; every fault is a SourceError that names no patient.

    Args:
      base: its address.
      allowed: raises SourceError for an address that must not be asked.
    """

    def __init__(self, base: str, allowed: Callable[[str], None], *, attempts: int = 0) -> None:
        keep_quiet()
        self._base = base
        self._client = DICOMwebClient(base, session=_Session(allowed), timeout=_TIMEOUT_S)
        self._client.set_http_retry_params(
            max_attempts=attempts or ATTEMPTS, wait_exponential_multiplier=500
        )

    def instances(
        self, filters: Mapping[str, str], study: str | None = None
    ) -> Iterator[tuple[str, ...]]:
        """UIDs of study, series and instance, page by page; each once."""
        seen: set[str] = set()
        before = -1
        while before < len(seen):  # an archive that knows no pages gives the same again
            before = len(seen)
            page = partial(self._client.search_for_instances, study, limit=_PAGE, offset=before)
            for row in self._ask(partial(page, search_filters=dict(filters))):
                uids = tuple(str(row.get(tag, {}).get("Value", [""])[0]) for tag in _UIDS)
                if not all(uids):
                    raise SourceError(f"{self._base}: lists an instance without its UIDs")
                if uids[-1] not in seen:
                    seen.add(uids[-1])
                    yield uids

    def instance(self, uids: tuple[str, ...]) -> bytes:
        """The file of an instance, as the archive stores it."""
        study, series, instance = uids
        ask = partial(
            self._client.retrieve_instance, study, series, instance, media_types=_ORIGINAL
        )
        dataset = self._ask(ask)
        if str(dataset.get("SOPInstanceUID", "")) != instance:
            raise SourceError(f"{self._base}: answered with another instance than was asked for")
        stream = io.BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        return stream.getvalue()

    def store(self, datasets: Sequence["Dataset"]) -> None:
        """Asks the archive to keep these (STOW-RS); whether it did, `instances` tells."""
        self._ask(partial(self._client.store_instances, datasets))

    def _ask(self, ask: Callable[[], Any]) -> Any:
        return _asked(self._base, ask)


def _asked(base: str, ask: Callable[[], Any]) -> Any:
    """What the archive answers; an error of the client's quotes addresses with UIDs in them."""
    try:
        return ask()
    except SourceError:
        raise
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "no status"
        advice = f"; set {CREDENTIALS}_FILE" if status in (401, 403) else ""
        kind = ArchiveUnreachable if str(status) >= "500" else SourceError
        raise kind(f"{base}: the archive answered {status}{advice}") from None
    except requests.RequestException as error:
        raise ArchiveUnreachable(
            f"{base}: {type(error).__name__}; is the archive running?"
        ) from None
    except Exception as error:
        raise SourceError(f"{base}: no DICOMweb answer ({type(error).__name__})") from None


class _Session(requests.Session):
    """Asks no address that must not be asked, even where an answer leads there."""

    def __init__(self, allowed: Callable[[str], None]) -> None:
        super().__init__()
        self._allowed = allowed
        self.auth = _credentials() or _nothing

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None and "://" in target:
            self._allowed(target)
        return target


def _nothing(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request  # else requests would look for a password in ~/.netrc


def _credentials() -> Callable[[requests.PreparedRequest], requests.PreparedRequest] | None:
    """Adds what CASEGATE_DICOMWEB_CREDENTIALS has: `bearer TOKEN` or `basic USER:PASSWORD`."""
    said = read_secret(CREDENTIALS, "credentials")
    if said is None:
        return None
    scheme, _, rest = said.partition(" ")
    if scheme.lower() not in ("bearer", "basic") or not rest or "\n" in said:
        raise ConfigError(f"{CREDENTIALS}: wanted 'bearer TOKEN' or 'basic USER:PASSWORD'")
    if scheme.lower() == "basic":
        rest = base64.b64encode(rest.encode()).decode()

    def add(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"{scheme.capitalize()} {rest}"
        return request

    return add
