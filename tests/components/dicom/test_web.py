import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.cases.sources import require_secure
from components.dicom import web
from components.dicom.pseudonyms import Pseudonyms
from components.dicom.web import CREDENTIALS, Retrieved, check_query, kept_list, retrieve
from components.records.errors import ConfigError, SourceError
from tests.components.dicom.archive_server import Archive, serving
from tests.components.dicom.archives import radiograph, read_dicom
from tests.refusing import refused

HASHES = Pseudonyms(b"a secret of this site")


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.delenv(CREDENTIALS, raising=False)
    monkeypatch.delenv(f"{CREDENTIALS}_FILE", raising=False)
    monkeypatch.setattr(web, "ATTEMPTS", 1)
    with serving(Archive([radiograph(number) for number in range(7)])) as started:
        yield started


def got(archive: Archive, cache: Path, **filters: str) -> Retrieved:
    return retrieve(archive.address, filters, cache, HASHES, require_secure)


def uids_in(found: Retrieved) -> set[str]:
    return {read_dicom(found.folder / file).SOPInstanceUID for file in found.files}


def test_everything_that_fits_the_query_is_retrieved_page_by_page(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_PAGE", 3)
    archive.instances.append(radiograph(50, Modality="CR"))
    found = got(archive, tmp_path, Modality="DX")
    assert uids_in(found) == {radiograph(number).SOPInstanceUID for number in range(7)}
    assert len([path for path in archive.asked if "offset" in path]) >= 3


def test_an_archive_without_pages_does_not_keep_us_for_ever(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.instances *= 2  # the same again
    monkeypatch.setattr(web, "_PAGE", 4)
    assert len(got(archive, tmp_path).files) == 7


def test_files_are_named_by_their_content_and_nothing_is_retrieved_twice(
    archive: Archive, tmp_path: Path
) -> None:
    first = got(archive, tmp_path)
    assert got(archive, tmp_path) == first
    assert len(archive.given) == 7
    assert kept_list(tmp_path, first.digest) == first


def test_an_interrupted_retrieval_goes_on_where_it_was(archive: Archive, tmp_path: Path) -> None:
    archive.fails_after = 3
    with refused(SourceError, "500"):
        got(archive, tmp_path)
    archive.fails_after = None
    assert len(got(archive, tmp_path).files) == 7
    assert sorted(archive.given) == sorted({*archive.given})


def test_a_list_of_which_a_file_is_gone_is_none(archive: Archive, tmp_path: Path) -> None:
    found = got(archive, tmp_path)
    (found.folder / found.files[0]).unlink()
    assert kept_list(tmp_path, found.digest) is None
    assert got(archive, tmp_path) == found


def test_names_in_the_cache_hold_no_uid(archive: Archive, tmp_path: Path) -> None:
    found = got(archive, tmp_path)
    index = (found.folder.parent / "instances.jsonl").read_text()
    assert [one for one in archive.instances if one.SOPInstanceUID in index] == []
    assert (tmp_path / "dicom" / "web").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("bearer a.token", "Bearer a.token"),
        ("basic ann:p w", f"Basic {base64.b64encode(b'ann:p w').decode()}"),
    ],
)
def test_credentials_come_from_a_private_file(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, sent: str
) -> None:
    path = tmp_path / "credentials"
    path.touch(0o600)
    path.write_text(f"{said}\n")
    monkeypatch.setenv(f"{CREDENTIALS}_FILE", str(path))
    archive.wants = sent
    assert len(got(archive, tmp_path / "cache").files) == 7


def test_missing_credentials_are_asked_for(archive: Archive, tmp_path: Path) -> None:
    archive.wants = "Bearer it"
    with refused(SourceError, "401", CREDENTIALS):
        got(archive, tmp_path)


def test_credentials_of_another_kind_are_refused(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CREDENTIALS, "p4ssw0rd")
    with refused(ConfigError, CREDENTIALS) as caught:
        got(archive, tmp_path)
    assert "p4ssw0rd" not in str(caught.value)


def test_a_redirect_to_an_open_line_is_not_followed(archive: Archive, tmp_path: Path) -> None:
    archive.moved = "http://example.org/dicom-web/instances"
    with refused(SourceError, "https"):
        got(archive, tmp_path)


def test_an_archive_that_is_not_there_is_one_line(archive: Archive, tmp_path: Path) -> None:
    archive.port = 1
    with refused(SourceError, "127.0.0.1:1"):
        got(archive, tmp_path)


@pytest.mark.parametrize(
    "address",
    [
        "http://archive.example/dicom-web",
        "http://ann:secret@127.0.0.1/dicom-web",
        "https://archive.example/dicom-web?PatientID=MRN1",
        "https://archive.example/dicom-web?00100010=Rossi",
        "https://archive.example/dicom-web?StudyInstanceUID=1.2.3",
        "ftp://archive.example",
    ],
)
def test_an_address_that_would_tell_too_much_is_refused(address: str) -> None:
    with refused(SourceError) as caught:
        check_query(address, require_secure)
    assert [
        word for word in ("secret", "MRN1", "Rossi", "1.2.3") if word in str(caught.value)
    ] == []


def test_other_parameters_are_the_archives() -> None:
    base, filters = check_query(
        "https://a.example/x?Modality=DX&StudyDate=20240101-", require_secure
    )
    assert (base, filters) == ("https://a.example/x", {"Modality": "DX", "StudyDate": "20240101-"})
