import json
import os
import sys
import time
from pathlib import Path

import pytest

from components.notify.command import Command
from components.notify.delivery import Failure
from tests.components.notify.serving import notice


def shell(script: str, *, timeout_s: float = 10.0) -> Command:
    return Command(("/bin/sh", "-c", script), timeout_s=timeout_s)


def test_the_program_gets_the_notice_on_its_standard_input(tmp_path: Path) -> None:
    told = notice()
    assert shell(f"cat > {tmp_path}/got").deliver(told) is None
    assert (tmp_path / "got").read_bytes() == told.body()


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    show = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    run = Command((sys.executable, "-c", show, str(tmp_path / "got"), "$HOME; `id` *"))
    assert run.deliver(notice()) is None
    assert (tmp_path / "got").read_text() == "$HOME; `id` *"


def test_the_program_learns_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEGATE_WEBHOOK_SECRET", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    show = "import os, json, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
    assert Command((sys.executable, "-c", show, str(tmp_path / "got"))).deliver(notice()) is None
    got = json.loads((tmp_path / "got").read_text())
    assert got["PATH"] == os.environ["PATH"]
    assert "secret" not in got.values()


def test_an_exit_code_is_a_failure() -> None:
    assert shell("exit 3").deliver(notice()) == Failure("sh: ended with exit code 3")


def test_a_signal_is_a_failure() -> None:
    assert shell("kill -9 $$").deliver(notice()) == Failure("sh: ended with signal 9")


def test_a_program_that_does_not_read_may_still_succeed() -> None:
    assert shell("exec <&-; exit 0").deliver(notice(lines=("x" * 1_000_000,))) is None


def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    run = shell(f"sleep 60 & echo $! > {tmp_path}/child; wait", timeout_s=0.3)
    assert run.deliver(notice()) == Failure("sh: did not end within 0.3 s")
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or " Z " in state.read_text():
            return
        time.sleep(0.01)
    pytest.fail("the child is still there")


def test_a_program_that_is_not_there_is_not_tried_again() -> None:
    found = Command(("/nowhere/page-me", "token")).deliver(notice())
    assert found == Failure("page-me: cannot be started: No such file or directory", again=False)
