"""`casegate monitor`: its exit codes, its answer, and the retraining it starts."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from components.records.errors import WorkspaceBusy
from pipeline.commands.monitor import monitor
from tests.pipeline.unattended.monitoring.making import NEW_DEVICE, Service

QUICK = ("--set", "monitoring.alpha=0.1")
RUN = "from pipeline.commands.monitor import monitor; monitor()"


@pytest.fixture
def service(tmp_path: Path) -> Service:
    made = Service(tmp_path)
    made.release()
    return made


def run(service: Service, *arguments: str, log: Path | None = None) -> Result:
    given = ["--workspace", str(service.workspace.root), "--log", str(log or service.log)]
    return CliRunner().invoke(monitor, [*given, *QUICK, *arguments])


def now() -> datetime:
    return datetime.now(timezone.utc)


def line(result: Result) -> str:
    assert result.stdout == ""
    (found,) = result.stderr.splitlines()
    return found


class Retraining:
    """In place of `pipeline.unattended.retraining.retrain`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[Any, ...]] = []

    def __call__(
        self, config: Path | None, settings: Sequence[str], workspace: Any, **further: Any
    ) -> "Retraining":
        self.asked.append((config, tuple(settings), workspace.root, further))
        if self.error:
            raise self.error
        return self

    def as_json(self) -> dict[str, Any]:
        return {"state": "released"}


@pytest.fixture
def retraining(monkeypatch: pytest.MonkeyPatch) -> Retraining:
    made = Retraining()
    monkeypatch.setattr("pipeline.unattended.retraining.retrain.retrain", made)
    monkeypatch.setattr(
        "pipeline.unattended.retraining.notice.show_retrained",
        lambda done: print("retrained: released"),
    )
    return made


def test_a_steady_log_exits_0_and_says_where_the_report_is(service: Service) -> None:
    service.serve(until=now())
    result = run(service)
    assert result.exit_code == 0 and result.stdout.startswith("STEADY  ")
    report = Path(result.stdout.rsplit("report  ", 1)[1].strip())
    assert report.name == "report.html" and report.is_file()


def test_a_drift_exits_1_and_names_what_moved_first(service: Service) -> None:
    service.serve(NEW_DEVICE, until=now())
    result = run(service)
    assert result.exit_code == 1 and result.stderr == ""
    (
        headline,
        *_,
    ) = result.stdout.splitlines()
    assert headline.startswith("MOVED  Points to a new source of images: device=Cirrus")
    table = result.stdout[result.stdout.index("state ") :].splitlines()
    assert table[1].split()[:3] == ["moved", "device", "L-infinity"]
    assert "monitoring.retrain" in result.stdout


def test_too_few_cases_exit_3(service: Service) -> None:
    service.serve(count=20, until=now())
    result = run(service)
    assert result.exit_code == 3 and result.stdout.startswith("NOT ENOUGH DATA")


def test_an_unusable_log_exits_2_with_one_line_and_no_report(service: Service) -> None:
    service.serve(until=now())
    with service.log.open("ab") as file:
        file.write(b'{"at": "yesterday"}\n')
    result = run(service)
    assert result.exit_code == 2
    assert line(result).startswith(f"SourceError: {service.log}: got 1 unusable line, tolerated 0:")
    assert "predictions.jsonl:301: case_id: got nothing" in line(result)
    assert not (service.workspace.root / "monitoring").exists()
    assert line(run(service, log=Path("absent"))).startswith("SourceError: absent: got no such")


def test_a_tolerated_line_is_listed(service: Service) -> None:
    service.serve(until=now())
    with service.log.open("ab") as file:
        file.write(b"\n{\n")
    result = run(service, "--set", "monitoring.malformed_lines=1")
    assert result.exit_code == 0 and "not used: predictions.jsonl:302: not JSON" in result.stdout


def test_nothing_released_exits_5(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.workspace.root.mkdir()
    service.log.touch()
    result = run(service)
    assert result.exit_code == 5 and "nothing is released" in line(result)


def test_an_unknown_setting_exits_2(service: Service) -> None:
    result = run(service, "--set", "monitoring.alhpa=0.1")
    assert result.exit_code == 2 and "did you mean 'alpha'?" in line(result)


def test_as_json_the_answer_is_the_record(service: Service) -> None:
    service.serve(NEW_DEVICE, until=now())
    result = run(service, "--format", "json")
    answer = json.loads(result.stdout)
    record = json.loads(Path(answer["report_json"]).read_bytes())
    assert answer["exit_code"] == result.exit_code == 1 and answer["retrained"] is None
    assert {key: answer[key] for key in record if key in answer and key != "report"} == record
    assert record["moved"] == ["device"]


def test_the_configuration_file_counts(service: Service, tmp_path: Path) -> None:
    service.serve(until=now())
    config = tmp_path / "c.yaml"
    config.write_text(f"monitoring:\n  log: {service.log}\n  min_cases: 1000\n")
    given = ["--workspace", str(service.workspace.root), "--config", str(config), *QUICK]
    assert CliRunner().invoke(monitor, given).exit_code == 3


def test_a_drift_starts_the_retraining_that_was_asked_for(
    service: Service, retraining: Retraining, tmp_path: Path
) -> None:
    service.serve(NEW_DEVICE, until=now())
    config = tmp_path / "c.yaml"
    config.write_text("model:\n  epochs: 1\n")
    result = run(service, "--retrain", "--config", str(config))
    assert result.exit_code == 1
    ((given, settings, root, further),) = retraining.asked
    assert (given, root) == (config, service.workspace.root)
    assert settings == ("monitoring.alpha=0.1", "monitoring.retrain=true")
    assert further["trigger"] == "drift" and further["why"] == "moved: device"
    assert result.stdout.rstrip().endswith("retrained: released")


def test_the_cooldown_holds_the_next_one_back(service: Service, retraining: Retraining) -> None:
    service.serve(NEW_DEVICE, until=now())
    first, second = (run(service, "--retrain", "--format", "json") for _ in range(2))
    assert json.loads(first.stdout)["retrained"] == {"state": "released"}
    assert json.loads(second.stdout)["retrained"] is None and len(retraining.asked) == 1
    assert "wait until" in json.loads(second.stdout)["retraining"]["words"]


def test_neither_a_steady_log_nor_one_too_short_retrains(
    service: Service, retraining: Retraining
) -> None:
    service.serve(count=20, until=now())
    assert run(service, "--retrain").exit_code == 3
    service.serve(until=now(), prefix="more")
    assert run(service, "--retrain").exit_code == 0 and retraining.asked == []


def test_a_retraining_that_cannot_start_leaves_the_drift_as_it_is(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.serve(NEW_DEVICE, until=now())
    busy = Retraining(WorkspaceBusy("another retraining goes on"))
    monkeypatch.setattr("pipeline.unattended.retraining.retrain.retrain", busy)
    result = run(service, "--retrain")
    assert result.exit_code == 1 and result.stdout.startswith("MOVED")
    assert "retraining: WorkspaceBusy: another retraining goes on" in result.stderr


def test_a_person_is_told_once_over_a_real_channel(service: Service, tmp_path: Path) -> None:
    service.serve(NEW_DEVICE, until=now())
    notices, config = tmp_path / "notices.json", tmp_path / "c.yaml"
    config.write_text(f"notify:\n  command: [tee, -a, {notices}]\n")
    assert [run(service, "--config", str(config)).exit_code for _ in range(2)] == [1, 1]
    notice = json.loads(notices.read_text())  # one, or it would be no JSON
    assert (notice["event"], notice["facts"]["moved"]) == ("drift", ["device"])
    assert notice["subject"] == "drift: pneumonia version 3: device"


@pytest.mark.process
def test_a_log_is_read_without_tensorflow(service: Service) -> None:
    service.serve(count=2_000, days=40, until=now() - timedelta(hours=1), labels=True)
    command = [sys.executable, "-X", "importtime", "-c", RUN, "--log", str(service.log)]
    done = subprocess.run(
        [*command, "--workspace", str(service.workspace.root)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        timeout=120,
    )
    assert done.stdout.startswith("STEADY"), done.stdout + done.stderr[-2000:]
    imported = {name.rpartition("|")[2].strip() for name in done.stderr.splitlines()}
    assert not {"tensorflow", "tfx", "apache_beam", "ml_metadata"} & imported
