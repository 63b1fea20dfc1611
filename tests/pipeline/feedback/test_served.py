import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.drift import log as log_module
from components.drift.log import prediction_line
from pipeline.feedback.served import ServedCases

PICTURE = "ab" * 32
AT = "2026-01-05T10:00:00Z"


def served(path: Path, *case_ids: str) -> ServedCases:
    append(path, *case_ids)
    return ServedCases(path)


def append(path: Path, *case_ids: str) -> None:
    with path.open("ab") as file:
        for case_id in case_ids:
            file.write(
                prediction_line(case_id, at=AT, score=0.5, model_version=3, pixels_sha256=PICTURE)
            )


def read_slowly(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every reading of a log takes as long as that of a large one; their number is the length."""
    readings: list[str] = []
    read = log_module.read_log

    def slow(path: Path, **options: int) -> log_module.Log:
        readings.append(str(path))
        time.sleep(0.3)
        return read(path, **options)

    monkeypatch.setattr(log_module, "read_log", slow)
    return readings


@pytest.mark.parametrize("ask", ["find", "with_picture"])
def test_requests_that_come_while_the_log_is_read_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: str
) -> None:
    cases, readings = served(tmp_path / "log.jsonl", "a"), read_slowly(monkeypatch)
    together = threading.Barrier(6)

    def asked(key: str) -> bool:
        together.wait()
        return bool(getattr(cases, ask)(key))

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(asked, ["a" if ask == "find" else PICTURE] * 6))
    assert found == [True] * 6
    assert len(readings) == 1


def test_a_case_that_was_served_since_is_found(tmp_path: Path) -> None:
    cases = served(tmp_path / "log.jsonl", "a")
    assert cases.find("b") is None
    append(tmp_path / "log.jsonl", "b")
    assert cases.find("b") is not None
    assert cases.with_picture(PICTURE) == ("a", "b")
