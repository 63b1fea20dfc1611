import dataclasses

from components.gate.policy import Coverage
from tests.components.planting import approved, check, locked, policy, scored
from tests.measure.cache import Scored
from tests.measure.jobs import HONEST
from tests.measure.judging import Baseline, groups, judge
from tests.measure.making import damaged, judged


def test_groups_stand_with_honest_models_first_and_damage_growing() -> None:
    models = [
        judged(family="fewer cases", grade="400 of 4000"),
        judged(family="label noise", grade="0.35"),
        judged(family="fewer cases", grade="2000 of 4000"),
        judged(family="label noise", grade="0.05"),
        judged(),
    ]
    assert [group.name for group in groups(models)] == [
        "honest, same cases",
        "label noise: 0.05",
        "label noise: 0.35",
        "fewer cases: 2000 of 4000",
        "fewer cases: 400 of 4000",
    ]


def planted(*wrong: int, rule: str = "sensitivity", **limits: float) -> tuple[Scored, Baseline]:
    """A candidate wrong on some of 200 positives of two devices, and a golden that is right."""
    case_set = locked(200, 200)
    rules = policy(check(rule, device="Aster", **limits), ceiling=0.5)
    golden = approved(scored(case_set, model="golden"))
    candidate = scored(case_set, wrong=wrong)
    model = Scored(
        data="planted",
        family=HONEST,
        grade="",
        spec="planted",
        inputs="00",
        seed=1,
        trained_on={"device": {"Aster": 100}},
        case_ids=candidate.case_ids,
        scores=candidate.scores,
        operating_point=candidate.operating_point,
    )
    return model, Baseline(rules, case_set, golden)


def test_block_is_named_by_metric_and_slice_once() -> None:
    found = judge(*planted(*range(1, 60, 2), floor=0.9, margin=0.1))
    assert found.verdict == "FAIL"
    assert found.blocking == ("sensitivity[device=Aster]",)


def test_loss_is_above_zero_where_the_candidate_is_worse() -> None:
    loss, bound = judge(*planted(1, 3, 5, margin=0.2)).losses["sensitivity[device=Aster]"]
    assert loss == 0.03
    assert bound > loss


def test_higher_brier_is_a_loss() -> None:
    model, baseline = planted(1, 3, 5, rule="brier", margin=0.2)
    loss, bound = judge(model, baseline).losses["brier[device=Aster]"]
    assert 0 < loss < bound


def test_cached_scores_are_judged_against_a_champion_too() -> None:
    champion, baseline = planted(margin=0.1)
    candidate = planted(*range(1, 60, 2))[0]
    assert judge(candidate, baseline, champion).verdict == "FAIL"
    assert judge(champion, baseline).verdict == "PASS"


def test_slice_that_was_not_trained_on_blocks_and_is_named() -> None:
    model, baseline = planted(margin=0.1)
    rule = Coverage(("device",), 50, "planted")
    rules = dataclasses.replace(baseline.policy, coverage=rule)
    found = judge(model, dataclasses.replace(baseline, policy=rules))
    assert found.verdict == "FAIL"
    assert found.blocking == ("coverage[device=Boreal]",)


def test_check_on_the_slice_that_was_left_out_is_named_first() -> None:
    names = ("auc[overall]", "brier[device=Aster]", "sensitivity[aetiology=effusion]")
    found = damaged("FAIL", "aetiology left out", "effusion", *names, count=2).blocking()
    assert [name for name, _ in found] == [names[2], names[1], names[0]]
