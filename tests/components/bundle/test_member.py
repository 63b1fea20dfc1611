"""The readers of a workspace's files read a bundle's as well."""

from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set, save_case_set
from components.bundle.member import as_path
from components.records.errors import IntegrityError
from tests.components.planting import locked


def test_a_case_set_in_memory_reads_as_the_one_on_disk(tmp_path: Path) -> None:
    save_case_set(locked(3, 3), tmp_path / "case_set.json")
    content = (tmp_path / "case_set.json").read_bytes()
    assert load_case_set(as_path("case_set.json", content)) == locked(3, 3)


def test_a_fault_is_named_with_the_files_name() -> None:
    with pytest.raises(IntegrityError, match=r"b\.zip: case_set\.json: not valid JSON"):
        load_case_set(as_path("b.zip: case_set.json", b"{"))
