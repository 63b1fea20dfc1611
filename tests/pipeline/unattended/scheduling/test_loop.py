from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from components.records.errors import ConfigError, WorkspaceBusy
from pipeline.settings.workspace import Workspace
from pipeline.unattended.scheduling import loop as loop_module
from pipeline.unattended.scheduling.cron import Cron
from pipeline.unattended.scheduling.loop import Loop, Slots
from tests.pipeline.unattended.scheduling.making import Clock, at

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _long_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that hours pass in milliseconds."""
    monkeypatch.setattr(loop_module, "STEP_S", 30.0)


def hourly(folder: Path) -> Slots:
    return Slots(Workspace(folder), Cron.parse("0 * * * *"))


def kept(
    folder: Path, clock: Clock, run: Callable[[datetime], int] = lambda slot: 0
) -> tuple[list[str], list[str], int]:
    """Slots that ran, as hours; what was said; the exit code."""
    ran: list[str] = []
    said: list[str] = []

    def noted(slot: datetime) -> int:
        ran.append(f"{slot:%H}")
        return run(slot)

    loop = Loop(hourly(folder), noted, said.append, clock, clock.sleep)
    return ran, said, loop.forever()


def test_each_slot_runs_at_its_time(tmp_path: Path) -> None:
    clock = Clock(at("2026-11-30 00:30"), at("2026-11-30 03:30"))
    ran, said, code = kept(tmp_path, clock)
    assert ran == ["01", "02", "03"]
    assert said[:2] == [
        "retraining for 2026-11-30T01:00:00Z",
        "ended with exit code 0; next: 2026-11-30T02:00:00Z",
    ]
    assert code == 0


def test_it_never_sleeps_for_longer_than_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    clock = Clock(at("2026-11-30 00:59:30.500"), at("2026-11-30 01:00:30"))
    kept(tmp_path, clock)
    assert max(clock.slept) <= 1


def test_a_run_that_lasts_beyond_slots_is_followed_by_one(tmp_path: Path) -> None:
    clock = Clock(at("2026-11-30 00:59"), at("2026-11-30 06:30"))

    def long_run(slot: datetime) -> int:
        if slot.hour == 1:
            clock.pass_by(3 * HOUR + HOUR / 2)
        return 0

    assert kept(tmp_path, clock, long_run)[0] == ["01", "04", "05", "06"]


def test_a_suspended_machine_makes_up_for_one(tmp_path: Path) -> None:
    jump = (at("2026-11-30 01:10"), at("2026-11-30 05:20"))
    clock = Clock(at("2026-11-30 00:59"), at("2026-11-30 06:30"), [jump])
    assert kept(tmp_path, clock)[0] == ["01", "05", "06"]


def test_a_clock_that_is_set_back_repeats_nothing(tmp_path: Path) -> None:
    jump = (at("2026-11-30 03:10"), at("2026-11-30 00:50"))
    clock = Clock(at("2026-11-30 00:59"), at("2026-11-30 04:30"), [jump])
    assert kept(tmp_path, clock)[0] == ["01", "02", "03", "04"]


def test_a_clock_that_is_set_far_ahead_and_back_goes_on(tmp_path: Path) -> None:
    jumps = [
        (at("2026-11-30 01:10"), at("2036-01-01 07:20")),
        (at("2036-01-01 08:10"), at("2026-11-30 01:30")),
    ]
    clock = Clock(at("2026-11-30 00:59"), at("2026-11-30 03:30"), jumps)
    assert kept(tmp_path, clock)[0] == ["01", "07", "08", "02", "03"]


def test_after_a_restart_nothing_runs_again(tmp_path: Path) -> None:
    kept(tmp_path, Clock(at("2026-11-30 00:59"), at("2026-11-30 02:30")))
    clock = Clock(at("2026-11-30 02:31"), at("2026-11-30 03:30"))
    assert kept(tmp_path, clock)[0] == ["03"]


@pytest.mark.parametrize(
    "error", [ConfigError("bad settings"), RuntimeError("a bug\nof two lines")]
)
def test_a_slot_that_goes_wrong_does_not_end_the_schedule(tmp_path: Path, error: Exception) -> None:
    clock = Clock(at("2026-11-30 00:59"), at("2026-11-30 02:30"))

    def wrong(slot: datetime) -> int:
        raise error

    ran, said, _ = kept(tmp_path, clock, wrong)
    assert ran == ["01", "02"]
    assert any(str(error).split("\n")[0] in line for line in said)
    assert not any("\n" in line for line in said)


def test_a_busy_workspace_is_asked_again_and_said_once(tmp_path: Path) -> None:
    clock = Clock(at("2026-11-30 00:59"), at("2026-11-30 01:30"))

    def busy(slot: datetime) -> int:
        if clock() < at("2026-11-30 01:20"):
            raise WorkspaceBusy("in use by process 7")
        return 0

    ran, said, _ = kept(tmp_path, clock, busy)
    assert 18 <= len(ran) <= 22
    assert sum("in use by process 7 [CG2005]" in line for line in said) == 1
    assert "exit code 0" in said[-1] and "2026-11-30T02:00:00Z" in said[-1]


def test_an_interrupted_run_is_made_up_for_at_the_next_start(tmp_path: Path) -> None:
    def interrupted(slot: datetime) -> int:
        raise KeyboardInterrupt

    ends = at("2026-11-30 01:30")
    ran, said, code = kept(tmp_path, Clock(at("2026-11-30 00:59"), ends), interrupted)
    assert (ran, code) == (["01"], 130)
    assert said[-1] == "interrupted; its slot is due again at the next start"
    assert kept(tmp_path, Clock(at("2026-11-30 01:10"), ends))[0] == ["01"]


def test_once_runs_what_is_due_and_says_how_it_ended(tmp_path: Path) -> None:
    slots, said = hourly(tmp_path), list[str]()
    slots.begin(at("2026-11-30 00:30"))

    def looked(when: str) -> int:
        clock = Clock(at(when), at("2027-01-01 00:00"))
        return Loop(slots, lambda slot: 3, said.append, clock, clock.sleep).once()

    assert looked("2026-11-30 00:59") == 0
    assert said == []
    assert looked("2026-11-30 05:05") == 3
    assert looked("2026-11-30 05:10") == 0


def test_once_is_silent_while_another_retraining_goes_on(tmp_path: Path) -> None:
    def busy(slot: datetime) -> int:
        raise WorkspaceBusy("in use")

    clock = Clock(at("2026-11-30 01:01"), at("2027-01-01 00:00"))
    assert Loop(hourly(tmp_path), busy, lambda line: None, clock, clock.sleep).once() == 0
