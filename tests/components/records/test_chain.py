from pathlib import Path

import pytest

from components.records.chain import FIRST_PREVIOUS, Head, read_head
from components.records.errors import IntegrityError
from tests.components.planting import sha
from tests.refusing import refused


def test_a_head_reads_back(tmp_path: Path) -> None:
    head = Head(7, sha("entry"))
    (tmp_path / "ledger.head").write_bytes(head.to_bytes())
    assert read_head(tmp_path / "ledger.head") == head


def test_no_head_is_that_of_an_empty_ledger(tmp_path: Path) -> None:
    assert read_head(tmp_path / "ledger.head") == Head(0, FIRST_PREVIOUS)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"7", b'{"seq":7}', b'{"seq":7,"entry_sha256":"a"}', b"\xff"]
)
def test_anything_else_than_a_head_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.head").write_bytes(content)
    with refused(IntegrityError, tmp_path / "ledger.head"):
        read_head(tmp_path / "ledger.head")


def test_a_head_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.head").mkdir()
    with refused(IntegrityError, tmp_path / "ledger.head", "Is a directory"):
        read_head(tmp_path / "ledger.head")
