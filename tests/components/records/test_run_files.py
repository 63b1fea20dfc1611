import json
from pathlib import Path

import pytest

from components.records.errors import IntegrityError
from components.records.run_files import read_request
from tests.refusing import refused

WHOLE = {"fingerprint": "f" * 64, "training_sha256": ""}


def test_a_request_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(WHOLE))
    assert read_request(path) == WHOLE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"{}",
        b"[]",
        b"null",
        b"3",
        b'{"fingerprint": ""}',
        b'{"fingerprint": 1, "training_sha256": "x"}',
        b'{"fingerprint": null, "training_sha256": ""}',
    ],
)
def test_a_damaged_one_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "request.json"
    path.write_bytes(content)
    with refused(IntegrityError, str(path)):
        read_request(path)


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with refused(IntegrityError, "request.json"):
        read_request(tmp_path / "request.json")
