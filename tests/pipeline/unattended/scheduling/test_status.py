import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings.workspace import Workspace
from pipeline.unattended.scheduling import systemd
from pipeline.unattended.scheduling.job import ScheduledJob
from pipeline.unattended.scheduling.loop import Slots
from pipeline.unattended.scheduling.status import ScheduleStatus, schedule_status
from pipeline.unattended.scheduling.systemd import UnitPlace
from tests.pipeline.unattended.scheduling.making import at, job

MONDAY, TUESDAY = at("2026-11-30 03:00"), at("2026-12-01 12:00")


@pytest.fixture(autouse=True)
def _no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither systemctl nor crontab of the machine is asked."""
    monkeypatch.setattr("shutil.which", lambda program: None)


def place(folder: Path) -> UnitPlace:
    return UnitPlace("user", folder / "units")


def installed(
    folder: Path, *settings: str, when: datetime = MONDAY - timedelta(days=3)
) -> ScheduledJob:
    """As it was installed at some time."""
    made = job(folder, *settings)
    systemd.install(made, place(folder))
    for path in (folder / "units").iterdir():
        os.utime(path, (when.timestamp(), when.timestamp()))
    return made


def attempted(made: ScheduledJob, started: str, **given: Any) -> None:
    line = {"trigger": "schedule", "started": started, "state": "released", **given}
    path = made.workspace / "retraining" / "attempts.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def seen(made: ScheduledJob, folder: Path, now: datetime = TUESDAY) -> ScheduleStatus:
    return schedule_status(made, (place(folder),), now=now)


def test_nothing_installed_and_nothing_missed(tmp_path: Path) -> None:
    found = seen(job(tmp_path), tmp_path)
    assert found.installed == ()
    assert found.next_slot == at("2026-12-07 03:00")
    assert (found.last_attempt, found.missed) == (None, None)


def test_what_is_installed_is_found(tmp_path: Path) -> None:
    (each,) = seen(installed(tmp_path), tmp_path).installed
    assert each.where == str(tmp_path / "units" / "casegate-chest.timer")
    assert not each.outdated


def test_settings_that_changed_since_are_told(tmp_path: Path) -> None:
    installed(tmp_path)
    (each,) = seen(job(tmp_path, "retraining.memory_gib=2"), tmp_path).installed
    assert each.outdated


def test_a_slot_without_a_retraining_was_missed(tmp_path: Path) -> None:
    made = installed(tmp_path)
    assert seen(made, tmp_path).missed == MONDAY
    attempted(made, "2026-11-30T02:59:59.000Z")
    attempted(made, "2026-11-30T05:00:00.000Z", trigger="manual")
    assert seen(made, tmp_path).missed == MONDAY


def test_a_retraining_after_it_was_not_missed(tmp_path: Path) -> None:
    made = installed(tmp_path)
    attempted(made, "2026-11-30T03:00:01.500Z")
    found = seen(made, tmp_path)
    assert found.missed is None
    assert found.last_attempt is not None
    assert found.last_attempt["state"] == "released"


def test_a_slot_that_only_just_came_is_not_missed_yet(tmp_path: Path) -> None:
    made = installed(tmp_path)
    assert seen(made, tmp_path, MONDAY + timedelta(minutes=14)).missed is None
    assert seen(made, tmp_path, MONDAY + timedelta(minutes=16)).missed == MONDAY


def test_a_slot_before_it_was_installed_is_not_missed(tmp_path: Path) -> None:
    made = installed(tmp_path, when=MONDAY + timedelta(minutes=1))
    assert seen(made, tmp_path).missed is None


def test_a_foreground_schedule_that_stopped_has_missed(tmp_path: Path) -> None:
    made = job(tmp_path)
    Slots(Workspace(made.workspace), made.cron).begin(MONDAY - timedelta(days=1))
    assert seen(made, tmp_path).missed == MONDAY


@pytest.mark.parametrize(
    ("pid", "running"),
    [(os.getpid(), True), (2**22 - 1, False), ("x", False)],
    ids=["alive", "gone", "no number"],
)
def test_a_retraining_goes_on_while_its_process_lives(
    tmp_path: Path, pid: object, running: bool
) -> None:
    from pipeline.unattended.retraining.attempt import Attempt, AttemptJournal

    made = installed(tmp_path)
    attempt = Attempt("a", "schedule", None, "2026-11-30T03:00:01Z", pid, "phantom", None)  # type: ignore[arg-type]
    (made.workspace / "retraining").mkdir()
    AttemptJournal(Workspace(made.workspace)).begin(attempt)
    found = seen(made, tmp_path)
    assert found.running is running
    assert (found.missed is None) is running


def test_damaged_lines_of_attempts_are_passed_over(tmp_path: Path) -> None:
    made = installed(tmp_path)
    attempted(made, "2026-11-30T03:00:01Z", state="blocked")
    with (made.workspace / "retraining" / "attempts.jsonl").open("ab") as file:
        file.write(b'\xff\n[]\n{"half')
    found = seen(made, tmp_path)
    assert found.last_attempt is not None
    assert found.last_attempt["state"] == "blocked"


def test_it_is_json_for_machines(tmp_path: Path) -> None:
    made = installed(tmp_path)
    found = json.loads(json.dumps(seen(made, tmp_path).as_json()))
    assert found["missed"] == "2026-11-30T03:00:00Z"
    assert found["next"] == "2026-12-07T03:00:00Z"
    assert found["installed"][0]["how"] == "systemd"
    assert datetime.fromisoformat(found["next"].replace("Z", "+00:00")).tzinfo == timezone.utc
