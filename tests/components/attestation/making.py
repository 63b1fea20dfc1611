"""A run that passed, with every file that a signed decision names, and keys to sign it with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from components.attestation.checking import CheckedStatement
from components.attestation.keys import PUBLIC, Signer, new_key
from components.attestation.signing import attest_decision, check_releasable
from components.attestation.statements import CHAMPION, ENVIRONMENT, MODEL, TRAINING
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.decision import Decision, save_decision
from components.gate.conditions import EvaluatorFindings
from components.gate.decide import decide
from components.records.files import sha256_file, sha256_tree, write_atomically
from components.records.run_files import (
    CHAMPION_SCORES,
    DECISION,
    DECISION_ATTESTATION,
    HTML_REPORT,
    REPORT,
    SCORES,
)
from tests.components.planting import approved, check, locked, policy, scored, sha

RUN = "20260101T000000.000000Z"


@dataclass(frozen=True)
class PlantedRun:
    """Attributes:
    folder: the run's; baseline and the two models' folders lie beside it.
    """

    root: Path
    folder: Path

    @property
    def envelope(self) -> Path:
        return self.folder / DECISION_ATTESTATION

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def keys(self) -> Path:
        """The public keys that count."""
        return self.root / "baseline" / "keys"

    @property
    def there(self) -> dict[str, Path | str]:
        baseline = self.root / "baseline"
        return {
            CASE_SET: baseline / "case_set.json",
            POLICY: baseline / "policy.yaml",
            GOLDEN: baseline / "golden.json",
            CHAMPION: self.root / "champion",
            ENVIRONMENT: sha("environment"),
            TRAINING: sha("training"),
        }

    def signed(self, *signers: Signer) -> "PlantedRun":
        attest_decision(self.folder, self.there, signers)
        return self

    def check_releasable(self, threshold: int = 1, **changed: Any) -> CheckedStatement:
        given = {"model_folder": self.model, "there": self.there, "trusted_keys": self.keys}
        return check_releasable(self.envelope, threshold=threshold, **{**given, **changed})


def planted_run(root: Path, *, run_id: str = RUN, **changed: Any) -> PlantedRun:
    """A run under `root`; `changed` are fields of its decision."""
    run = PlantedRun(root, root / "runs" / run_id)
    baseline = root / "baseline"
    for path, text in {
        run.model / "saved_model.pb": "candidate",
        run.model / "variables" / "data": "weights",
        root / "champion" / "saved_model.pb": "champion",
        baseline / "policy.yaml": "name: planted\n",
        baseline / "case_set.json": "{}",
        baseline / "golden.json": "{}",
        run.folder / SCORES: "scores",
        run.folder / CHAMPION_SCORES: "champion's scores",
        run.folder / HTML_REPORT: "<p>report",
        run.folder / REPORT: "# Report",
    }.items():
        write_atomically(path, text.encode())
    hashes: Mapping[str, str | None] = {
        **passed().hashes,
        "candidate": sha256_tree(run.model),
        "champion": sha256_tree(root / "champion"),
        "policy": sha256_file(baseline / "policy.yaml"),
    }
    decision = replace(passed(), **{"run_id": run_id, "hashes": hashes, **changed})
    save_decision(decision, run.folder / DECISION)
    return run


@cache
def passed() -> Decision:
    """The gate's own decision on a candidate that passes."""
    case_set = locked(40, 40)
    scores = scored(case_set, wrong=(1,))
    return decide(
        policy=policy(check("sensitivity", floor=0.5, margin=0.3)),
        case_set=case_set,
        candidate=scores,
        champion=None,
        golden=approved(scored(case_set, wrong=(1, 2), model="golden")),
        evaluator=EvaluatorFindings(True),
        findings=[],
        trained_on={"device": {"Aster": 2, "Boreal": 2}},
        run_id=RUN,
        created="2026-01-01T00:00:00Z",
    )


def person(run: PlantedRun, name: str, *, trusted: bool = True) -> Signer:
    """Somebody with a new key, whose public half is in the trusted folder or not."""
    _, public, signer = new_key(run.root / "private", name)
    if trusted:
        write_atomically(run.keys / f"{name}{PUBLIC}", public.read_bytes())
    return signer


__all__ = ["MODEL", "RUN", "PlantedRun", "passed", "person", "planted_run"]
