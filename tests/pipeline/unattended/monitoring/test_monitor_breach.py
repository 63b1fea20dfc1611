"""What follows from a breach: notices, entries and one retraining."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from components.records.errors import (
    SourceError,
    WorkspaceBusy,
)
from components.records.files import lock_file
from pipeline.unattended.monitoring import monitor as module
from pipeline.unattended.monitoring.monitor import Monitored
from pipeline.unattended.monitoring.monitor import monitor as look
from tests.pipeline.unattended.monitoring.making import (
    BRIGHTER,
    NEW_DEVICE,
    NOW,
    Cases,
    Service,
    Told,
    entries,
    monitored,
)
from tests.refusing import refused

pytestmark = pytest.mark.store


def test_the_same_breach_is_told_and_recorded_once_a_day(service: Service, told: Told) -> None:
    service.serve(NEW_DEVICE)
    for hours in range(3):
        assert monitored(service, now=NOW + timedelta(hours=hours)).exit_code == 1
    assert len(told) == len(entries(service)) == 1
    service.serve(NEW_DEVICE, until=NOW + timedelta(days=1), prefix="next")
    monitored(service, now=NOW + timedelta(days=1))
    assert len(told) == len(entries(service)) == 2 and told[0].key != told[1].key


def test_another_feature_on_the_same_day_is_another_breach(service: Service, told: Told) -> None:
    service.serve(NEW_DEVICE)
    monitored(service)
    service.log.unlink()
    service.serve(BRIGHTER)
    monitored(service)
    device, mean = (entry["moved"] for entry in entries(service))
    assert "device" in device and "mean" in mean and "device" not in mean
    assert len({message.key for message in told}) == 2


def test_another_model_on_the_same_day_is_another_breach(service: Service, told: Told) -> None:
    service.serve(NEW_DEVICE)
    monitored(service)
    service.release(4, seed=9)
    service.serve(NEW_DEVICE, model_version=4)
    monitored(service)
    assert len(told) == len(entries(service)) == 2


def test_why_names_what_moved(service: Service) -> None:
    service.serve(NEW_DEVICE)
    found = monitored(service, "monitoring.retrain=true")
    assert found.may_retrain and found.why == "moved: device"
    assert found.found["retraining"] == {"starts": True, "words": "A retraining is started."}


def test_a_known_breach_still_starts_the_retraining_nobody_asked_for_before(
    service: Service, told: Told
) -> None:
    service.serve(NEW_DEVICE)
    assert not monitored(service).may_retrain
    assert monitored(service, "monitoring.retrain=true").may_retrain
    assert not monitored(service, "monitoring.retrain=true").may_retrain
    assert [entry["retraining"] for entry in entries(service)] == [False, True]


def test_killed_before_the_entry_it_is_told_again_and_not_lost(
    service: Service, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.serve(NEW_DEVICE)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            monitored(service, "monitoring.retrain=true")
    assert monitored(service, "monitoring.retrain=true").may_retrain
    assert told[0].key == told[1].key  # so that the second is not sent


def test_two_at_once_start_one_retraining(service: Service, told: Told) -> None:
    service.serve(NEW_DEVICE)
    found: list[Monitored] = []

    def run() -> None:
        found.append(monitored(service, "monitoring.retrain=true"))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.may_retrain for one in found].count(True) == 1
    assert len(told) == len(entries(service)) == 1


def test_one_that_never_ends_is_waited_for_and_then_named(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.serve(NEW_DEVICE)
    monkeypatch.setattr(module, "WAIT_S", 0)
    lock = service.workspace.root / "monitoring" / ".lock"
    lock.parent.mkdir(exist_ok=True)
    with lock_file(lock, str), refused(WorkspaceBusy, service.workspace.root):
        monitored(service)


def test_the_log_is_found_by_the_configuration_or_in_the_workspace(service: Service) -> None:
    service.serve()
    config: Callable[..., Any] = service.config
    named = config(f"monitoring.log={service.log}")
    assert look(named, service.workspace, None, now=NOW).drift.cases == 300
    with refused(SourceError, "workspace/predictions: got no such file", "--log"):
        look(config(), service.workspace, None, now=NOW)
    folder = service.workspace.root / "predictions"
    folder.mkdir()
    service.log.rename(folder / "2026-03.jsonl")
    assert look(config(), service.workspace, None, now=NOW).drift.cases == 300


def test_the_message_has_no_line_break_of_the_log_in_it(service: Service, told: Told) -> None:
    service.serve(Cases(devices=("Aster", "new\n\u202edevice")))
    monitored(service)
    text = [told[0].subject, *told[0].lines]
    assert all("\n" not in line and "\u202e" not in line for line in text)
