import os
import stat
import subprocess
from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.unattended.scheduling import crontab
from tests.pipeline.unattended.scheduling.making import job
from tests.refusing import refused

# As the real one: -l fails where there is no crontab, - replaces it.
STAND_IN = """#!/bin/sh
if [ "$1" = -l ]; then
    [ -e {refuse}-reading ] && {{ echo "you may not use this program" >&2; exit 1; }}
    [ -e {file} ] || {{ echo "no crontab for somebody" >&2; exit 1; }}
    exec cat {file}
fi
[ -e {refuse} ] && {{ echo "installing failed" >&2; exit 1; }}
[ -e {refuse}-silently ] && exit 0
exec cat > {file}
"""
THEIRS = b"# mine\nMAILTO=me\n\n17 *\t* * *  /usr/bin/backup '50\\%'  # \xe4 casegate-chest\n"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the crontab is in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    file, program = tmp_path / "table", folder / "crontab"
    program.write_text(STAND_IN.format(file=file, refuse=tmp_path / "refuse"))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return file


def test_a_line_is_added_after_the_others(tmp_path: Path, table: Path) -> None:
    table.write_bytes(THEIRS)
    crontab.install(job(tmp_path))
    assert table.read_bytes() == THEIRS + crontab.line(job(tmp_path)).encode() + b"\n"
    assert crontab.is_installed("chest", tmp_path / "chest")


def test_the_first_line_of_a_crontab(tmp_path: Path, table: Path) -> None:
    crontab.install(job(tmp_path))
    line = table.read_text()
    assert line.startswith("*/5 * * * * cd ")
    assert " schedule run --once --config " in line
    assert line.count("\n") == 1


def test_a_second_time_writes_nothing(tmp_path: Path, table: Path) -> None:
    crontab.install(job(tmp_path))
    (tmp_path / "refuse").touch()
    assert crontab.install(job(tmp_path)) == ["unchanged: the crontab has the line"]


def test_other_settings_take_the_place_of_the_line(tmp_path: Path, table: Path) -> None:
    crontab.install(job(tmp_path))
    table.write_bytes(table.read_bytes() + THEIRS)
    crontab.install(job(tmp_path, "model.epochs=3"))
    first, rest = table.read_bytes().split(b"\n", 1)
    assert b"model.epochs=3" in first
    assert rest == THEIRS


def test_removing_leaves_every_other_byte(tmp_path: Path, table: Path) -> None:
    table.write_bytes(THEIRS)
    crontab.install(job(tmp_path))
    crontab.install(job(tmp_path, name="second"))
    crontab.remove("second", tmp_path / "chest")
    crontab.remove("chest", tmp_path / "chest")
    assert table.read_bytes() == THEIRS
    assert crontab.remove("chest", tmp_path / "chest") == []


def test_a_line_that_was_commented_out_is_not_ours_any_more(tmp_path: Path, table: Path) -> None:
    crontab.install(job(tmp_path))
    table.write_bytes(b"#" + table.read_bytes())
    assert not crontab.is_installed("chest", tmp_path / "chest")


def test_another_workspace_of_the_same_name_is_refused(tmp_path: Path, table: Path) -> None:
    crontab.install(job(tmp_path))
    before = table.read_bytes()
    with refused(ConfigError, "--name"):
        crontab.install(job(tmp_path, workspace="other/chest"))
    assert crontab.remove("chest", tmp_path / "other" / "chest") == []
    assert table.read_bytes() == before


def test_a_crontab_that_is_not_taken_is_one_line(tmp_path: Path, table: Path) -> None:
    (tmp_path / "refuse").touch()
    with refused(ConfigError, "crontab -: installing failed"):
        crontab.install(job(tmp_path))


def test_a_crontab_that_does_not_keep_the_line_is_told(tmp_path: Path, table: Path) -> None:
    (tmp_path / "refuse-silently").touch()
    with refused(ConfigError, "`crontab -l`"):
        crontab.install(job(tmp_path))


def test_a_crontab_that_cannot_be_read_is_not_taken_for_an_empty_one(
    tmp_path: Path, table: Path
) -> None:
    table.write_bytes(THEIRS)
    (tmp_path / "refuse-reading").touch()
    with refused(ConfigError, "crontab -l: you may not use this program"):
        crontab.install(job(tmp_path))
    assert table.read_bytes() == THEIRS


def test_without_cron_it_says_what_else_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with refused(ConfigError, "crontab", "--systemd"):
        crontab.install(made)
    assert not crontab.is_installed("chest", made.workspace)
    assert crontab.remove("chest", made.workspace) == []


def test_what_cron_passes_on_is_what_was_meant() -> None:
    words = ["/bin/echo", "100% 'a' $x `id` \"b\" # c", "--set", "%%"]
    line = crontab.cron_command(words, folder="/usr", remark="casegate-x 0")
    assert "%" not in line.replace("\\%", "")
    shell = line.replace("\\%", "%")  # as cron does
    said = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
    assert said.stdout == "100% 'a' $x `id` \"b\" # c --set %%\n"


def test_a_backslash_has_no_meaning_that_all_crons_share() -> None:
    with refused(ConfigError, "systemd"):
        crontab.cron_command(["/c", "a\\b"], folder="/", remark="x")


def test_a_line_that_cron_would_cut_is_refused() -> None:
    with refused(ConfigError, "got a line of 10"):
        crontab.cron_command(["/c", "a" * 1000], folder="/", remark="x")
