"""The manifest names the first file that is not as it lists it."""

import pytest

from components.bundle.manifest import NAME, About, check_manifest, manifest_bytes
from components.records.errors import IntegrityError
from tests.refusing import refused

ABOUT = About("version 7", "0123abcd", "run", "serving/chest", 7, None, 3, "a" * 64, None, None, {})
FILES = {"a.json": b"one", "b.json": b"two"}


def bundle(**changes: bytes) -> dict[str, bytes]:
    return {**FILES, NAME: manifest_bytes(ABOUT, FILES), **changes}


def test_a_whole_bundle_fits_its_manifest() -> None:
    assert check_manifest(bundle()).about == ABOUT


def test_an_altered_file_is_named() -> None:
    with refused(IntegrityError, "b.json: ", "sha256"):
        check_manifest(bundle(**{"b.json": b"2wo"}))


def test_a_file_of_another_size_is_named() -> None:
    with refused(IntegrityError, "b.json: ", "bytes", "4"):
        check_manifest(bundle(**{"b.json": b"two!"}))


def test_an_added_file_is_named() -> None:
    with refused(IntegrityError, "c.json: "):
        check_manifest(bundle(**{"c.json": b""}))


def test_a_missing_file_is_named() -> None:
    files = bundle()
    del files["a.json"]
    with refused(IntegrityError, "a.json: "):
        check_manifest(files)


def test_a_bundle_without_manifest_is_none() -> None:
    with refused(IntegrityError, "MANIFEST.json: "):
        check_manifest(FILES)


@pytest.mark.parametrize("old, new", [(b"version 7", b"version 8"), (b'"root": "', b'"root": "0')])
def test_an_edited_manifest_is_found(old: bytes, new: bytes) -> None:
    content = manifest_bytes(ABOUT, FILES).replace(old, new, 1)
    if b'"0' in new:
        content = content.replace(content[content.index(new) + 9 :][:65], b"0" * 64 + b'"', 1)
    with refused(IntegrityError, NAME):
        check_manifest(bundle(**{NAME: content}))


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'{"files": []}'])
def test_a_manifest_that_is_none_is_refused(content: bytes) -> None:
    with refused(IntegrityError, NAME):
        check_manifest(bundle(**{NAME: content}))
