"""Tests that share what takes long to make are in one group, which one worker runs."""

import re
from pathlib import Path

import pytest

from tests.workers import GROUP_OF, GROUPS, rank

ROOT = Path(__file__).resolve().parents[1]
# How a test asks for what is shared.
ASKING = {
    "one release": r"\b(honest|released|retrained): Released\b",
    "filled workspace": r"\baudited: Audited\b",
    "database servers": r"\bdef test.*\b(server|postgresql|mariadb)[,)]|\bserver: DatabaseServer\b",
}


@pytest.mark.parametrize("group", ASKING)
def test_whoever_asks_for_what_is_shared_is_in_the_group(group: str) -> None:
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(ASKING[group], path.read_text())
    }
    assert asking == set(GROUPS[group])


def test_every_file_of_a_group_is_there() -> None:
    assert [file for file in GROUP_OF if not (ROOT / file).is_file()] == []


def test_what_takes_longest_is_run_first() -> None:
    scopes = ["tests/test_docs.py", "tests/e2e/test_spans.py", *reversed(GROUPS)]
    assert sorted(scopes, key=rank) == [*GROUPS, "tests/e2e/test_spans.py", "tests/test_docs.py"]
