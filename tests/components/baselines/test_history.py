from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.amend import CaseChanges, amend_case_set
from components.baselines.case_set import CaseSet, save_case_set
from components.baselines.history import archive, archived, load_version, parent_of
from components.records.errors import ConfigError, IntegrityError
from tests.components.planting import locked
from tests.refusing import refused

FIRST = locked(3, 3)


def next_version(case_set: CaseSet, case_id: str) -> CaseSet:
    changes = CaseChanges(sentinel=(case_id,))
    return amend_case_set(case_set, changes, author="A", reason="r", date="2025-04-01")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A case set at version 3, with both earlier versions kept."""
    path = tmp_path / "case_set.json"
    second = next_version(FIRST, "case-0000")
    for now, after in ((FIRST, second), (second, next_version(second, "case-0001"))):
        save_case_set(now, path)
        archive(path, now)
        save_case_set(after, path)
    return path


def test_every_version_can_be_read_again(path: Path) -> None:
    assert archived(path, 1) == path.parent / "history" / "case_set-0001.json"
    assert load_version(path, 1) == FIRST
    assert [load_version(path, n).version for n in (2, 3, None)] == [2, 3, 3]
    assert parent_of(path, load_version(path)) == load_version(path, 2)


def test_a_version_that_never_was_is_a_usage_error(path: Path) -> None:
    with refused(ConfigError, "version 7", "1, 2, 3"):
        load_version(path, 7)


def test_a_kept_version_is_never_written_over(path: Path) -> None:
    before = archived(path, 2).read_bytes()
    save_case_set(replace(next_version(FIRST, "case-0002")), path)
    with refused(IntegrityError, "version 2"):
        archive(path, load_version(path))
    assert archived(path, 2).read_bytes() == before


def test_keeping_the_same_file_twice_is_no_fault(path: Path) -> None:
    second = load_version(path, 2)
    path.write_bytes(archived(path, 2).read_bytes())
    assert archive(path, second) == archived(path, 2)


def test_a_file_of_another_version_in_the_history_is_found(path: Path) -> None:
    archived(path, 2).write_bytes(archived(path, 1).read_bytes())
    with refused(
        IntegrityError, archived(path, 2), "planted version 1", "wanted planted version 2"
    ):
        load_version(path, 2)


def test_a_forged_parent_is_found(path: Path) -> None:
    save_case_set(next_version(FIRST, "case-0005"), archived(path, 2))
    with refused(IntegrityError, "version 3"):
        parent_of(path, load_version(path))


def test_a_first_version_and_a_lone_copy_have_no_parent_here(path: Path, tmp_path: Path) -> None:
    assert parent_of(path, FIRST) is None
    save_case_set(load_version(path), tmp_path / "alone" / "case_set.json")
    assert parent_of(tmp_path / "alone" / "case_set.json", load_version(path)) is None
