import shlex
import subprocess
from pathlib import Path

import pytest

from components.baselines.amend import CaseChanges, amend_case_set, diff_case_sets
from components.baselines.case_set import save_case_set
from components.baselines.history import archive
from components.cases.lock import lock_source
from components.cases.sources import open_source
from components.records.errors import ConfigError, IntegrityError, SourceError
from pipeline.governance.case_sets import typed, typed_changes, verify_case_set
from pipeline.settings.baselines import SHIPPED_BASELINES, find_case_set, read_case_set
from pipeline.settings.workspace import Workspace
from tests.components.cases.making import write_npz
from tests.components.planting import locked
from tests.refusing import refused

FIRST = locked(3, 3)
SECOND = amend_case_set(
    FIRST, CaseChanges(retire=("case-0005",)), author="A", reason="r", date="2025-04-01"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """With the baseline `own` at version 2."""
    path = tmp_path / "workspace" / "baselines" / "own" / "case_set.json"
    save_case_set(FIRST, path)
    archive(path, FIRST)
    save_case_set(SECOND, path)
    return Workspace(tmp_path / "workspace")


def test_a_name_means_the_shipped_baseline_then_the_workspaces(workspace: Workspace) -> None:
    save_case_set(FIRST, workspace.baselines / "phantom" / "case_set.json")
    shipped = SHIPPED_BASELINES / "phantom" / "case_set.json"
    assert find_case_set("phantom", workspace) == shipped
    assert read_case_set("own", workspace) == SECOND


def test_a_file_and_its_folder_mean_the_same(workspace: Workspace) -> None:
    path = workspace.baselines / "own" / "case_set.json"
    assert find_case_set(str(path), workspace) == find_case_set(str(path.parent), workspace) == path


def test_a_version_is_named_behind_an_at_sign(workspace: Workspace) -> None:
    path = workspace.baselines / "own" / "case_set.json"
    assert read_case_set("own@1", workspace) == FIRST
    assert read_case_set(f"{path}@2", workspace) == SECOND
    with refused(ConfigError, "version 3 ", "1, 2"):
        read_case_set("own@3", workspace)


def test_an_at_sign_may_be_part_of_a_name(workspace: Workspace) -> None:
    save_case_set(FIRST, workspace.baselines / "own@1" / "case_set.json")
    assert read_case_set("own@1@1", workspace) == FIRST == read_case_set("own@1", workspace)


@pytest.mark.parametrize("word", ["ownn", "", "../own", "a\nb", "x" * 5000, "a\0b", "own@x"])
def test_anything_else_is_a_usage_error_of_one_line(workspace: Workspace, word: str) -> None:
    with refused(ConfigError, "wanted a file or a name"):
        read_case_set(word, workspace)


def test_a_misspelt_name_gets_a_suggestion(workspace: Workspace) -> None:
    with refused(ConfigError, "did you mean 'phantom'"):
        find_case_set("phantm", workspace)


@pytest.fixture
def chest(tmp_path: Path) -> Path:
    """A case set that was locked from the chest.npz beside it."""
    data = write_npz(tmp_path / "chest.npz", rows=6)
    lock_source(open_source(str(data)), tmp_path / "case_set.json", author="A", reason="r")
    return tmp_path / "case_set.json"


def test_images_are_read_from_the_source_beside_the_lock(chest: Path, workspace: Workspace) -> None:
    found = verify_case_set(str(chest), workspace, None)
    assert (len(found.case_set.cases), found.source) == (6, str(chest.parent / "chest.npz"))


def test_a_source_that_holds_other_cases_is_named(chest: Path, workspace: Workspace) -> None:
    (chest.parent / "other").mkdir()
    images = write_npz(chest.parent / "other" / "chest.npz", rows=7)
    with refused(IntegrityError, "additional: 1 (chest-test-00006)"):
        verify_case_set(str(chest), workspace, str(images))


def test_a_source_that_is_nowhere_has_to_be_given(chest: Path, workspace: Workspace) -> None:
    (chest.parent / "chest.npz").rename(chest.parent / "moved.npz")
    with refused(SourceError, "'chest.npz'", "--source"):
        verify_case_set(str(chest), workspace, None)


ODD = ["plain-1", "it's", 'a"b;c', "line\nbreak", "患者-01", "$HOME `x`", "tab\tß\\n", "\x7f1"]


@pytest.mark.parametrize("word", ODD)
def test_a_typed_word_is_read_back_by_the_shell(word: str) -> None:
    command = f"printf %s {typed(word)}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout.decode() == word and "\n" not in command


def test_the_options_of_a_difference_make_it() -> None:
    changes = CaseChanges(
        retire=("case-0005",), relabel=(("case-0004", 1),), sentinel=("case-0000", "case-0001")
    )
    after = amend_case_set(FIRST, changes, author="A", reason="r", date="2025-04-01")
    words = shlex.split(typed_changes(diff_case_sets(FIRST, after)))
    assert words == [
        "--retire", "case-0005", "--relabel", "case-0004=positive",
        "--sentinel", "case-0000", "--sentinel", "case-0001",
    ]  # fmt: skip
    back = shlex.split(typed_changes(diff_case_sets(after, FIRST)))
    assert back[:4] == ["--add", "case-0005", "--source", "SOURCE"] and "--unsentinel" in back
