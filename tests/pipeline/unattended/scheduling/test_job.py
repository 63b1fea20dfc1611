from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.unattended.scheduling.job import _check_word, check_notices, job_name, mark
from tests.components.notify.serving import SECRET
from tests.pipeline.unattended.scheduling.making import job
from tests.refusing import refused


@pytest.mark.parametrize(
    ("folder", "name"),
    [("chest", "chest"), ("50% of $all", "50-of-all"), ("...", "workspace"), ("ä", "workspace")],
)
def test_a_name_is_made_of_the_workspaces_folder(tmp_path: Path, folder: str, name: str) -> None:
    assert job_name(None, tmp_path / folder) == name


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "a\n", "%i", ".x", "x" * 65])
def test_a_name_that_is_no_files_is_refused(tmp_path: Path, name: str) -> None:
    with refused(ConfigError, f"--name: got {name!r}"):
        job_name(name, tmp_path)


def test_two_workspaces_of_one_name_are_told_apart(tmp_path: Path) -> None:
    assert mark("x", tmp_path / "a" / "x") != mark("x", tmp_path / "b" / "x")


def test_a_bad_schedule_is_found_before_anything_is_installed(tmp_path: Path) -> None:
    with refused(ConfigError, "schedule.cron: got '0 3'"):
        job(tmp_path, "schedule.cron='0 3'")


def test_a_path_that_no_unit_file_can_hold_is_refused(tmp_path: Path) -> None:
    with refused(ConfigError, "schedule: got "):
        job(tmp_path, workspace="a\nb")


@pytest.mark.parametrize("word", ["a\nb", " a", "a ", "a\\", "a\x00", "a\u2028b", "a\x1b[1m"])
def test_what_no_line_can_hold_is_refused(word: str) -> None:
    with refused(ConfigError, "schedule: got "):
        _check_word(word)


HOOK = "notify.webhook.url=https://hooks.example/x"


def test_nobody_to_tell_needs_no_secret(tmp_path: Path) -> None:
    check_notices(job(tmp_path), None)
    check_notices(job(tmp_path), tmp_path / "chest.env")


def test_a_secret_of_the_shell_is_not_the_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEGATE_WEBHOOK_SECRET", SECRET.decode())
    with refused(ConfigError, "CASEGATE_WEBHOOK_SECRET", "chest.env"):
        check_notices(job(tmp_path, HOOK), tmp_path / "chest.env")
    with refused(ConfigError, "CASEGATE_WEBHOOK_SECRET", "cron "):
        check_notices(job(tmp_path, HOOK), None)


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_secret_in_the_services_file_is(tmp_path: Path, quote: str) -> None:
    secrets = tmp_path / "chest.env"
    secrets.write_text(f"# A=B\n\nCASEGATE_WEBHOOK_SECRET={quote}{SECRET.decode()}{quote}\n")
    check_notices(job(tmp_path, HOOK), secrets)


def test_a_secret_in_a_file_of_its_own_needs_no_environment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    check_notices(job(tmp_path, HOOK, f"notify.webhook.secret_file={tmp_path}/secret"), None)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with refused(ConfigError, "wanted NAME=VALUE"):
        check_notices(job(tmp_path, HOOK), tmp_path)
