"""Which of several machines this is, and what is said of those that do not come."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from components.records import events
from components.records.errors import ConfigError, DeviceLost, NothingEvaluated
from components.records.problems import json_line
from pipeline.model import cluster
from pipeline.model.cluster import (
    Place,
    join,
    read_place,
    refuse_other_code,
    refuse_unfit_place,
    train_together,
)
from pipeline.settings.deciding import deciding_sha256

pytestmark = pytest.mark.process

PYTHON = sys.executable
MACHINES = ["a:1", "b:2"]


def place(index: Any = 0, machines: Any = MACHINES, kind: str = "worker") -> str:
    return json.dumps({"cluster": {"worker": machines}, "task": {"type": kind, "index": index}})


def test_the_place_is_that_of_tf_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", place(1))
    assert read_place() == Place(("a:1", "b:2"), 1)
    with pytest.raises(ConfigError, match="worker train"):
        refuse_unfit_place()
    monkeypatch.setenv("TF_CONFIG", place(0))
    refuse_unfit_place()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        place(2),
        place("0"),
        place(0, ["a:1"]),
        place(0, 3),
        place(0, kind="ps"),
    ],
)
def test_what_names_no_two_workers_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError, match="TF_CONFIG: got"):
        read_place()


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TF_CONFIG", place())
    return tmp_path / ".training.json"


def ask(
    asked: Path, monkeypatch: pytest.MonkeyPatch, program: str, *, minutes: float = 5
) -> tuple[list[Any], dict[str, Any]]:
    """What comes of a training whose member is this Python program."""
    path = asked.with_name("member.py")
    path.write_text(f"import json, sys, time\nimport numpy as np\n{program}\n")
    stand_in = asked.with_name("python")
    stand_in.write_text(f'#!/bin/sh\nshift 2\nexec {PYTHON} {path} "$@"\n')
    stand_in.chmod(0o755)
    monkeypatch.setattr(cluster.sys, "executable", str(stand_in))
    return train_together({"training": {"wait_minutes": minutes}}, asked)


def test_weights_findings_and_progress_come_back(
    asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with events.listen(lambda event: told.append(event.detail)):
        weights, found = ask(
            asked,
            monkeypatch,
            "assert json.load(open(sys.argv[1]))['training']\n"
            "print(json.dumps({'detail': 'epoch 1'}), 'noise'[:0])\n"
            "np.savez(sys.argv[2], *[np.ones(2), np.zeros(3)])\n"
            "print(json.dumps({'found': {'epochs': 1}}))",
        )
    assert [each.shape for each in weights] == [(2,), (3,)] and found == {"epochs": 1}
    assert told == ["epoch 1"] and not asked.exists()


def test_a_member_that_dies_or_says_nothing_is_a_machine_that_is_lost(
    asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeviceLost, match="a:1, b:2"):
        ask(asked, monkeypatch, "sys.exit(3)")
    with pytest.raises(DeviceLost, match="wait_minutes"):
        ask(asked, monkeypatch, "time.sleep(600)", minutes=0.01)
    assert not asked.exists()


def test_what_a_member_refuses_is_what_the_run_says(
    asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = json_line(NothingEvaluated("planted"))
    with pytest.raises(NothingEvaluated, match="planted"):
        ask(asked, monkeypatch, f"print({line!r}); sys.exit(5)")


def test_a_worker_does_not_wait_for_ever(asked: Path) -> None:
    with pytest.raises(ConfigError, match="no run asked"):
        join(asked, wait_minutes=0)


def test_a_run_of_other_code_is_refused(asked: Path) -> None:
    refuse_other_code({"deciding_sha256": deciding_sha256()}, asked)
    with pytest.raises(ConfigError, match="of other code"):
        refuse_other_code({"deciding_sha256": "other"}, asked)
