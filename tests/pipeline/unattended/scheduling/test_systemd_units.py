import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.unattended.scheduling.job import ScheduledJob
from pipeline.unattended.scheduling.systemd import service, systemd_command, systemd_word, timer
from tests.pipeline.unattended.scheduling.making import job

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: install systemd"
)


def verified(made: ScheduledJob, folder: Path, *, user: str | None = None) -> str:
    """What systemd has to say against the two files."""
    made = replace(made, program=Path("/bin/true"))
    folder.mkdir()
    (folder / f"{made.unit}.service").write_text(service(made, user=user))
    (folder / f"{made.unit}.timer").write_text(timer(made))
    paths = [str(path) for path in sorted(folder.iterdir())]
    ended = subprocess.run(
        ["systemd-analyze", "verify", *paths], capture_output=True, text=True, timeout=60
    )
    return ended.stdout + ended.stderr + "x" * ended.returncode


@needs_systemd
@pytest.mark.parametrize("user", [None, "root"])
def test_systemd_has_nothing_against_them(tmp_path: Path, user: str | None) -> None:
    made = job(tmp_path, "retraining.memory_gib=2", "schedule.cron=0 3 1 * FRI")
    assert verified(made, tmp_path / "units", user=user) == ""


@needs_systemd
def test_nor_against_paths_with_every_sign(tmp_path: Path) -> None:
    made = job(tmp_path, "owner=a 'b' %n $c \"d\" \\e;", workspace="50% of \"$all\" 'ours' \\ ä")
    assert verified(made, tmp_path / "units") == ""


def test_the_service_retrains_on_schedule(tmp_path: Path) -> None:
    made = job(tmp_path, "model.epochs=3")
    text = service(made)
    assert (
        f"ExecStart={made.program} retrain --trigger schedule --config {tmp_path}/casegate.yaml "
        f"--workspace {tmp_path}/chest --set model.epochs=3\n" in text
    )
    assert f"WorkingDirectory={Path.cwd()}\n" in text


def test_it_may_last_as_long_as_a_retraining_and_its_notices(tmp_path: Path) -> None:
    assert "TimeoutStartSec=90min\n" in service(job(tmp_path, "retraining.timeout_minutes=60"))


def test_systemds_memory_limit_lies_above_the_retrainings_own(tmp_path: Path) -> None:
    assert "MemoryMax=3584M\n" in service(job(tmp_path, "retraining.memory_gib=2.5"))
    assert "MemoryMax" not in service(job(tmp_path))


def test_the_workspace_and_the_releases_alone_are_writable(tmp_path: Path) -> None:
    text = service(job(tmp_path, f"serving.directory={tmp_path}/served"))
    assert f"ReadWritePaths={tmp_path}/chest {tmp_path}/served\n" in text
    assert "ProtectSystem=strict\n" in text


def test_a_private_tmp_does_not_hide_the_workspace(tmp_path: Path) -> None:
    made = job(tmp_path)
    lasting = replace(
        made,
        program=Path("/opt/casegate"),
        config_path=Path("/etc/c.yaml"),
        workspace=Path("/srv/chest"),
        folder=Path("/srv"),
    )
    assert "PrivateTmp=yes\n" in service(lasting)
    assert "PrivateTmp" not in service(replace(lasting, workspace=Path("/var/tmp/chest")))


def test_a_missed_time_is_made_up_for(tmp_path: Path) -> None:
    text = timer(job(tmp_path))
    assert "OnCalendar=Mon *-*-* 03:00:00 UTC\n" in text
    assert "Persistent=true\n" in text


def test_no_secret_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEGATE_WEBHOOK_SECRET", "0123456789abcdef")
    made = job(tmp_path, "notify.webhook.url=https://hooks.example/x")
    assert "0123456789abcdef" not in service(made) + timer(made)


def test_plain_words_stay_plain() -> None:
    words = ["/usr/bin/casegate", "retrain", "--set", "data.source=a/{b}"]
    assert systemd_command(words) == '/usr/bin/casegate retrain --set "data.source=a/{b}"'


def test_systemds_own_signs_are_doubled() -> None:
    assert systemd_command(["/c", 'a "b" \\c 5% $x']) == '/c "a \\"b\\" \\\\c 5%% $$x"'


def test_a_dollar_in_the_programs_path_is_read_by_env() -> None:
    assert systemd_command(["/a $b/c", "d"]) == '/usr/bin/env "/a $$b/c" d'


def test_a_path_is_no_command_and_keeps_its_dollar() -> None:
    assert systemd_word("/a $b") == '"/a $b"'
