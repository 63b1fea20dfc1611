"""`casegate ci` as a job starts it: how long it takes, what it imports, what a log shows."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from components.records.events import Event
from pipeline.commands.ci import _watched
from tests.pipeline.ci.making import TeamRepository, candidate
from tests.pipeline.ci.test_registry import published

pytestmark = pytest.mark.process

HEAVY = "('tensorflow', 'tfx', 'keras', 'ml_metadata', 'apache_beam', 'numpy')"
PROGRAM = f"""
import sys
from pipeline.commands.ci import ci
try:
    ci()
finally:
    found = [name for name in {HEAVY} if name in sys.modules]
    print('IMPORTED', found, file=sys.stderr)
"""
COMMAND = [sys.executable, "-c", PROGRAM, "--config", "casegate.yaml"]
ROOT = Path(__file__).resolve().parents[3]


def started(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, env=given)


def test_documentation_needs_nothing_that_takes_long_to_import(team: TeamRepository) -> None:
    team.commit(**{"README.md": "b"})
    done = started()
    assert (done.returncode, "nothing to judge" in done.stdout) == (0, True), done.stderr
    assert "IMPORTED []" in done.stderr


def test_a_policy_is_judged_without_tensorflow(team: TeamRepository) -> None:
    published(team.root / "registry", candidate(4))
    team.loosen()
    team.commit()
    done = started("--registry", "registry")
    assert (done.returncode, "PASS" in done.stdout) == (0, True), done.stderr
    assert "IMPORTED ['numpy']" in done.stderr


def test_a_log_has_a_line_per_step_and_no_escape_codes(team: TeamRepository) -> None:
    team.loosen()
    team.commit()
    done = started(FORCE_COLOR="1", CLICOLOR_FORCE="1", TERM="xterm-256color")
    assert "\x1b" not in done.stdout + done.stderr
    steps = [line.split()[0] for line in done.stdout.splitlines() if " s  done" in line]
    assert steps == ["changes", "plan", "judge"]


def test_a_run_has_a_line_per_component_and_no_escape_codes(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with _watched(1) as watch:
        watch(Event("started", "Trainer"))
        watch(Event("progress", detail="epoch 1/2"))
        watch(Event("finished", "Trainer"))
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith("Trainer") and line.endswith("epoch 1/2")
    assert "\x1b" not in line


def test_no_color_is_honoured_on_a_terminal(team: TeamRepository) -> None:
    team.loosen()
    team.commit()
    assert "\x1b[3" not in on_a_terminal(NO_COLOR="1")


def on_a_terminal(**environ: str) -> str:
    ours, theirs = pty.openpty()
    given = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environ}
    process = subprocess.Popen(COMMAND, stdout=theirs, stderr=theirs, stdin=theirs, env=given)
    os.close(theirs)
    shown = b""
    while process.poll() is None or select.select([ours], [], [], 0.2)[0]:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.wait(30) == 0
    return shown.decode()


def test_a_clone_without_history_ends_in_time(team: TeamRepository, tmp_path: Path) -> None:
    team.commit(**{"README.md": "b"})
    clone = team.clone(tmp_path / "clone", "--depth=1")
    done = subprocess.run(
        COMMAND,
        capture_output=True,
        text=True,
        cwd=clone.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "nothing: only documentation: README.md" in done.stdout, done.stderr
