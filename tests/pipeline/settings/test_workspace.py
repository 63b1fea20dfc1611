from pathlib import Path

import filelock
import pytest

from components.records.errors import ConfigError, WorkspaceBusy
from pipeline.settings.workspace import Workspace
from tests.refusing import refused


def test_nothing_is_created_before_it_is_opened(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    assert workspace.runs.parent == workspace.serving.parent == workspace.training.parent
    assert not workspace.root.exists()


def test_opening_makes_the_folder_and_its_parents(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "a" / "ws")
    with workspace.opened():
        assert workspace.root.is_dir()


@pytest.mark.parametrize("name", ["w [v2]", "a?", "b*", "w\\x", "[12]/below"])
def test_a_workspace_is_never_taken_for_a_pattern(tmp_path: Path, name: str) -> None:
    sign = next(letter for letter in name if letter in "[?*\\")
    with refused(ConfigError, name, f"'{sign}'"):
        Workspace(tmp_path / name).refuse_pattern()


@pytest.mark.parametrize("name", ["with space", "-dash", "ü", "a,b", "50%", "x]", "{1,2}"])
def test_other_signs_are_names(tmp_path: Path, name: str) -> None:
    Workspace(tmp_path / name).refuse_pattern()


def test_a_second_run_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with (
        workspace.opened(),
        refused(WorkspaceBusy, " process ", " since 2"),
        Workspace(tmp_path).opened(),
    ):
        pytest.fail("two runs at once")


def test_a_lock_held_by_another_program_is_respected(tmp_path: Path) -> None:
    with (
        filelock.FileLock(tmp_path / ".lock"),
        refused(WorkspaceBusy, tmp_path),
        Workspace(tmp_path).opened(),
    ):
        pytest.fail("two runs at once")


def test_a_refused_run_leaves_the_holder_alone(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with workspace.opened():
        with pytest.raises(WorkspaceBusy), workspace.opened():
            pass
        with refused(WorkspaceBusy, " process "), workspace.opened():
            pass


def test_the_workspace_is_free_again_after_a_run_that_failed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(RuntimeError), workspace.opened():
        raise RuntimeError
    with workspace.opened():
        pass
    assert not (tmp_path / ".holder").exists()


def test_a_problem_of_the_run_before_is_forgotten(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.problems.write_text("{}")
    with workspace.opened():
        assert not workspace.problems.exists()


@pytest.mark.parametrize("below", [".", "deeper"])
def test_a_file_cannot_be_a_workspace(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with (
        refused(ConfigError, tmp_path),
        Workspace(tmp_path / "file" / below).opened(),
    ):
        pytest.fail("opened")


def test_releases_go_where_the_settings_say_else_into_the_workspace(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert workspace.destination("chest", None) == tmp_path / "serving" / "chest"
    assert workspace.destination("chest", "served") == Path("served").resolve() / "chest"


def test_the_log_that_a_command_names_goes_before_the_configured_one(tmp_path: Path) -> None:
    workspace, named = Workspace(tmp_path), Path("here.jsonl")
    assert workspace.prediction_log(named, "log.jsonl") == named
    assert workspace.prediction_log(None, "log.jsonl") == Path("log.jsonl")
    assert workspace.prediction_log(None, None) == tmp_path / "predictions"
