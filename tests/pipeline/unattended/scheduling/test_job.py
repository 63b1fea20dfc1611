from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.unattended.scheduling.job import job_name, mark
from tests.pipeline.unattended.scheduling.making import job


@pytest.mark.parametrize(
    ("folder", "name"),
    [("chest", "chest"), ("50% of $all", "50-of-all"), ("...", "workspace"), ("ä", "workspace")],
)
def test_a_name_is_made_of_the_workspaces_folder(tmp_path: Path, folder: str, name: str) -> None:
    assert job_name(None, tmp_path / folder) == name


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "a\n", "%i", ".x", "x" * 65])
def test_a_name_that_is_no_files_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="--name: got"):
        job_name(name, tmp_path)


def test_two_workspaces_of_one_name_are_told_apart(tmp_path: Path) -> None:
    assert mark("x", tmp_path / "a" / "x") != mark("x", tmp_path / "b" / "x")


def test_a_bad_schedule_is_found_before_anything_is_installed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.cron: got '0 3'"):
        job(tmp_path, "schedule.cron='0 3'")


def test_a_path_that_no_unit_file_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wanted printable text"):
        job(tmp_path, workspace="a\nb")
