import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from components.records.errors import CasegateError, ConfigError, WorkspaceBusy
from pipeline.settings.workspace import Workspace
from pipeline.unattended.scheduling.cron import Cron
from pipeline.unattended.scheduling.loop import Slots
from tests.dying import killed_before_each_change
from tests.pipeline.unattended.scheduling.making import at
from tests.refusing import refused

MONDAY, NEXT = at("2026-11-30 03:00"), at("2026-12-07 03:00")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    found = Slots(Workspace(tmp_path / "workspace"), Cron.parse("0 3 * * 1"))
    found.begin(MONDAY - timedelta(days=1))
    return found


def run(slots: Slots, now: datetime) -> datetime | None:
    with slots.claimed(now) as slot:
        return slot


def test_a_slot_is_due_from_its_very_second(slots: Slots) -> None:
    assert run(slots, MONDAY - timedelta(seconds=1)) is None
    assert run(slots, MONDAY) == MONDAY


def test_a_slot_runs_once(slots: Slots) -> None:
    assert [run(slots, MONDAY + MINUTE * n) for n in range(3)] == [MONDAY, None, None]


def test_what_was_missed_runs_once(slots: Slots) -> None:
    assert run(slots, MONDAY + timedelta(days=40)) == at("2027-01-04 03:00")
    assert run(slots, MONDAY + timedelta(days=40)) is None


def test_nothing_before_it_was_begun_is_due(tmp_path: Path) -> None:
    slots = Slots(Workspace(tmp_path), Cron.parse("0 3 * * 1"))
    slots.begin(MONDAY)
    assert run(slots, MONDAY) is None
    assert run(slots, MONDAY + MINUTE) is None
    assert run(slots, NEXT) == NEXT


def test_beginning_again_forgets_nothing(slots: Slots) -> None:
    run(slots, MONDAY)
    slots.begin(NEXT + MINUTE)
    assert run(slots, NEXT + MINUTE) == NEXT


@pytest.mark.parametrize(("minutes", "due"), [(0, True), (4, True), (6, False)])
def test_without_a_state_only_what_came_just_now_is_due(
    tmp_path: Path, minutes: int, due: bool
) -> None:
    slots = Slots(Workspace(tmp_path), Cron.parse("0 3 * * 1"))
    assert (run(slots, MONDAY + MINUTE * minutes) == MONDAY) is due


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"since": 5}', '{"since": "2026-11-30T03:00:00", "claimed": []}']
)
def test_a_damaged_state_is_none(slots: Slots, text: str) -> None:
    slots.path.write_text(text)
    assert run(slots, MONDAY + timedelta(hours=1)) is None
    assert run(slots, NEXT) == NEXT


def test_a_clock_that_is_set_back_runs_nothing_twice(tmp_path: Path) -> None:
    slots = Slots(Workspace(tmp_path), Cron.parse("0 * * * *"))
    slots.begin(at("2026-11-30 00:30"))
    ran = [run(slots, at(f"2026-11-30 0{hour}:00")) for hour in (1, 2, 3)]
    assert all(ran)
    again = [run(slots, at("2026-11-30 01:30") + MINUTE * 5 * n) for n in range(30)]
    assert not any(again)
    assert run(slots, at("2026-11-30 04:00")) == at("2026-11-30 04:00")


def test_a_slot_that_was_skipped_stays_skipped_when_the_clock_is_set_back(slots: Slots) -> None:
    daily = Slots(Workspace(slots.folder.parent), Cron.parse("0 3 * * *"))
    assert run(daily, MONDAY + timedelta(days=2, hours=-1)) == MONDAY + timedelta(days=1)
    assert run(daily, MONDAY + timedelta(hours=20)) is None


def test_a_clock_far_ahead_does_not_stop_the_schedule_when_it_comes_back(slots: Slots) -> None:
    assert run(slots, MONDAY) == MONDAY
    assert run(slots, at("2036-12-01 12:00")) == at("2036-12-01 03:00")
    assert run(slots, MONDAY + timedelta(hours=1)) is None
    assert run(slots, NEXT) == NEXT


def test_a_schedule_that_was_begun_by_a_clock_far_ahead_starts_all_the_same(tmp_path: Path) -> None:
    slots = Slots(Workspace(tmp_path), Cron.parse("0 3 * * 1"))
    slots.begin(at("2036-12-01 12:00"))
    assert run(slots, MONDAY + MINUTE) is None
    assert run(slots, NEXT) == NEXT


def test_a_machine_that_starts_in_1970_runs_nothing_again(slots: Slots) -> None:
    assert run(slots, MONDAY) == MONDAY
    assert run(slots, at("1970-01-01 00:10")) is None
    assert run(slots, MONDAY + timedelta(hours=2)) is None
    assert run(slots, NEXT) == NEXT


def test_while_one_runs_nobody_else_does(slots: Slots) -> None:
    other = Slots(Workspace(slots.folder.parent), slots.cron)
    with slots.claimed(MONDAY) as slot:
        assert slot == MONDAY
        assert run(other, MONDAY + MINUTE) is None
        assert run(other, NEXT + MINUTE) is None
    assert run(other, NEXT + MINUTE) == NEXT


def test_a_run_that_was_cut_off_is_made_up_for_once(slots: Slots) -> None:
    for number in range(3):
        try:
            with slots.claimed(MONDAY + MINUTE * number) as slot:
                assert (slot == MONDAY) is (number < 2)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
    assert run(slots, NEXT) == NEXT


def test_a_slot_that_went_wrong_is_over(slots: Slots) -> None:
    with pytest.raises(CasegateError), slots.claimed(MONDAY):
        raise ConfigError("bad settings")
    assert run(slots, MONDAY + MINUTE) is None


def test_a_busy_workspace_leaves_the_slot_due(slots: Slots) -> None:
    for _ in range(5):
        with pytest.raises(WorkspaceBusy), slots.claimed(MONDAY) as slot:
            assert slot == MONDAY
            raise WorkspaceBusy("by another")
    assert run(slots, MONDAY + timedelta(hours=5)) == MONDAY


def test_the_state_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.unattended.scheduling.loop.KEPT", 5)
    slots = Slots(Workspace(tmp_path), Cron.parse("* * * * *"))
    ran = [run(slots, MONDAY + MINUTE * n) for n in range(8)]
    assert all(ran)
    claimed = json.loads(slots.path.read_text())["claimed"]
    assert [slot[11:16] for slot in claimed] == ["03:03", "03:04", "03:05", "03:06", "03:07"]


def test_a_workspace_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    slots = Slots(Workspace(tmp_path / "file"), Cron.parse("0 3 * * 1"))
    with refused(ConfigError, "/schedule: ", "Not a directory"):
        run(slots, MONDAY)


@pytest.mark.process
def test_killed_at_any_instant_a_slot_is_not_lost(slots: Slots) -> None:
    fresh = slots.path.read_bytes()

    def prepare() -> None:
        slots.path.write_bytes(fresh)

    deaths = 0
    for _ in killed_before_each_change(prepare, lambda: run(slots, MONDAY)):
        deaths += 1
        assert run(slots, MONDAY + MINUTE) == MONDAY
        assert run(slots, MONDAY + MINUTE) is None
    assert deaths >= 3
