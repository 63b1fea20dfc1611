from dataclasses import replace

import pytest

from components.baselines.case_set import CaseSet
from components.baselines.scores import CaseScores
from components.gate.decide import decide
from components.gate.disclosure import disclose, smallest_cell
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Disclosure, Policy
from components.gate.preconditions import align_outputs
from tests.components.planting import approved, check, locked, policy, scored

CASES = locked(100, 100)
POSITIVES, NEGATIVES = range(100), range(100, 200)
# Of each class five that both have wrong, five that golden alone has and five that ours alone has.
OURS = scored(CASES, wrong=[*POSITIVES[:20:2], *NEGATIVES[:20:2]])
GOLDEN = scored(CASES, wrong=[*POSITIVES[10:30:2], *NEGATIVES[10:30:2]], model="golden")


def ruled(least: int | None, **changed: object) -> Policy:
    rules = [check(m, floor=0.5, margin=0.3) for m in ("sensitivity", "specificity")]
    rules += [check(floor=0.5, device="Aster")]
    found = replace(policy(*rules), **changed)  # type: ignore[arg-type]
    return replace(found, disclosure=None if least is None else Disclosure(least, "planted"))


def left(rule: Policy, ours: CaseScores = OURS, cases: CaseSet = CASES) -> dict[str, object]:
    decision = decide(
        policy=rule,
        case_set=cases,
        candidate=ours,
        champion=None,
        golden=approved(GOLDEN),
        evaluator=None,
        findings=(),
        run_id="run",
        created="2026-01-01T00:00:00.000Z",
        scores_only=True,
        looks_used=1,
    )
    return disclose(rule, cases, {"candidate": ours, "golden": GOLDEN}, decision)


def test_no_figure_leaves_where_the_policy_says_nothing() -> None:
    said = left(ruled(None))
    assert (said["verdict"], said["figures"]) == ("PASS", [])


def test_figures_leave_where_every_cell_has_enough_patients() -> None:
    figures = left(ruled(5))["figures"]
    assert isinstance(figures, list)
    names = [(row["metric"], row["against"]) for row in figures]
    assert names == [(m, a) for m in ("sensitivity", "specificity") for a in ("none", "golden")]
    assert [row["estimate"] for row in figures] == [0.9, 0.0, 0.9, 0.0]


def test_one_cell_below_the_minimum_hides_every_figure() -> None:
    turned = OURS.scores.copy()
    turned[0] = 1 - turned[0]  # wrong before; four are left that both have wrong
    fewer = replace(OURS, scores=turned)
    assert left(ruled(4), fewer)["figures"]
    assert left(ruled(5), fewer) == {**left(ruled(None), fewer), "policy_sha256": ruled(5).sha256}


def test_no_figure_of_a_slice_leaves() -> None:
    said = left(ruled(5))
    assert "Aster" not in str(said) and "device" not in str(said)
    assert len(said["figures"]) == 4  # type: ignore[arg-type]


def test_an_empty_cell_hides_as_a_small_one() -> None:
    assert left(ruled(3), scored(CASES))["figures"] == []


@pytest.mark.parametrize("patients", ["independent", "clustered"])
def test_a_cell_counts_patients_and_not_pictures(patients: str) -> None:
    ours = scored(CASES, wrong=[*POSITIVES[:10], *NEGATIVES[:10]])  # two of each patient
    cases = JudgedCases(CASES)
    outputs, _ = align_outputs({"candidate": ours}, CASES, cases, clustered=False)
    assert smallest_cell(ruled(5, patients=patients), cases, outputs) == 5
