"""What a look at the log finds, keeps and starts."""

import io
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from components.drift.findings import MOVED, NOT_ENOUGH, STEADY
from components.drift.log import prediction_line
from components.records.errors import (
    ConfigError,
    IntegrityError,
    NothingEvaluated,
    SourceError,
)
from components.records.files import canonical_json, sha256_file
from components.records.run_files import REFERENCE
from tests.pipeline.unattended.monitoring.making import (
    BRIGHTER,
    NEW_DEVICE,
    NOW,
    WORSE,
    Service,
    Told,
    entries,
    monitored,
    moved,
    stamp,
)
from tests.refusing import refused

# Each makes a workspace with a model, a log and a ledger: seconds in all.
pytestmark = pytest.mark.store


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
    with refused(SourceError, "predictions.jsonl:301: at: ", "2026-03-02T12:00:01.000Z"):
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
    found = monitored(service, "monitoring.retrain=true")
    (warning,) = found.found["log"]["warnings"]
    assert "of 300 cases were called otherwise than the operating point 0.5" in warning
    assert (found.drift.state, found.exit_code, found.may_retrain) == (MOVED, 1, False)
    assert "calls" in moved(found)


@pytest.mark.parametrize("cases", [300, 12])
def test_calls_that_are_all_inverted_are_never_steady(
    service: Service, told: Told, cases: int
) -> None:
    service.serve(count=cases)
    lines = [json.loads(line) for line in service.log.read_bytes().splitlines()]
    for line in lines:
        line["positive"] = line["score"] < 0.5
    service.log.write_bytes(b"".join(canonical_json(line) + b"\n" for line in lines))
    found = monitored(service)
    assert (found.drift.state, found.exit_code) == (MOVED, 1) and "calls" in moved(found)
    assert found.drift.reading.kind == "calls" and f"of {cases} calls" in found.drift.reading.words
    assert "calls" in found.report.read_text() and len(told) == 1


def test_a_call_in_a_thousand_that_differs_is_only_said(service: Service) -> None:
    service.serve(count=300)
    first, *rest = service.log.read_bytes().splitlines()
    line = json.loads(first)
    line["positive"] = not line["positive"]
    service.log.write_bytes(b"".join(each + b"\n" for each in [canonical_json(line), *rest]))
    found = monitored(service)
    assert found.drift.state == STEADY and found.found["log"]["warnings"]


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
    with refused(NothingEvaluated, "serving/pneumonia"):
        monitored(service)
    service.release(reference=False)
    with refused(NothingEvaluated, "run-3/reference.npz: got no such file", "version 3"):
        monitored(service)
    assert not (service.workspace.root / "monitoring").exists()


def test_an_altered_model_or_reference_is_no_comparison(service: Service) -> None:
    service.serve()
    path = service.workspace.runs / "run-3" / REFERENCE
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with refused(IntegrityError, "run-3/reference.npz", "not a zip file"):
        monitored(service)
    columns = dict(np.load(io.BytesIO(whole)))
    np.savez(path, **{**columns, "operating_point": np.array(np.nan)})
    with refused(IntegrityError, "run-3/reference.npz", "operating point from 0 to 1"):
        monitored(service)
    path.write_bytes(whole)
    (service.workspace.serving / "pneumonia" / "3" / "variables" / "data").write_text("other")
    with refused(IntegrityError, "serving/pneumonia/3: got SHA-256"):
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
    with refused(ConfigError, "monitoring/2026", "No space left on device"):
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
    with refused(IntegrityError, "ledger.jsonl:1: entry 1 "):
        monitored(service)
    assert told == []
