from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.unattended.scheduling.told import check_told
from tests.components.notify.serving import SECRET
from tests.pipeline.unattended.scheduling.making import job

HOOK = "notify.webhook.url=https://hooks.example/x"


def test_nobody_to_tell_needs_no_secret(tmp_path: Path) -> None:
    check_told(job(tmp_path), None)
    check_told(job(tmp_path), tmp_path / "chest.env")


def test_a_secret_of_the_shell_is_not_the_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEGATE_WEBHOOK_SECRET", SECRET.decode())
    with pytest.raises(ConfigError, match=r"got no secret; .*chest\.env is its environment"):
        check_told(job(tmp_path, HOOK), tmp_path / "chest.env")
    with pytest.raises(ConfigError, match="cron has no environment of yours"):
        check_told(job(tmp_path, HOOK), None)


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_secret_in_the_services_file_is(tmp_path: Path, quote: str) -> None:
    secrets = tmp_path / "chest.env"
    secrets.write_text(f"# A=B\n\nCASEGATE_WEBHOOK_SECRET={quote}{SECRET.decode()}{quote}\n")
    check_told(job(tmp_path, HOOK), secrets)


def test_a_secret_in_a_file_of_its_own_needs_no_environment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    check_told(job(tmp_path, HOOK, f"notify.webhook.secret_file={tmp_path}/secret"), None)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read, wanted NAME=VALUE a line"):
        check_told(job(tmp_path, HOOK), tmp_path)
