import os

import pytest

from tests.bench.processes import MeasurementFailed, environment, python, run_fresh


def test_process_is_timed_and_its_lines_are_kept() -> None:
    heard: list[str] = []
    script = (
        "import sys, time; print('one', file=sys.stderr); time.sleep(0.2); print('noise\\n[2]')"
    )
    finished = run_fresh(python("-c", script), on_line=heard.append)
    assert 0.2 <= finished.seconds < 10
    assert heard == ["one"] == list(finished.stderr)
    assert finished.last_json() == [2]


def test_peak_memory_is_of_that_process_alone() -> None:
    # From a small process, as the benchmark is: a child's peak starts from its parent's size.
    script = (
        "from tests.bench.processes import python, run_fresh;"
        "large = run_fresh(python('-c', 'bytearray(200 * 2**20 * b\"x\")'));"
        "small = run_fresh(python('-c', 'pass'));"
        "print([large.peak_mib, small.peak_mib])"
    )
    large, small = run_fresh(python("-c", script), allowed=(0,)).last_json()
    assert large > 200
    assert small < 150


def test_failed_process_gives_no_figure() -> None:
    script = "import sys; print('no such file', file=sys.stderr); sys.exit(4)"
    with pytest.raises(MeasurementFailed, match=r"got exit code 4, wanted 0; .*no such file"):
        run_fresh(python("-c", script))
    assert run_fresh(python("-c", script), allowed=(0, 4)).stdout == ""


def test_byte_code_is_allowed_whatever_the_caller_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in environment()
    assert environment()["PATH"] == os.environ["PATH"]
