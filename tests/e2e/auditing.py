"""A workspace that real runs filled, one of each kind, for questions about it."""

import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.attestation.keys import VARIABLE
from components.records.errors import CasegateError
from pipeline.cli import main
from pipeline.governance.approval import bootstrap_golden
from tests.e2e.making import HARSH, POLICY, SmallData, make_small_data, watched_run
from tests.e2e.processes import kill_while_training

SIGNED = "signing.unsigned=false"


def casegate(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@dataclass
class Audited:
    """Attributes:
    runs: run id by what became of it.
    versions: of the first and the second release, and of the rollback to the first.
    """

    root: Path
    runs: dict[str, str] = field(default_factory=dict)
    versions: list[int] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def data(self) -> SmallData:
        return SmallData(self.root / "small")

    @property
    def key(self) -> Path:
        return self.root / "keys" / "release bot.key.pem"

    @property
    def public_key(self) -> Path:
        return self.root / "keys" / "release bot.pub.pem"

    @property
    def baseline(self) -> Path:
        return self.workspace / "baselines" / "small"

    def asked(self, *words: object) -> Result:
        return casegate("lineage", *words, "--workspace", self.workspace)

    def copied(self, target: Path) -> "Audited":
        """The same somewhere else, to be spoiled; the images, which nobody spoils, are shared."""
        for name in ("workspace", "keys"):
            shutil.copytree(self.root / name, target / name, symlinks=True)
        (target / "small").symlink_to(self.data.folder)
        return Audited(target, self.runs, self.versions)


def fill(root: Path) -> Audited:
    """Runs the pipeline until there is one run of each kind."""
    made = Audited(root)
    make_small_data(made.data.folder)
    (root / "keys").mkdir()
    assert casegate("keys", "init", "--out", root / "keys", "--name", "release bot").exit_code == 0
    made.baseline.mkdir(parents=True)
    (made.baseline / "keys").mkdir()
    shutil.copy(made.public_key, made.baseline / "keys")
    os.environ[VARIABLE] = str(made.key)
    try:
        _runs(made)
    finally:
        del os.environ[VARIABLE]
    return made


def _runs(made: Audited) -> None:
    policy = made.baseline / "policy.yaml"
    policy.write_text(POLICY)
    made.runs["inconclusive"] = _ran(made, SIGNED)
    bootstrap_golden(made.workspace, run_id=None, by="A. Tester", reason="first model")
    made.runs["released"] = _ran(made, SIGNED)
    made.runs["unchanged"] = _ran(made, SIGNED)
    made.runs["second"] = _ran(made, SIGNED, "model.seed=21", "owner=Radiology")
    policy.write_text(HARSH)
    made.runs["blocked"] = _ran(made, SIGNED, "model.seed=22")
    policy.write_text(POLICY)
    _waive(made)
    with pytest.raises(CasegateError):
        watched_run(made.data.config("data.source=/nowhere.npz"), made.workspace)
    made.runs["failed"] = _newest(made)
    kill_while_training(made.data.folder, made.workspace, made.root / "output.txt")
    made.runs["killed"] = _newest(made)
    made.versions = sorted(int(p.name) for p in (made.workspace / "serving/pneumonia").iterdir())
    taken = casegate(
        *("rollback", "--to", made.versions[0], "--workspace", made.workspace),
        *("--by", "Dr. Okafor", "--reason", "complaints from the ward"),
    )
    assert taken.exit_code == 0, taken.output
    made.runs["withdrawn"] = _ran(made, SIGNED, "model.seed=21", "owner=Radiology")
    made.versions = sorted(int(p.name) for p in (made.workspace / "serving/pneumonia").iterdir())


def _ran(made: Audited, *settings: str) -> str:
    watched_run(made.data.config(*settings), made.workspace)
    return _newest(made)


def _newest(made: Audited) -> str:
    return max(path.name for path in (made.workspace / "runs").iterdir())


def _waive(made: Audited) -> None:
    waived = casegate(
        *("waive", "auc[overall].floor", "--run", made.runs["blocked"], "--by", "Dr. Ito"),
        *("--second", "Dr. Weber", "--reason", "device under repair", "--expires", _soon()),
        *("--workspace", made.workspace),
    )
    assert waived.exit_code == 0, waived.output


def _soon() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + 7 * 86400))
