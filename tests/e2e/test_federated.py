"""Three hospitals and a coordinator, as commands with folders of their own, to a decision."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.federation.keys import free_address, make_keys, needs_flower

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.process, needs_flower]

CASEGATE = str(Path(sys.executable).with_name("casegate"))
SITES = {"north": "A", "south": "B", "west": "C"}
MODEL = {"image_size": 32, "epochs": 4}
PATIENCE_S = 900


class Federation:
    """Folders and processes, each by the name of the site, or `run`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack, self.address = folder, stack, free_address()
        make_keys(folder / "keys", SITES)
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    def join(self, site: str, **model: Any) -> None:
        key, ca = (str(self.folder / "keys" / name) for name in (site, "ca.pem"))
        settings = {"coordinator": self.address, "ca": ca, "key": key, "wait_minutes": 10}
        config = {"model": {**MODEL, **model}, "site": settings}
        self._start(site, config, f"phantom:n=300,site={SITES[site]}", "site", "join")

    def run(self, more: Mapping[str, Any] | None = None, **settings: Any) -> None:
        keys = self.folder / "keys"
        known = {site: str(keys / f"{site}.pub") for site in SITES}
        given = {"address": self.address, "sites": known, "rounds": 3, "wait_minutes": 5}
        given |= {name: str(keys / f"coordinator.{end}") for name, end in _SERVED.items()}
        given |= {"ca": str(keys / "ca.pem"), **settings}
        training = {"strategy": "federated", "federation": given}
        config = {
            "model": MODEL,
            "training": training,
            "signing": {"unsigned": True},
            **(more or {}),
        }
        self._start("run", config, "phantom:n=300", "run")

    def _start(self, name: str, config: Mapping[str, Any], data: str, *words: str) -> None:
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        command = [CASEGATE, *words, "--config", str(path), "--data", data]
        command += ["--workspace", str(self.folder / name)]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.started[name] = self.stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        self.stack.callback(self.kill, name)

    def kill(self, name: str) -> None:
        if self.started[name].poll() is None:
            os.killpg(self.started[name].pid, signal.SIGKILL)
            self.started[name].wait()

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def ended(self, name: str) -> int:
        return self.started[name].wait(PATIENCE_S)

    def record(self) -> dict[str, Any]:
        model = (self.folder / "run").glob("artifacts/Trainer/model/*/Format-Serving/assets.extra/")
        (path,) = (each / "release.json" for each in model)
        return dict(json.loads(path.read_text())["federation"])


_SERVED = {"certificate": "pem", "key": "key"}


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with ExitStack() as stack:
        yield Federation(tmp_path, stack)


def test_three_hospitals_train_one_model_to_a_decision(federation: Federation) -> None:
    for site in SITES:
        federation.join(site)
    federation.run()
    assert federation.ended("run") in (0, 1, 3), federation.said("run")
    assert [federation.ended(site) for site in SITES] == [0, 0, 0]
    record = federation.record()
    assert [sorted(each["sites"]) for each in record["rounds"]] == [sorted(SITES)] * 3
    (decision,) = (federation.folder / "run").glob("runs/*/decision.json")
    assert "trained elsewhere, at the sites north, south, west" in decision.read_text()
    for site in SITES:
        workspace = federation.folder / site
        (sent,) = workspace.glob("runs/*/federation.json")
        left = json.loads(sent.read_text())
        taken = [each["sites"][site]["sha256"] for each in record["rounds"]]
        assert [each["sha256"] for each in left["updates"]] == taken
        assert left["request_sha256"] == record["request_sha256"]
        assert left["weights_sha256"] == record["weights_sha256"]
        assert left["training_root"] == record["sites"][site]["training_root"]
        _prove(workspace, record["sites"][site], sent.parent.name)


def _prove(workspace: Path, registered: Mapping[str, Any], run_id: str) -> None:
    """What a hospital says of one of its cases holds against what the coordinator recorded."""
    manifest = workspace / "training" / f"{registered['training_root']}.jsonl"
    case = json.loads(manifest.read_text().splitlines()[0])["case_id"]
    proof = workspace / "proof.json"
    command = [CASEGATE, "lineage", "prove", run_id, "--case", case, "--out", str(proof)]
    subprocess.run([*command, "--workspace", str(workspace)], check=True, capture_output=True)
    cases = ["--cases", str(registered["training_cases"])]
    command = [CASEGATE, "lineage", "prove", "--check", str(proof)]
    command += ["--root", registered["training_root"], *cases]
    assert "in the training data" in subprocess.check_output(command, text=True)


def test_a_killed_coordinator_goes_on_with_sites_that_waited(federation: Federation) -> None:
    for site in SITES:
        federation.join(site)
    federation.run(rounds=8)
    kept, end = federation.folder / "run", time.monotonic() + PATIENCE_S
    while not list(kept.glob("federation-*.npz")):
        assert time.monotonic() < end and federation.started["run"].poll() is None
        time.sleep(0.2)
    federation.kill("run")
    federation.run(rounds=8)
    assert federation.ended("run") in (0, 1, 3), federation.said("run")
    assert [federation.ended(site) for site in SITES] == [0, 0, 0]
    record = federation.record()
    assert [each["round"] for each in record["rounds"]] == list(range(1, 9))
    sent = [
        json.loads(each.read_text()) for each in federation.folder.glob("*/runs/*/federation.json")
    ]
    rounds = {each["round"] for site in sent for each in site["updates"]}
    assert len(sent) == 3 and rounds == set(range(1, 9))
    assert not list(kept.glob("federation-*.npz"))


def test_a_site_with_other_settings_takes_no_part_and_both_say_why(
    federation: Federation,
) -> None:
    federation.join("north", dropout=0.5)
    federation.join("south")
    federation.join("west")
    federation.run(rounds=1)
    assert federation.ended("run") in (0, 1, 3), federation.said("run")
    for name in ("run", "north"):
        assert "settings differ from those here in model: dropout" in federation.said(name)
    assert sorted(federation.record()["sites"]) == ["south", "west"]


def test_a_site_whose_key_was_revoked_ends_in_a_line(federation: Federation) -> None:
    for site in SITES:
        federation.join(site)
    keys = federation.folder / "keys"
    federation.run(rounds=1, sites={s: str(keys / f"{s}.pub") for s in ("south", "west")})
    assert federation.ended("north") == 2
    assert "does not know" in federation.said("north")
    assert federation.ended("run") in (0, 1, 3), federation.said("run")
