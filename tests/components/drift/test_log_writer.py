"""The prediction log as a server writes it, and as whoever reads it finds it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from components.drift import log_writer
from components.drift.log import read_log
from components.drift.log_writer import PredictionLog
from components.records.clock import utc_now
from components.records.errors import ConfigError
from tests.refusing import refused

PREDICTED = {"score": 0.5, "positive": True, "model_version": 3}


def fill(log: PredictionLog, cases: range) -> None:
    for case in cases:
        assert log.put(f"case-{case}", at=utc_now(), **PREDICTED)


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "predictions", name="serve")
    log.put("one", at=utc_now(), further=lambda: {"quality": {"width": 64}}, **PREDICTED)
    wait_for(lambda: log.written == 1)
    fill(log, range(2000))
    log.close()
    found = read_log(tmp_path / "predictions", tolerated=0)
    assert (found.predictions, log.written, log.lost) == (2001, 2001, 0)
    case = found.find("one")
    assert case is not None and (case.score, case.positive, case.model) == (0.5, True, "version 3")
    assert found.sample_of(3, None, operating_point=0.5).number("width")[0] == 64


def test_full_files_are_packed_and_the_oldest_removed(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, name="serve", file_bytes=20_000, total_bytes=40_000)
    (tmp_path / "other-1.jsonl").write_text("{}\n" * 30_000)
    for start in range(0, 10_000, 100):
        fill(log, range(start, start + 100))
        wait_for(lambda until=start + 100: log.written == until)
    log.close()
    mine = sorted(tmp_path.glob("serve-*"))
    assert sum(path.stat().st_size for path in mine) <= 40_000
    assert [path.suffix for path in mine] == [".gz"] * (len(mine) - 1) + [".jsonl"]
    assert (tmp_path / "other-1.jsonl").stat().st_size == 90_000
    (tmp_path / "other-1.jsonl").unlink()
    left = read_log(tmp_path, tolerated=0)
    assert left.find("case-9999") is not None and left.find("case-0") is None
    assert 1000 < left.predictions < 10_000 == log.written


def test_nobody_waits_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "WAITING", 100)
    log, held = PredictionLog(tmp_path, name="serve"), threading.Event()
    write = log._write
    monkeypatch.setattr(log, "_write", lambda lines: (held.wait(30), write(lines)))
    taken = [log.put(f"case-{case}", at=utc_now(), **PREDICTED) for case in range(10_000)]
    held.set()
    log.close()
    assert 100 <= sum(taken) == log.written < 10_000 == log.written + log.lost
    assert read_log(tmp_path, tolerated=0).predictions == log.written


def test_further_facts_are_left_out_where_they_fail_or_would_take_too_long(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, name="serve")

    def slow() -> dict[str, str]:
        time.sleep(0.02)
        return {"image": "a.png"}

    log.put("wrong", at=utc_now(), further=lambda: {}["image"], **PREDICTED)
    wait_for(lambda: log.written == 1)
    for case in range(300):
        log.put(f"case-{case}", at=utc_now(), further=slow, **PREDICTED)
    log.close()
    found = read_log(tmp_path, tolerated=0)
    images = [found.find(f"case-{case}").image for case in range(300)]  # type: ignore[union-attr]
    assert images[0] == "a.png" and images.count("a.png") < 30
    assert found.predictions == 301 and found.find("wrong").image is None  # type: ignore[union-attr]


def test_a_full_disk_leaves_whole_lines_and_the_writer_goes_on(tmp_path, monkeypatch) -> None:
    log = PredictionLog(tmp_path, name="serve")
    fill(log, range(3))
    wait_for(lambda: log.written == 3)
    real = log._file

    class Full:
        def write(self, content: bytes) -> int:
            return real.write(content[:10])

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    log._file = Full()  # type: ignore[assignment]
    fill(log, range(3, 5))
    wait_for(lambda: log.lost == 2)
    log._file = real
    fill(log, range(5, 6))
    log.close()
    assert read_log(tmp_path, tolerated=0).predictions == 4


def test_a_line_that_the_schema_forbids_is_counted_and_not_written(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, name="serve")
    log.put("one", at=utc_now(), score=float("nan"), model_version=1)
    log.put("", at=utc_now(), **PREDICTED)
    log.put("three", at=utc_now(), colour="red", **PREDICTED)
    log.put("four", **PREDICTED)
    fill(log, range(1))
    log.close()
    assert (log.written, log.lost) == (1, 4)


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refused(ConfigError, "cannot be written"):
        PredictionLog(tmp_path / "file", name="serve")
