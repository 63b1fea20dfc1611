"""Whole retrainings, but for the run: what it comes to, what is kept, and what a person is told."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from components.records.errors import AnomaliesFound, CasegateError, ConfigError, WorkspaceBusy
from components.records.problems import json_line
from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.retrain import (
    CASEGATE,
    environment,
    run_command,
    terminated_as_interrupted,
    write_settings,
)
from tests.pipeline.unattended.retraining.making import Unattended
from tests.refusing import refused


def test_a_release_is_told_and_written_down(unattended: Unattended) -> None:
    unattended.steps([["release", 1], unattended.outcome("PASS", version=1, release="x")])
    retrained = unattended.retrain(why="weekly")
    assert (retrained.state, retrained.exit_code) == ("released", 0)
    (line,) = unattended.lines
    assert (line["state"], line["trigger"], line["why"]) == ("released", "schedule", "weekly")
    assert (line["version_before"], line["version"], line["run_id"]) == (None, 1, "run-pass")
    assert [each["exit_code"] for each in line["tries"]] == [0]
    (told,) = unattended.told
    assert told["event"] == "released"
    assert told["subject"] == "pneumonia: released as version 1"
    assert "Version 1 is served now." in told["lines"]


def test_what_is_blocked_is_told_with_the_checks_and_the_lost_cases(
    unattended: Unattended,
) -> None:
    unattended.steps([unattended.outcome("FAIL")])
    assert unattended.retrain().exit_code == 1
    (told,) = unattended.told
    assert told["event"] == "blocked"
    (golden,) = [
        each for each in told["lines"] if "sensitivity[overall].non_inferiority.golden" in each
    ]
    assert golden.startswith("FAIL ")
    assert "estimate -1, interval " in golden and "limit -0.05" in golden
    assert "200 cases that golden has right turned wrong." in told["lines"]
    assert f"Report: {unattended.root}/report.html" in told["lines"]
    assert "Nothing is released." in told["lines"]


def test_what_is_inconclusive_keeps_its_exit_code(unattended: Unattended) -> None:
    unattended.steps([unattended.outcome("INCONCLUSIVE")])
    assert unattended.retrain().exit_code == 3
    assert [told["event"] for told in unattended.told] == ["inconclusive"]


@pytest.mark.parametrize("verdict, stood", [("PASS", "passed"), ("FAIL", "was blocked")])
def test_nothing_new_is_no_failure_and_says_what_stands(
    unattended: Unattended, verdict: str, stood: str
) -> None:
    unattended.steps([unattended.outcome(verdict, served_from_cache=True)])
    retrained = unattended.retrain()
    assert (retrained.state, retrained.exit_code) == ("nothing_new", 0)
    (told,) = unattended.told
    run = f"run-{verdict.lower()}"
    assert told["subject"] == f"pneumonia: nothing new since run {run}, which {stood}"


def test_a_candidate_that_is_released_already_is_nothing_new(unattended: Unattended) -> None:
    unattended.steps([unattended.outcome("PASS", already_released=True)])
    assert unattended.retrain().state == "already_released"
    assert [told["event"] for told in unattended.told] == ["nothing_new"]


def test_a_pass_that_may_not_be_released_is_not_called_released(unattended: Unattended) -> None:
    unattended.steps([unattended.outcome("PASS")])
    assert unattended.retrain("serving.release=false").state == "passed"
    assert [told["event"] for told in unattended.told] == ["nothing_new"]


def test_data_that_forbid_training_are_told_and_tried_once(unattended: Unattended) -> None:
    error = AnomaliesFound("data.source: feature 'brightness' moved; look at span-0007")
    unattended.steps([["say", json_line(error)], ["leave", 1]])
    retrained = unattended.retrain()
    assert (retrained.state, retrained.exit_code) == ("failed", 1)
    assert len(unattended.children) == 1
    assert unattended.said == []  # the error is told once, at the end
    assert unattended.told[0]["event"] == "failed"
    assert unattended.told[0]["lines"][0] == retrained.attempt.error == error.line
    assert unattended.lines[0]["tries"][0]["error"] == error.as_json()


def test_an_internal_error_is_tried_again_with_growing_waits(unattended: Unattended) -> None:
    error = CasegateError("internal error: OSError: no route to host")
    broken = [["say", json_line(error)], ["leave", 70]]
    unattended.steps(broken, [["die", "SIGKILL"]], [unattended.outcome("FAIL")])
    assert unattended.retrain("retraining.retry_wait_seconds=30").exit_code == 1
    assert unattended.slept == [30, 60]
    tries = unattended.lines[0]["tries"]
    assert [(each["exit_code"], each["signal"]) for each in tries] == [
        (70, None),
        (70, "SIGKILL"),
        (1, None),
    ]
    assert "It was tried 3 times." in unattended.told[0]["lines"]


def test_the_last_try_that_dies_is_the_end(unattended: Unattended) -> None:
    unattended.steps([["die", "SIGKILL"]])
    retrained = unattended.retrain("retraining.retries=1")
    assert (retrained.state, retrained.exit_code) == ("failed", 70)
    assert len(unattended.children) == 2
    assert "killed by SIGKILL" in unattended.told[0]["lines"][0]


def test_a_release_by_a_try_that_died_is_the_news_of_the_next_try(unattended: Unattended) -> None:
    unattended.steps(
        [["release", 1], ["die", "SIGKILL"]],
        [unattended.outcome("PASS", version=1, served_from_cache=True)],
    )
    assert unattended.retrain().state == "released"
    assert [told["event"] for told in unattended.told] == ["released"]


def test_a_full_disk_is_refused_before_a_child_is_started(unattended: Unattended) -> None:
    unattended.steps([unattended.outcome("PASS")])
    retrained = unattended.retrain("retraining.free_disk_gib=1000000")
    assert (retrained.state, retrained.exit_code) == ("failed", 70)
    assert unattended.children == []
    (told,) = unattended.told
    assert told["event"] == "failed"
    assert "the disk has" in told["lines"][0] and "wanted 1e+06" in told["lines"][0]


def test_a_second_retraining_is_refused_and_names_the_first(unattended: Unattended) -> None:
    root = unattended.workspace.root
    (root / "retraining").mkdir(parents=True)
    running = {"running": {"pid": 4711, "started": "2026-01-31T03:00:00.000Z"}}
    (root / "retraining" / "state.json").write_text(json.dumps(running))
    with filelock.FileLock(root / ".retrain.lock"), pytest.raises(WorkspaceBusy) as refused:
        unattended.retrain()
    assert "process 4711 (since 2026-01-31T03:00:00.000Z) retrains it" in str(refused.value)
    assert (unattended.children, unattended.told) == ([], [])


def test_a_run_that_holds_the_workspace_is_waited_for(unattended: Unattended) -> None:
    error = WorkspaceBusy("ws: in use by process 4711")
    busy = [["say", json_line(error)], ["leave", 2]]
    unattended.steps(busy, [unattended.outcome("FAIL")])
    unattended.workspace.root.mkdir()
    run = filelock.FileLock(unattended.workspace.root / ".lock")
    run.acquire()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            run.release()

    assert unattended.retrain("retraining.retries=0", sleep=wait).state == "blocked"
    assert len(waits) == 3
    assert [each["exit_code"] for each in unattended.lines[0]["tries"]] == [1]


def test_the_child_gets_the_settings_that_decide_and_no_address(unattended: Unattended) -> None:
    unattended.steps([["hang", 0], ["leave", 2]])
    (secret := unattended.workspace.root.parent / "secret").write_text("s" * 32)
    unattended.retrain(
        "notify.webhook.url=http://127.0.0.1:9/token",
        f"notify.webhook.secret_file={secret}",
        "notify.retries=0",
        "model.epochs=3",
    )
    argv = json.loads((unattended.workspace.root / "argv.json").read_text())
    settings = Path(argv[argv.index("--config") + 1]).read_text()
    assert json.loads(settings)["model"]["epochs"] == 3
    assert "token" not in settings
    assert argv[argv.index("--trigger") + 1] == "schedule"


def test_a_killed_attempt_is_written_down_and_told_by_the_next(unattended: Unattended) -> None:
    journal = unattended.workspace.root / "retraining"
    unattended.steps([["leave", 2]])
    unattended.retrain()
    state = json.loads((journal / "state.json").read_text())
    state["running"] = {**state["last"], "attempt_id": "20260101T000000Z-abcdef"}
    (journal / "state.json").write_text(json.dumps(state))
    unattended.steps([unattended.outcome("FAIL", served_from_cache=True)])

    assert unattended.retrain().state == "blocked"  # nobody was told what the killed one came to
    assert [line["state"] for line in unattended.lines] == ["failed", "killed", "blocked"]
    assert [told["event"] for told in unattended.told] == ["failed", "failed", "blocked"]
    assert unattended.told[1]["subject"] == "pneumonia: a retraining ended without a word"
    assert unattended.retrain().state == "nothing_new"


def test_a_damaged_state_is_said_and_stops_nothing(unattended: Unattended) -> None:
    journal = unattended.workspace.root / "retraining"
    journal.mkdir(parents=True)
    (journal / "state.json").write_text("{")
    unattended.steps([unattended.outcome("FAIL", served_from_cache=True)])
    assert unattended.retrain().state == "blocked"
    assert any("state.json: is damaged" in line for line in unattended.said)


def test_a_clock_that_goes_back_loses_and_repeats_nothing(unattended: Unattended) -> None:
    unattended.steps([unattended.outcome("FAIL")])
    times = iter(["2026-03-29T03:00:00.000Z", "2026-03-29T01:00:00.000Z", *["2020-01-01"] * 2])
    for _ in range(2):
        unattended.retrain(now=lambda: next(times))
    first, second = unattended.lines
    assert first["attempt_id"] != second["attempt_id"]
    assert first["finished"] < first["started"]
    assert all(line["seconds"] >= 0 and line["state"] == "blocked" for line in (first, second))


def test_a_person_who_cannot_be_told_changes_no_exit_code(unattended: Unattended) -> None:
    unattended.steps([unattended.outcome("FAIL")])
    retrained = unattended.retrain("notify.command=['/bin/false']", "notify.retries=0")
    assert retrained.exit_code == 1
    assert any("nobody could be told by command" in line for line in unattended.said)


def test_nothing_is_started_where_nobody_could_be_told(unattended: Unattended) -> None:
    with refused(ConfigError, "notify.command: got '/nonexistent'"):
        unattended.retrain("notify.command=['/nonexistent']")
    assert not unattended.workspace.root.exists()


def test_settings_that_are_wrong_start_nothing(unattended: Unattended) -> None:
    with refused(ConfigError, "retraining.retries: got -1"):
        unattended.retrain("retraining.retries=-1")
    assert not unattended.workspace.root.exists()


def test_secrets_stay_out_of_the_log_and_of_what_is_said(
    unattended: Unattended, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = 'hünter"2'  # written otherwise in JSON
    monkeypatch.setenv("CASEGATE_METADATA_PASSWORD", secret)
    error = json_line(ConfigError(f"postgresql://me:{secret}@db: no such host"))
    unattended.steps([["say", f"connecting as me:{secret}"], ["say", error], ["leave", 2]])
    unattended.retrain()
    everything = "".join(unattended.said) + json.dumps(unattended.lines + unattended.told)
    for path in (unattended.workspace.root / "retraining").rglob("*"):
        everything += path.read_text() if path.is_file() else ""
    assert "no such host" in everything and "connecting" in everything
    assert 'nter\\"2' not in everything and 'nter"2' not in everything


def test_a_listener_that_left_ends_nothing(unattended: Unattended) -> None:
    unattended.steps([["say", "inputs  0.1 s  done"], unattended.outcome("FAIL")])
    unattended.said = _Closed()
    assert unattended.retrain().exit_code == 1


class _Closed(list):
    def append(self, _line: str) -> None:
        raise BrokenPipeError(os.strerror(32))


def test_the_settings_that_decide_read_back_as_they_were(tmp_path: Path) -> None:
    config = load_config(None, ["model.filters=[8, 16]", "metadata=null", "notify.smtp.port=26"])
    read = load_config(write_settings(config, tmp_path))
    assert read.deciding_sha256() == config.deciding_sha256()
    assert read.notify.smtp.port == 25


@pytest.mark.process
def test_a_folder_called_pipeline_where_it_is_started_does_not_come_in_its_way(
    tmp_path: Path,
) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "__init__.py").write_text("raise SystemExit(9)")
    done = subprocess.run(
        [*CASEGATE, "run", "--nonsense"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("casegate run: No such option")


def test_secrets_of_notices_do_not_reach_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEGATE_WEBHOOK_SECRET", "hunter2")
    monkeypatch.setenv("CASEGATE_SMTP_PASSWORD", "hunter2")
    given = environment()
    assert "hunter2" not in given.values()
    assert given["PATH"] == os.environ["PATH"]


def test_no_reason_is_no_flag() -> None:
    workspace = Workspace(Path("/ws"))
    command = run_command(["casegate"], Path("c.json"), workspace, trigger="drift", why=None)
    assert " ".join(command) == (
        "casegate run --config c.json --workspace /ws --trigger drift --format json"
    )


@pytest.mark.process
def test_whoever_supervises_imports_no_tensorflow() -> None:
    program = (
        "import sys, pipeline.commands.run, pipeline.unattended.retraining.retrain\n"
        "import pipeline.unattended.retraining.notice, "
        "pipeline.unattended.notifying.notify, pipeline.unattended.retention.prune, "
        "pipeline.run.recorder\n"
        "heavy = {'tensorflow', 'tfx', 'ml_metadata', 'apache_beam'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_first_one_interrupts_and_a_second_leaves_the_end_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned.append(True)
    assert cleaned == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_it_changes_nothing() -> None:
    seen: list[object] = []

    def work() -> None:
        with terminated_as_interrupted():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
