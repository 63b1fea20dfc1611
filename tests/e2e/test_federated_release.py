"""From three hospitals' data to a release that each of them has judged, and nothing pooled."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from components.attestation.keys import new_key
from components.cases.lock import lock_source
from components.cases.sources import open_source
from components.decision import Decision, load_decision
from tests.e2e.test_federated import CASEGATE, PATIENCE_S, SITES, Federation
from tests.pipeline.federation.keys import needs_flower
from tests.pipeline.test_cli import casegate

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.process, needs_flower]

# Wide enough for what little they train here.
POLICY = """\
name: wide
leakage: stop
planned_looks: 5
checks:
  - {metric: sensitivity, slice: overall, floor: 0.05, margin: 0.3, rationale: planted}
  - {metric: auc, slice: overall, floor: 0.5, margin: 0.3, rationale: planted}
"""


class Hospitals(Federation):
    """They train together, and each has its own locked cases, policy and key to judge by."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.public: dict[str, Path] = {}
        self.key: dict[str, Path] = {}
        for name in ("coordinator", *SITES):
            self.key[name], self.public[name], _ = new_key(folder / "signing" / name, name)
        lines = [
            f"  {name}: {{key: {self.public[name].read_text().splitlines()[1]}, rationale: own}}"
            for name in SITES
        ]
        self._lock("run", "phantom:n=300", "\n".join([POLICY, "sites:", *lines, ""]))
        for name, letter in SITES.items():
            self._lock(name, f"phantom:n=300,site={letter}", POLICY)
            (folder / "inbox" / name).mkdir(parents=True)
        (folder / "outbox").mkdir()

    def _lock(self, name: str, source: str, policy: str) -> None:
        baseline = self.folder / "baselines" / name
        lock_source(
            open_source(source), baseline / "case_set.json", author="A. Radiologist", reason="own"
        )
        (baseline / "policy.yaml").write_text(policy)

    def settings(self) -> dict[str, Any]:
        return {
            "case_set": {"directory": str(self.folder / "baselines"), "baseline": "run"},
            "site_verdicts": {
                **{name: str(self.folder / name) for name in ("outbox", "inbox")},
                "wait_minutes": 20,
            },
            "signing": {"keys": str(self.public["coordinator"].parent)},
        }

    def judge(self) -> list[int]:
        """Each hospital's exit code on the candidate that the run asks about."""
        end = time.monotonic() + PATIENCE_S
        while not (asked := [p for p in (self.folder / "outbox").iterdir() if p.name[0] != "."]):
            assert time.monotonic() < end and self.started["run"].poll() is None, self.said("run")
            time.sleep(0.2)
        judges = [subprocess.Popen(self._judging(name, asked[0])) for name in SITES]
        return [judge.wait(PATIENCE_S) for judge in judges]

    def _judging(self, name: str, asked: Path) -> list[str]:
        baseline = self.folder / "baselines" / name
        given = {
            "case-set": baseline / "case_set.json",
            "images": f"phantom:n=300,site={SITES[name]}",
            "coordinator": self.public["coordinator"],
            "key": self.key[name],
            "inbox": self.folder / "inbox" / name,
            "workspace": self.folder / f"{name}-judging",
        }
        options = [word for key, value in given.items() for word in (f"--{key}", str(value))]
        return [CASEGATE, "site", "judge", str(asked), *options]

    def approve(self) -> None:
        """A person at each place takes the first model as golden."""
        for workspace in ("run", *(f"{name}-judging" for name in SITES)):
            words = ("--by", "A. Radiologist", "--reason", "report read")
            done = casegate("baseline", "bootstrap", "--workspace", self.folder / workspace, *words)
            assert done.exit_code == 0, done.output

    def decision(self) -> Decision:
        return load_decision(sorted((self.folder / "run").glob("runs/*/decision.json"))[-1])


@pytest.fixture
def hospitals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hospitals]:
    with ExitStack() as stack:
        made = Hospitals(tmp_path, stack)
        monkeypatch.setenv("CASEGATE_KEY", str(made.key["coordinator"]))
        yield made


def test_three_hospitals_train_a_model_judge_it_each_and_it_is_released(
    hospitals: Hospitals,
) -> None:
    for site in SITES:
        hospitals.join(site)
    hospitals.run(more=hospitals.settings())
    assert hospitals.judge() == [3, 3, 3]  # nobody has approved a golden yet
    assert hospitals.ended("run") == 3, hospitals.said("run")
    hospitals.approve()
    hospitals.run(more=hospitals.settings())  # trained already: it only asks again
    assert hospitals.judge() == [0, 0, 0]
    assert hospitals.ended("run") == 0, hospitals.said("run")
    decision = hospitals.decision()
    sites = {check.check: check.verdict.value for check in decision.checks if check.rule == "site"}
    assert sites == {f"site[{name}]": "PASS" for name in SITES}
    (released,) = (hospitals.folder / "run" / "serving").rglob("saved_model.pb")
    assert sorted(hospitals.record()["sites"]) == sorted(SITES)
    assert released.stat().st_size
