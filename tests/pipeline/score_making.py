"""A baseline in a folder of its own and score files as a team would bring them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from components.baselines.case_set import save_case_set
from components.baselines.golden import save_golden
from components.baselines.scores import CaseScores
from components.decision import Decision, decision_from_json
from pipeline.cli import main
from tests.components.planting import approved, locked, scored

CASES = locked(200, 200)
POLICY = """\
name: planted
leakage: stop
planned_looks: 3
patients: independent
checks:
  - metric: sensitivity
    slice: overall
    floor: 0.8
    margin: 0.05
    rationale: planted
  - metric: specificity
    slice: {device: 'Aster'}
    margin: 0.1
    rationale: planted
negative_flips:
  ceiling: 0.05
  rationale: planted
descriptive_slices: [device]
"""


def casegate(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write_scores(path: Path, scores: CaseScores, *, order: Sequence[int] | None = None) -> Path:
    """A CSV of what a model said, its rows in this order."""
    places = range(len(scores.case_ids)) if order is None else order
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["case_id", "score"])
        rows.writerows([scores.case_ids[i], repr(float(scores.scores[i]))] for i in places)
    return path


class Team:
    """A folder with case_set.json, policy.yaml and golden.json, and two score files beside it."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "chest"
        self.case_set, self.golden = self.folder / "case_set.json", self.folder / "golden.json"
        self.policy = self.folder / "policy.yaml"
        save_case_set(CASES, self.case_set)
        self.policy.write_text(POLICY)
        save_golden(approved(scored(CASES, wrong=[0], model="go")), self.golden)
        self.champion = write_scores(root / "champion.csv", scored(CASES, wrong=[1]))

    def candidate(self, *wrong: int) -> Path:
        """A score file that has these cases wrong."""
        return write_scores(self.root / "candidate.csv", scored(CASES, wrong=wrong))

    def arguments(self, candidate: Path | None = None, **changed: Any) -> list[str]:
        """The command's, with an option for each of `changed`; None leaves one out."""
        given: dict[str, Any] = {
            "case_set": self.case_set,
            "candidate": candidate or self.candidate(2),
            "champion": self.champion,
            "operating_point": 0.5,
            "run_id": "run-1",
            "created": "2025-03-31T12:00:00Z",
            **changed,
        }
        options = {f"--{name.replace('_', '-')}": value for name, value in given.items()}
        return [word for name, value in options.items() if value is not None
                for word in (name, str(value))]  # fmt: skip

    def gate(self, candidate: Path | None = None, *more: object, **changed: Any) -> Result:
        return casegate("gate", *self.arguments(candidate, **changed), *more)


def decided(result: Result) -> Decision:
    assert result.stdout, result.output
    return decision_from_json(result.stdout)
