from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.baselines.amend import CaseChanges, amend_case_set
from components.baselines.case_set import CaseSet, save_case_set
from components.baselines.golden import save_golden
from components.baselines.history import archive
from components.baselines.scores import CaseScores
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_tree
from components.records.run_files import SCORES
from pipeline.governance.sentinels import SentinelProposal, propose_sentinels
from pipeline.settings.workspace import Workspace
from tests.components.gate.test_decide import judged
from tests.components.planting import approved, locked, scored, sha
from tests.pipeline.making import write_run
from tests.refusing import refused

CASES = locked(200, 200, sentinels=[7])  # positives are case-0000 to case-0199


class Runs:
    """A workspace with the baseline `own`, in which past models missed what they are told to."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root / "workspace")
        self.baseline = self.workspace.baselines / "own"
        self.case_set = CASES
        save_case_set(CASES, self.baseline / "case_set.json")
        self.approve(wrong=[])

    def approve(self, *, wrong: Sequence[int]) -> None:
        golden = approved(scored(self.case_set, wrong=wrong, model="golden"))
        save_golden(golden, self.baseline / "golden.json")

    def run(self, name: str, *, wrong: Sequence[int], case_set: CaseSet | None = None) -> Path:
        used = case_set or self.case_set
        return self.write(name, scored(used, wrong=wrong, model=name), used)

    def write(self, name: str, scores: CaseScores, case_set: CaseSet) -> Path:
        decision = judged(scores, case_set=case_set, champion=None)
        return write_run(self.workspace, name, decision, scores, self.baseline)

    def release(self, *, wrong: Sequence[int]) -> None:
        """Releases a model that misses these cases."""
        version = self.workspace.serving / "pneumonia" / "1"
        version.mkdir(parents=True)
        (version / "saved_model.pb").write_bytes(b"champion")
        scores = replace(scored(CASES, wrong=wrong), model_sha256=sha256_tree(version))
        self.write("run-champion", scores, CASES)

    def proposed(self, *, least: int = 1) -> SentinelProposal:
        return propose_sentinels("own", self.workspace.root, least=least)

    def amend(self, changes: CaseChanges) -> None:
        path = self.baseline / "case_set.json"
        archive(path, self.case_set)
        self.case_set = amend_case_set(
            self.case_set, changes, author="A", reason="r", date="2025-04-01"
        )
        save_case_set(self.case_set, path)
        self.approve(wrong=[])


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def named(found: SentinelProposal) -> list[tuple[str, int, int]]:
    return [(one.case.case_id, one.missed, one.judged) for one in found.cases]


def test_positives_that_past_models_missed_are_proposed_by_how_many(runs: Runs) -> None:
    runs.run("run-1", wrong=[3, 5, 250])
    runs.run("run-2", wrong=[5])
    runs.run("run-3", wrong=[])
    found = runs.proposed()
    assert named(found) == [("case-0005", 2, 3), ("case-0003", 1, 3)]
    assert (found.runs, found.models, found.present, found.skipped) == (3, 3, ("golden",), {})


def test_cases_that_fewer_models_missed_can_be_left_out(runs: Runs) -> None:
    runs.run("run-1", wrong=[3, 5])
    runs.run("run-2", wrong=[5])
    assert named(runs.proposed(least=2)) == [("case-0005", 2, 2)]
    assert named(runs.proposed(least=3)) == []


def test_a_case_that_golden_misses_is_not_proposed(runs: Runs) -> None:
    runs.run("run-1", wrong=[3, 5])
    runs.approve(wrong=[5])
    assert named(runs.proposed()) == [("case-0003", 1, 1)]


def test_a_case_that_the_champion_misses_is_not_proposed(runs: Runs) -> None:
    runs.run("run-1", wrong=[3, 5])
    runs.release(wrong=[3])
    found = runs.proposed()
    assert named(found) == [("case-0005", 1, 1)]
    assert (found.runs, found.models, found.present) == (2, 1, ("golden", "champion"))


def test_a_case_that_is_a_sentinel_already_is_only_counted(runs: Runs) -> None:
    runs.run("run-1", wrong=[7])
    found = runs.proposed()
    assert found.cases == () and found.marked == 1


def test_one_model_in_two_runs_counts_once(runs: Runs) -> None:
    scores = scored(CASES, wrong=[3], model="one")
    for name in ("run-1", "run-2"):
        runs.write(name, scores, CASES)
    found = runs.proposed()
    assert named(found) == [("case-0003", 1, 1)] and (found.runs, found.models) == (2, 1)


def test_runs_on_earlier_versions_count_where_the_pixels_are_the_same(runs: Runs) -> None:
    runs.run("run-1", wrong=[3, 5, 9])
    runs.amend(CaseChanges(retire=("case-0005",), relabel=(("case-0009", 0), ("case-0300", 1))))
    runs.run("run-2", wrong=[])
    found = runs.proposed()
    # On the label of today, the first model missed 300 as well, and was right on 9.
    assert named(found) == [("case-0003", 1, 2), ("case-0300", 1, 2)]
    assert (found.runs, found.models) == (2, 2)


@pytest.mark.parametrize(
    "fault, why",
    [
        ("edited scores", "cannot be read or were edited"),
        ("edited decision", "cannot be read or were edited"),
        ("no decision", "cannot be read or were edited"),
        ("scores of another run", "not those that were decided on"),
        ("other cases", "other cases were judged"),
        ("NaN", "a score is NaN or infinite"),
        ("a case less", "not for the cases of their case set"),
    ],
)
def test_a_run_that_proves_nothing_is_left_out_and_counted(
    runs: Runs, fault: str, why: str
) -> None:
    runs.run("run-1", wrong=[3])
    path = runs.workspace.run_folder("run-2")
    if fault == "other cases":
        runs.run("run-2", wrong=[5], case_set=locked(9, 9))
    elif fault == "NaN":
        scores = scored(CASES, wrong=[5], model="nan")
        scores.scores[0] = np.nan
        runs.write("run-2", scores, CASES)
    elif fault == "a case less":
        scores = scored(CASES, wrong=[5], model="less")
        less = replace(scores, case_ids=scores.case_ids[1:], scores=scores.scores[1:])
        runs.write("run-2", less, CASES)
    else:
        runs.run("run-2", wrong=[5])
    if fault == "edited scores":
        file = path / SCORES
        file.write_text(file.read_text().replace('"case-0005",', '"case-0005",1', 1))
    elif fault == "edited decision":
        file = path / "decision.json"
        file.write_text(file.read_text().replace("planted", "plonted"))
    elif fault == "no decision":
        (path / "decision.json").unlink()
    elif fault == "scores of another run":
        (path / SCORES).write_bytes((runs.workspace.run_folder("run-1") / SCORES).read_bytes())
    found = runs.proposed()
    assert named(found) == [("case-0003", 1, 1)] and found.runs == 1
    assert [(why in reason, n) for reason, n in found.skipped.items()] == [(True, 1)]


def test_without_any_run_nothing_is_proposed_and_it_says_so(runs: Runs) -> None:
    found = runs.proposed()
    assert (found.runs, found.models, found.cases) == (0, 0, ())


def test_with_neither_champion_nor_golden_there_is_nothing_to_hold_against(runs: Runs) -> None:
    runs.run("run-1", wrong=[3])
    (runs.baseline / "golden.json").unlink()
    with refused(ConfigError, "baselines/", "golden", "champion"):
        runs.proposed()


def test_golden_of_other_cases_is_an_integrity_error(runs: Runs) -> None:
    path = runs.baseline / "golden.json"
    save_golden(approved(replace(scored(CASES), scored_case_set=sha("other"))), path)
    with refused(IntegrityError, "golden.json: "):
        runs.proposed()


def test_the_json_form_holds_every_case_with_its_attributes(runs: Runs) -> None:
    runs.run("run-1", wrong=[3])
    document = runs.proposed().as_json()
    assert document["cases"] == [
        {"case_id": "case-0003", "missed": 1, "judged": 1, "attributes": {"device": "Aster"}}
    ]
    assert document["case_set"]["merkle_root"] == CASES.merkle_root
    assert (document["runs"], document["right"]) == (1, ["golden"])
