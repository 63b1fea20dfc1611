import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.unattended.scheduling.systemd import UnitPlace, install, is_active, remove
from tests.pipeline.unattended.scheduling.making import job
from tests.refusing import refused

UNITS = ("casegate-chest.service", "casegate-chest.timer")


@dataclass
class Systemctl:
    """Attributes:
    runs: whether systemd does.
    refuses: a word whose command fails.
    """

    runs: bool = True
    refuses: str = "nothing"
    said: list[str] = field(default_factory=list)

    def __call__(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        words = " ".join(command)
        code = int(self.refuses in words or not self.runs)
        if "show" not in command:
            self.said.append(words)
        return subprocess.CompletedProcess(command, code, "", "first\nUnit is bad.\n")


@pytest.fixture(autouse=True)
def _has_systemctl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")


def place(folder: Path) -> UnitPlace:
    return UnitPlace("user", folder / "units")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "units").iterdir())


def test_files_are_written_and_the_timer_enabled(tmp_path: Path) -> None:
    systemctl = Systemctl()
    said = install(job(tmp_path), place(tmp_path), run=systemctl)
    assert names(tmp_path) == list(UNITS)
    assert systemctl.said == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now casegate-chest.timer",
    ]
    assert "enabled" in said
    assert (tmp_path / "chest").is_dir()


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    install(job(tmp_path), place(tmp_path), run=Systemctl())
    before = [path.stat().st_mtime_ns for path in sorted((tmp_path / "units").iterdir())]
    said = install(job(tmp_path), place(tmp_path), run=Systemctl())
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "units").iterdir())] == before
    assert said[0].startswith("unchanged ")


def test_other_settings_are_written_over_the_old(tmp_path: Path) -> None:
    install(job(tmp_path), place(tmp_path), run=Systemctl())
    install(job(tmp_path, "schedule.cron='5 4 * * *'"), place(tmp_path), run=Systemctl())
    assert "*-*-* 04:05:00 UTC" in (tmp_path / "units" / UNITS[1]).read_text()


def test_where_systemd_does_not_run_it_says_what_to_do(tmp_path: Path) -> None:
    systemctl = Systemctl(runs=False)
    said = install(job(tmp_path), place(tmp_path), run=systemctl)
    assert said[-1] == (
        "not enabled, because systemd does not run here; where it does: systemctl --user "
        "daemon-reload && systemctl --user enable --now casegate-chest.timer"
    )
    assert names(tmp_path) == list(UNITS)
    assert systemctl.said == []


def test_a_folder_that_systemd_does_not_know_is_not_enabled(tmp_path: Path) -> None:
    elsewhere = UnitPlace("system", tmp_path / "units", known=False)
    systemctl = Systemctl()
    said = install(job(tmp_path), elsewhere, run=systemctl)
    assert "does not look into" in said[-1]
    assert systemctl.said == []


def test_what_systemd_says_against_it_is_one_line(tmp_path: Path) -> None:
    with refused(ConfigError, "systemctl --user enable ", "Unit is bad."):
        install(job(tmp_path), place(tmp_path), run=Systemctl(refuses="enable"))


def test_somebody_elses_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "units").mkdir()
    theirs = tmp_path / "units" / UNITS[0]
    theirs.write_text("[Service]\n")
    with refused(ConfigError, "--name"):
        install(job(tmp_path), place(tmp_path), run=Systemctl())
    assert theirs.read_text() == "[Service]\n"
    assert names(tmp_path) == [UNITS[0]]


def test_another_workspace_of_the_same_name_is_refused_and_not_removed(tmp_path: Path) -> None:
    install(job(tmp_path), place(tmp_path), run=Systemctl())
    other = job(tmp_path, workspace="other/chest")
    with refused(ConfigError, ".service: "):
        install(other, place(tmp_path), run=Systemctl())
    assert remove("chest", other.workspace, place(tmp_path), run=Systemctl()) == []
    assert names(tmp_path) == list(UNITS)


def test_only_what_was_installed_is_removed(tmp_path: Path) -> None:
    install(job(tmp_path), place(tmp_path), run=Systemctl())
    (tmp_path / "units" / "casegate-other.timer").write_text("theirs")
    systemctl = Systemctl()
    said = remove("chest", tmp_path / "chest", place(tmp_path), run=systemctl)
    assert names(tmp_path) == ["casegate-other.timer"]
    assert systemctl.said == [
        "systemctl --user disable --now casegate-chest.timer",
        "systemctl --user daemon-reload",
    ]
    assert len(said) == 2


def test_half_an_installation_is_removed_too(tmp_path: Path) -> None:
    install(job(tmp_path), place(tmp_path), run=Systemctl())
    (tmp_path / "units" / UNITS[1]).unlink()
    remove("chest", tmp_path / "chest", place(tmp_path), run=Systemctl())
    assert names(tmp_path) == []


def test_nothing_installed_is_nothing_to_remove(tmp_path: Path) -> None:
    systemctl = Systemctl()
    assert remove("chest", tmp_path / "chest", place(tmp_path), run=systemctl) == []
    assert systemctl.said == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "units").write_text("a file")
    with refused(ConfigError, tmp_path / "units"):
        install(job(tmp_path), place(tmp_path), run=Systemctl())


def test_whether_it_is_active_is_unknown_where_systemd_does_not_run(tmp_path: Path) -> None:
    assert is_active("chest", place(tmp_path), run=Systemctl()) is True
    assert is_active("chest", place(tmp_path), run=Systemctl(refuses="is-active")) is False
    assert is_active("chest", place(tmp_path), run=Systemctl(runs=False)) is None


def test_under_the_systems_systemd_it_runs_as_the_workspaces_owner(tmp_path: Path) -> None:
    install(job(tmp_path), UnitPlace("system", tmp_path / "units"), run=Systemctl())
    text = (tmp_path / "units" / UNITS[0]).read_text()
    assert f"User={tmp_path.owner()}\n" in text
