"""A workspace whose retrainings start a stand-in for `casegate run`, told what to do."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from components.decision import Decision, Verdict
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.attempt import Retrained
from pipeline.unattended.retraining.retrain import retrain
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored

FAKE = Path(__file__).with_name("fake_child.py")
TEE = "notify.command=['/bin/sh', '-c', 'cat >> \"$0\"; echo >> \"$0\"', '{told}']"
SETTINGS = (
    "retraining.free_disk_gib=0",
    "retraining.retry_wait_seconds=1",
    "notify.retries=0",
)
LOST = {"PASS": 0, "INCONCLUSIVE": 4, "FAIL": 200}
Step = Sequence[object]


@cache
def decision(verdict: str) -> Decision:
    made = judged(scored(CASES, wrong=range(LOST[verdict])), run_id=f"run-{verdict.lower()}")
    assert made.verdict is Verdict(verdict)
    return made


class Unattended:
    """`steps` says what each start of the child does; `retrain` retrains once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = Workspace(root / "ws")
        self.steps_file = root / "steps.json"
        self.told_file = root / "told.jsonl"
        self.said: list[str] = []
        self.slept: list[float] = []

    @property
    def program(self) -> list[str]:
        return [sys.executable, "-S", str(FAKE), str(self.steps_file)]

    @property
    def settings(self) -> list[str]:
        return [*SETTINGS, TEE.format(told=self.told_file)]

    def steps(self, *starts: Sequence[Step]) -> None:
        self.steps_file.write_text(json.dumps(starts))

    def outcome(self, verdict: str, **changed: object) -> Step:
        """The step that ends as a run with this verdict does."""
        made = decision(verdict)
        told = {
            "verdict": verdict,
            "exit_code": made.exit_code,
            "served_from_cache": False,
            "already_released": False,
            "release": None,
            "version": None,
            "report": str(self.root / "report.html"),
            "decision": json.loads(made.to_json()),
            **changed,
        }
        path = self.root / f"outcome-{len(list(self.root.glob('outcome-*')))}.json"
        path.write_text(json.dumps(told))
        return ["outcome", str(path)]

    def retrain(self, *settings: str, **given: Any) -> Retrained:
        usual = {"trigger": "schedule", "say": self.said.append, "sleep": self.slept.append}
        return retrain(
            None,
            [*self.settings, *settings],
            self.workspace,
            program=self.program,
            **{**usual, **given},
        )

    @property
    def children(self) -> list[int]:
        """Process ids of the children, in the order of their starts."""
        path = self.workspace.root / "children.txt"
        return [int(word) for word in path.read_text().split()] if path.exists() else []

    @property
    def lines(self) -> list[dict[str, Any]]:
        path = self.workspace.root / "retraining" / "attempts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    @property
    def told(self) -> list[dict[str, Any]]:
        """What a person got, in its order."""
        if not self.told_file.exists():
            return []
        return [json.loads(line) for line in self.told_file.read_text().splitlines() if line]


def wait_until(true: Callable[[], bool], *, patience_s: float = 20) -> None:
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody asked about does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"
