"""Hospitals that judge one candidate, each as a process under a user of its own, to a release."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.baselines.case_set import load_case_set
from components.baselines.scores import load_scores
from components.cases.sources import open_source
from components.decision import Decision, load_decision
from tests.components.cases.making import write_npz
from tests.pipeline.site_making import BRIGHT, DARK, POLICY, Hospital, pictures, save_model

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.process]

CASEGATE = [sys.executable, "-c", "from pipeline.cli import main; main()"]
BACKGROUNDS = {"north": DARK, "south": BRIGHT, "west": DARK}
FIRST_USER = 42000  # of nobody: a number needs no entry in a list of users
PATIENCE_S = 300


class World:
    """A coordinator and three hospitals. Each has a user of its own, where root allows it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = {
            "golden": save_model(root / "models" / "golden", 25),
            "good": save_model(root / "models" / "good", 26),
            "harmful": save_model(root / "models" / "harmful", 26, harmed=100),
        }
        self.outbox, self.inbox = root / "outbox", root / "inbox"
        self.sites = {
            name: Hospital(root / name, name, self.models["golden"], background=background)
            for name, background in BACKGROUNDS.items()
        }
        self.coordinator = Hospital(root / "coordinator", "coordinator", self.models["golden"])
        self._split_data()
        self._write_policy()
        self.users = _users([root / "coordinator", *(root / name for name in self.sites)])
        for place in (self.outbox, self.inbox):
            place.mkdir()
            self._own(place, "coordinator", 0o755)
        for name in self.sites:
            (self.inbox / name).mkdir()
            self._own(self.inbox / name, name, 0o755)
        for name in ("coordinator", *self.sites):
            (root / name / "home").mkdir()
            self._own(root / name, name, 0o700)

    def _split_data(self) -> None:
        """What the coordinator trains and tunes on, beside what judges."""
        held = np.load(self.coordinator.images)
        arrays = {name: held[name] for name in held.files}
        for number, split in enumerate(("train", "val")):
            arrays[f"{split}_images"] = pictures(900 + number, DARK)
            arrays[f"{split}_labels"] = (np.arange(200) % 2).astype(np.uint8)[:, None]
        write_npz(self.coordinator.images, **arrays)

    def _write_policy(self) -> None:
        lines = [
            f"  {name}: {{key: {site.public.read_text().splitlines()[1]}, rationale: planted}}"
            for name, site in self.sites.items()
        ]
        policy = "\n".join([POLICY, "sites:", *lines, ""])
        (self.coordinator.folder / "policy.yaml").write_text(policy)

    def _own(self, folder: Path, name: str, mode: int) -> None:
        folder.chmod(mode)
        if self.users:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, self.users[name], self.users[name])

    def start(self, name: str, words: Sequence[str], **environ: str) -> subprocess.Popen[str]:
        """A command of a party, which can read its own folder and no other's."""
        home = self.root / name
        user = str(self.users.get(name, ""))
        prefix = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []
        kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
        return subprocess.Popen(
            [*prefix, *CASEGATE, *words],
            cwd=home,
            env={**kept, "HOME": str(home / "home"), "TMPDIR": str(home / "home"), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, model: str, *sites: str, wait_minutes: float = 20, before: Any = None) -> int:
        """The exit code of a run whose candidate these sites judge; `before` gets the run's id."""
        given = {
            "model.saved_model": self.models[model],
            "case_set.directory": self.coordinator.folder.parent,
            "case_set.baseline": self.coordinator.folder.name,
            "site_verdicts.outbox": self.outbox,
            "site_verdicts.inbox": self.inbox,
            "site_verdicts.wait_minutes": wait_minutes,
            "signing.keys": self.coordinator.root / "keys",
        }
        words = ["run", "--data", str(self.coordinator.images)]
        words += ["--workspace", str(self.coordinator.workspace)]
        words += [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
        run = self.start("coordinator", words, CASEGATE_KEY=str(self.coordinator.key))
        asked = self._asked(run)
        if before is not None:
            before(asked.name)
        judges = {name: self.start(name, self._judge(name, asked)) for name in sites}
        self.said = {name: judge.communicate()[0] for name, judge in judges.items()}
        self.said["coordinator"] = run.communicate()[0]
        self.codes = {name: judge.returncode for name, judge in judges.items()}
        return run.returncode

    def _judge(self, name: str, asked: Path) -> list[str]:
        public = self.root / "coordinator.pub.pem"
        if not public.exists():
            shutil.copy(self.coordinator.public, public)
            public.chmod(0o644)
        return self.sites[name].arguments(asked, self.inbox / name, public)

    def _asked(self, run: subprocess.Popen[str]) -> Path:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if found := [path for path in self.outbox.iterdir() if path.name[0] != "."]:
                return found[0]
            assert run.poll() is None, run.communicate()[0]
            time.sleep(0.1)
        run.kill()
        raise AssertionError(f"no site was asked: {run.communicate()[0]}")

    def decision(self) -> Decision:
        return load_decision(sorted(self.coordinator.workspace.glob("runs/*/decision.json"))[-1])

    def checks(self) -> dict[str, str]:
        return {c.check: c.verdict.value for c in self.decision().checks if c.rule == "site"}

    def casegate(self, *words: str) -> tuple[int, str]:
        """A command of the coordinator's on its workspace."""
        done = self.start("coordinator", [*words, "--workspace", str(self.coordinator.workspace)])
        return done.wait(), done.communicate()[0]


def _users(folders: Sequence[Path]) -> dict[str, int]:
    """A number for each party; none where this is not root, or where others may not run this."""
    if os.geteuid() != 0:
        return {}
    probe = ["setpriv", "--reuid", str(FIRST_USER), "--regid", str(FIRST_USER), "--clear-groups"]
    given: dict[str, Any] = {"capture_output": True, "cwd": folders[0].parent}
    if subprocess.run([*probe, *CASEGATE, "--version"], **given).returncode != 0:
        return {}
    return {folder.name: FIRST_USER + number for number, folder in enumerate(folders)}


@pytest.fixture
def world() -> Iterator[World]:
    """Not in pytest's own folder, which no other user may pass."""
    root = Path(tempfile.mkdtemp(prefix="casegate-sites-"))
    root.chmod(0o755)
    try:
        yield World(root)
    finally:
        shutil.rmtree(root)


def leaks(left: Path, site: Hospital) -> set[str]:
    """Which kinds of what is a hospital's own stand in anything that left it."""
    content = b"\n".join(_opened(path) for path in left.rglob("*") if path.is_file())
    (scores,) = site.workspace.glob("runs/*/scores.json")
    held, cases = (
        np.load(site.images)["test_images"],
        load_case_set(site.folder / "case_set.json").cases,
    )
    source = open_source(str(site.images))
    encoded = [case.image for shard in source.shards("test") for case in source.read(shard)]
    known: Mapping[str, list[bytes]] = {
        "case id": [case.case_id.encode() for case in cases],
        "picture": encoded,
        "pixels": [picture.tobytes() for picture in held],
        "hash of a picture": [case.pixels_sha256.encode() for case in cases],
        "score": [repr(float(one))[:9].encode() for one in load_scores(scores).scores],
    }
    spelt = {
        kind: [*all_, *(base64.b64encode(one) for one in all_)] for kind, all_ in known.items()
    }
    return {kind for kind, all_ in spelt.items() if any(one in content for one in all_)}


def _opened(path: Path) -> bytes:
    """A file's name and bytes, and beside them what an envelope in it holds."""
    content = path.read_bytes()
    try:
        inside = base64.b64decode(json.loads(content)["payload"])
    except (ValueError, KeyError, TypeError):
        inside = b""
    return b"\n".join((str(path).encode(), content, inside))


def test_a_model_that_helps_most_and_harms_one_hospital_is_blocked_by_it(world: World) -> None:
    assert world.run("harmful", *world.sites) == 1, world.said
    assert world.codes == {"north": 0, "south": 1, "west": 0}, world.said
    assert world.checks() == {"site[north]": "PASS", "site[south]": "FAIL", "site[west]": "PASS"}
    blocking = {check.check for check in world.decision().checks if check.open}
    assert blocking == {"site[south]"}
    assert not (world.coordinator.workspace / "serving").exists()
    for name, site in world.sites.items():
        assert leaks(world.inbox / name, site) == set()
        if world.users:
            assert site.root.stat().st_uid == world.users[name]
            assert site.root.stat().st_mode & 0o077 == 0
    _plant_leaks(world.inbox / "south", world.sites["south"])


def _plant_leaks(left: Path, site: Hospital) -> None:
    """The search above sees each kind, wherever it stands."""
    case = load_case_set(site.folder / "case_set.json").cases[7]
    (scores,) = site.workspace.glob("runs/*/scores.json")
    pixels = np.load(site.images)["test_images"][7].tobytes()
    planted = {
        "case id": json.dumps({"note": case.case_id}).encode(),
        "pixels": b"x" + pixels,
        "hash of a picture": case.pixels_sha256.encode(),
        "score": repr(float(load_scores(scores).scores[7])).encode(),
    }
    for kind, content in planted.items():
        envelope = {"payload": base64.b64encode(content).decode()}
        (left / "planted").write_text(json.dumps(envelope))
        assert leaks(left, site) == {kind}
    (left / "planted").write_bytes(base64.b64encode(pixels))
    assert leaks(left, site) == {"pixels"}


def test_a_late_and_a_lying_site_stop_a_release_that_every_site_s_word_makes(world: World) -> None:
    assert world.run("good", "north", "south", wait_minutes=1.5) == 3, world.said
    assert world.checks()["site[west]"] == "INCONCLUSIVE"
    first = world.decision().run_id

    def replay(run_id: str) -> None:
        """West has not judged; what it sends is the north's word of before."""
        old = world.inbox / "north" / first / "north.dsse.json"
        new = world.inbox / "west" / run_id / "west.dsse.json"
        new.parent.mkdir()
        shutil.copy(old, new)

    assert world.run("good", "north", "south", before=replay) == 4, world.said
    assert world.checks() == {"site[north]": "PASS", "site[south]": "PASS", "site[west]": "FAIL"}
    assert not (world.coordinator.workspace / "serving").exists()

    assert world.run("good", *world.sites) == 0, world.said
    assert set(world.checks().values()) == {"PASS"}
    assert list((world.coordinator.workspace / "serving").rglob("saved_model.pb"))
    code, text = world.casegate("lineage", "verify")
    assert code == 0 and "checks of sites" in text, text
    run_id = world.decision().run_id
    in_order = world.casegate("lineage", "checks", run_id)[1]
    assert all(word in in_order for word in ("site[south]", "sites asked", "sites answered"))
    assert "site\\[south\\]" in world.casegate("lineage", "card", run_id)[1]
    page = world.coordinator.workspace / "runs" / run_id / "report.html"
    assert "Judged at south" in page.read_text()
    _check_bundle(world, run_id)
    kept = page.with_name("sites.json")
    kept.write_text(kept.read_text().replace('"south"', '"east"'))
    code, text = world.casegate("lineage", "verify")
    assert code == 4 and "site" in text, text


def _check_bundle(world: World, run_id: str) -> None:
    """An auditor takes the decision again, with the sites' signatures."""
    bundle = world.coordinator.root / "home" / "bundle.zip"
    code, text = world.casegate("lineage", "export", run_id, "--out", str(bundle))
    assert code == 0, text
    trusted = ("--key", str(world.coordinator.public))
    check = world.start("coordinator", ["lineage", "check", str(bundle), *trusted])
    text = check.communicate()[0]
    assert check.returncode == 0 and "decision taken again" in text, text
