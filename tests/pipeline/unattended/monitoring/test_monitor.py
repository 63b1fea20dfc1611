"""What a look at the log finds, keeps and starts."""

import io
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.drift.findings import MOVED, NOT_ENOUGH, STEADY
from components.drift.log import prediction_line
from components.notify.notice import Message
from components.records.errors import (
    ConfigError,
    IntegrityError,
    NothingEvaluated,
    SourceError,
    WorkspaceBusy,
)
from components.records.files import canonical_json, sha256_file
from components.records.ledger.ledger import Ledger
from components.records.run_files import REFERENCE
from pipeline.unattended.monitoring import monitor as module
from pipeline.unattended.monitoring.monitor import Monitored
from pipeline.unattended.monitoring.monitor import monitor as look
from tests.pipeline.unattended.monitoring.making import (
    BRIGHTER,
    NEW_DEVICE,
    NOW,
    WORSE,
    Cases,
    Service,
    stamp,
)

# Each makes a workspace with a model, a log and a ledger: seconds in all.
pytestmark = pytest.mark.store


class Told(list[Message]):
    """What a person was told, in place of a channel."""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    found = Told()
    monkeypatch.setattr(module, "tell", lambda config, workspace, message: found.append(message))
    return found


@pytest.fixture
def service(tmp_path: Path, told: Told) -> Service:
    made = Service(tmp_path)
    made.release()
    return made


def monitored(service: Service, *settings: str, now: datetime = NOW) -> Monitored:
    return look(service.config(*settings), service.workspace, service.log, now=now)


def moved(found: Monitored) -> list[str]:
    """Whole features; those inside a device or site are the comparison's own affair."""
    names = [shift.name for shift in found.drift.shifts if shift.state == MOVED]
    return [name for name in names if " in " not in name]


def entries(service: Service) -> list[dict[str, Any]]:
    found = Ledger(service.workspace.ledger).entries()
    return [dict(entry.body) for entry in found if entry.kind == "drift"]


def test_cases_like_the_models_own_are_steady_and_nothing_follows(
    service: Service, told: Told
) -> None:
    service.serve()
    found = monitored(service, "monitoring.retrain=true")
    assert (found.drift.state, found.exit_code, found.may_retrain) == (STEADY, 0, False)
    assert found.found["retraining"]["starts"] is False
    assert told == [] and not service.workspace.ledger.exists()


def test_a_new_device_is_found_told_and_recorded(service: Service, told: Told) -> None:
    service.serve(NEW_DEVICE)
    found = monitored(service)
    assert (found.drift.state, found.exit_code) == (MOVED, 1) and moved(found) == ["device"]
    (entry,) = entries(service)
    assert entry["report"] == f"monitoring/{found.report.parent.name}/report.json"
    report = service.workspace.root / entry["report"]
    assert entry["report_sha256"] == sha256_file(report) and entry["moved"] == ["device"]
    assert (entry["cases"], entry["retraining"]) == (300, False)
    (message,) = told
    assert message.kind == "drift" and message.subject == "drift: pneumonia version 3: device"
    assert any("device=Cirrus" in line for line in message.lines)
    assert f"Report: {found.report}" in message.lines and message.facts["moved"] == ["device"]


def test_a_change_of_the_images_names_the_feature(service: Service, told: Told) -> None:
    service.serve(BRIGHTER)
    assert moved(monitored(service)) == ["mean"]


def test_labels_that_arrive_later_show_a_loss(service: Service, told: Told) -> None:
    service.serve(WORSE, count=600)
    drawn = WORSE.draw(600, 2)["labels"]
    with service.log.open("ab") as file:
        for i, label in enumerate(drawn):
            file.write(prediction_line(f"served-{i:05d}", at=stamp(NOW), label=int(label)))
    found = monitored(service)
    assert found.drift.labelled == 600 and found.exit_code == 1
    assert "sensitivity" in entries(service)[0]["moved"]


def test_too_few_cases_are_no_good_news(service: Service, told: Told) -> None:
    service.serve(count=50)
    found = monitored(service)
    assert (found.drift.state, found.exit_code) == (NOT_ENOUGH, 3) and told == []


def test_a_log_without_a_prediction_is_no_good_news(service: Service) -> None:
    service.log.touch()
    found = monitored(service)
    assert found.exit_code == 3 and found.found["log"]["predictions"] == 0
    assert "no case" in found.report.read_text()


# The window


def test_the_window_ends_with_the_newest_prediction(service: Service, told: Told) -> None:
    service.serve(until=NOW - timedelta(days=40), prefix="old")
    service.serve(BRIGHTER, until=NOW - timedelta(days=1))
    found = monitored(service)
    assert found.drift.cases == 300 and moved(found) == ["mean"]
    assert (found.drift.first or "") > stamp(NOW - timedelta(days=8))
    # Of the old ones alone, all are steady.
    service.log.unlink()
    service.serve(until=NOW - timedelta(days=40), prefix="old")
    assert monitored(service).drift.state == STEADY


def test_the_window_is_as_long_as_configured(service: Service, told: Told) -> None:
    service.serve(days=10, labels=True)
    found = monitored(service)
    assert found.drift.cases == 210  # 7 of 10 days
    assert monitored(service, "monitoring.window_days=5").drift.cases == 150
    charted = sum(point.cases for chart in found.drift.charts for point in chart.points)
    assert charted == 300  # over time, all count


def test_a_clock_that_went_back_loses_and_doubles_no_case(service: Service, told: Told) -> None:
    service.serve(count=150, until=NOW, days=2, prefix="a")
    service.serve(count=150, until=NOW - timedelta(hours=1), days=2, prefix="b", seed=5)
    service.serve(count=150, until=NOW, days=2, prefix="a")  # the same again
    found = monitored(service)
    assert found.drift.cases == 300
    notes = " ".join(found.found["log"]["notes"])
    assert "150 predictions of cases predicted again later: only the last counts" in notes


def test_a_prediction_of_the_day_after_tomorrow_is_a_fault(service: Service) -> None:
    service.serve()
    service.serve(count=1, until=NOW + timedelta(days=1, seconds=1), prefix="future")
    with pytest.raises(SourceError, match=r"predictions\.jsonl:301: at: .*which has not come yet"):
        monitored(service)
    found = monitored(service, "monitoring.malformed_lines=1")
    assert found.drift.cases == 300 and found.found["log"]["unusable"] == 1
    assert "not come yet" in found.report.read_text()


def test_old_predictions_are_said_to_be_old(service: Service) -> None:
    service.serve(until=NOW - timedelta(days=30))
    (warning,) = monitored(service).found["log"]["warnings"]
    assert "The newest prediction is 30 days old" in warning
    assert monitored(service, now=NOW - timedelta(days=30)).found["log"]["warnings"] == []


# Which model


def test_other_models_predictions_are_left_out_and_said(service: Service) -> None:
    service.serve(prefix="mine")
    service.serve(BRIGHTER, model_version=2, prefix="theirs")
    found = monitored(service)
    assert found.drift.state == STEADY and found.drift.cases == 300
    assert any("300 predictions are not of version 3" in x for x in found.found["log"]["notes"])


def test_a_log_of_another_model_alone_is_no_good_news(service: Service) -> None:
    service.serve(model_version=2)
    found = monitored(service)
    assert found.exit_code == 3
    (warning,) = found.found["log"]["warnings"]
    assert "holds no prediction of version 3" in warning and "300 of version 2" in warning


def test_a_server_that_decides_otherwise_is_noticed(service: Service) -> None:
    service.serve(positive=True)
    (warning,) = monitored(service).found["log"]["warnings"]
    assert "of 300 cases were called otherwise than the operating point 0.5" in warning


def test_without_the_servers_word_the_operating_point_decides(service: Service) -> None:
    service.serve(positive=None)
    with_point = monitored(service).found["drift"]["rates"][0]
    service.log.unlink()
    service.serve()
    assert monitored(service).found["drift"]["rates"][0] == with_point


def test_nothing_released_is_nothing_to_compare_with(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.workspace.root.mkdir()
    service.serve()
    with pytest.raises(NothingEvaluated, match="nothing is released, so there is nothing to comp"):
        monitored(service)
    service.release(reference=False)
    with pytest.raises(NothingEvaluated, match=r"run-3/reference\.npz: got no such file"):
        monitored(service)
    assert not (service.workspace.root / "monitoring").exists()


def test_an_altered_model_or_reference_is_no_comparison(service: Service) -> None:
    service.serve()
    path = service.workspace.runs / "run-3" / REFERENCE
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(IntegrityError, match=r"reference\.npz"):
        monitored(service)
    columns = dict(np.load(io.BytesIO(whole)))
    np.savez(path, **{**columns, "operating_point": np.array(np.nan)})
    with pytest.raises(IntegrityError, match="got no operating point from 0 to 1"):
        monitored(service)
    path.write_bytes(whole)
    (service.workspace.serving / "pneumonia" / "3" / "variables" / "data").write_text("other")
    with pytest.raises(IntegrityError, match="altered or put there by hand"):
        monitored(service)


def test_the_model_is_found_where_the_configuration_says(service: Service, tmp_path: Path) -> None:
    (service.workspace.serving).rename(tmp_path / "elsewhere")
    service.serve()
    found = monitored(service, f"serving.directory={tmp_path / 'elsewhere'}")
    assert found.drift.state == STEADY
    with pytest.raises(NothingEvaluated):
        monitored(service)


# The report


def test_the_record_is_canonical_and_holds_what_the_answer_rests_on(service: Service) -> None:
    service.serve(NEW_DEVICE)
    found = monitored(service)
    content = found.report.with_name("report.json").read_bytes()
    record = json.loads(content)
    assert content == canonical_json(record)
    assert record["reference"]["sha256"] == sha256_file(
        service.workspace.runs / "run-3" / REFERENCE
    )
    assert (
        record["settings"]["alpha"] == record["drift"]["alpha"] == 0.1
        and record["limits"]["device"]["threshold"] == 0.25
    )
    assert record["log"]["path"] == str(service.log) and len(record["log"]["sha256"]) == 64
    assert record["drift"]["reading"]["where"] == ["device=Cirrus"]
    assert (
        record["created"] == "2026-03-01T12:00:00.000Z" and record["id"] == found.report.parent.name
    )
    assert found.as_json()["report"] == str(found.report) and found.as_json()["exit_code"] == 1


def test_the_page_shows_what_moved(service: Service) -> None:
    service.serve(NEW_DEVICE)
    page = monitored(service).report.read_text()
    assert "MOVED" in page and "device=Cirrus" in page and "pneumonia, version 3" in page


def test_two_looks_at_the_same_time_get_a_folder_each(service: Service) -> None:
    service.serve()
    assert len({monitored(service).report for _ in range(3)}) == 3


def test_a_report_that_cannot_be_written_is_an_error_in_one_line(
    service: Service, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.serve(NEW_DEVICE)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.unattended.monitoring.report.write_atomically", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        monitored(service)
    assert told == [] and entries(service) == []


def test_a_broken_ledger_stops_what_follows_and_not_a_steady_report(
    service: Service, told: Told
) -> None:
    service.workspace.ledger.write_text("{}\n")
    service.serve()
    assert monitored(service).drift.state == STEADY
    service.log.unlink()
    service.serve(NEW_DEVICE)
    with pytest.raises(IntegrityError, match="does not fit"):
        monitored(service)
    assert told == []


# What follows


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
    with module._alone(service.workspace), pytest.raises(WorkspaceBusy, match="another monitor"):
        monitored(service)


def test_the_log_is_found_by_the_configuration_or_in_the_workspace(service: Service) -> None:
    service.serve()
    config: Callable[..., Any] = service.config
    named = config(f"monitoring.log={service.log}")
    assert look(named, service.workspace, None, now=NOW).drift.cases == 300
    with pytest.raises(SourceError, match="workspace/predictions: got no such file or folder"):
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
