import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.notify.notice import Message
from pipeline.commands.schedule import schedule


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options that every command takes; HOME is a folder of the test's."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    config = tmp_path / "casegate.yaml"
    config.write_text("schedule: {cron: '0 3 * * 1'}\nretraining: {free_disk_gib: 1.0e+9}\n")
    return ["--config", str(config), "--workspace", str(tmp_path / "chest")]


def invoked(*arguments: object) -> Result:
    return CliRunner().invoke(schedule, [str(argument) for argument in arguments])


def test_installed_seen_and_removed(tmp_path: Path, given: list[str]) -> None:
    units = tmp_path / "units"
    result = invoked("install", *given, "--directory", units)
    assert result.exit_code == 0
    assert re.search(r"^next: 20\S+T03:00:00Z \(0 3 \* \* 1, UTC\)$", result.output, re.M)
    seen = invoked("status", *given, "--directory", units)
    assert f"installed  systemd, {units}/casegate-chest.timer\n" in seen.output
    assert "last       no retraining yet\n" in seen.output
    removed = invoked("remove", *given[2:], "--directory", units)
    assert removed.output.count("removed ") == 2
    assert list(units.iterdir()) == []
    again = invoked("remove", *given[2:], "--directory", units)
    assert again.output.startswith("casegate-chest: not installed for ")
    assert again.exit_code == 0


def test_printing_writes_nothing(tmp_path: Path, given: list[str]) -> None:
    result = invoked("install", *given, "--user", "--print")
    assert f"# {tmp_path}/home/.config/systemd/user/casegate-chest.timer\n" in result.output
    assert "OnCalendar=Mon *-*-* 03:00:00 UTC\n" in result.output
    line = invoked("install", *given, "--cron", "--print").output
    assert line.startswith("*/5 * * * * cd ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["casegate.yaml"]


def test_status_as_json(given: list[str]) -> None:
    found = json.loads(invoked("status", *given, "--format", "json").output)
    assert found["cron"] == "0 3 * * 1"
    assert found["missed"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "schedule.cron='61 3 * * 1'"], "ConfigError: schedule.cron: got '61 3 * * 1'"),
        (["--name", "../x"], "ConfigError: --name: got '../x'"),
    ],
)
def test_what_is_wrong_is_one_line(given: list[str], options: list[str], said: str) -> None:
    result = invoked("install", *given, "--print", *options)
    assert result.output.startswith(said)
    assert result.output.count("\n") == 1
    assert result.exit_code == 2


def test_an_installation_that_could_tell_nobody_is_refused(
    tmp_path: Path, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEGATE_WEBHOOK_SECRET", "a secret of the shell alone")
    hook = ["--set", "notify.webhook.url=https://x.example"]
    result = invoked("install", *given, *hook, "--user", "--directory", tmp_path / "units")
    assert f"({tmp_path}/home/.config/casegate/chest.env is its environment)" in result.output
    assert result.exit_code == 2
    assert not (tmp_path / "units").exists()


def test_a_crontab_has_no_scope(given: list[str]) -> None:
    assert invoked("install", *given, "--cron", "--user").exit_code == 2


def test_once_with_nothing_due_is_silent(tmp_path: Path, given: list[str]) -> None:
    result = invoked("run", *given, "--once", "--set", "schedule.cron='0 0 29 2 *'")
    assert (result.output, result.exit_code) == ("", 0)


def test_once_retrains_for_what_is_due(
    tmp_path: Path, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Message] = []

    def tell(config: object, workspace: object, message: Message) -> tuple[()]:
        told.append(message)
        return ()

    monkeypatch.setattr("pipeline.unattended.notifying.notify.tell", tell)
    result = invoked("run", *given, "--once", "--set", "schedule.cron='* * * * *'")
    assert "retraining for 2" in result.output
    assert "free, wanted 1e+09 (retraining.free_disk_gib)" in result.output
    assert result.exit_code == 70
    assert [message.kind for message in told] == ["failed"]
    (line,) = (tmp_path / "chest" / "retraining" / "attempts.jsonl").read_text().splitlines()
    assert json.loads(line)["why"].startswith("due 2")
    assert json.loads(line)["trigger"] == "schedule"
