"""Power as a simulation finds it, and `unknown` where counts cannot tell."""

from dataclasses import replace

import numpy as np
import pytest

from components.gate.chances import Chance, chances
from components.gate.policy import Policy, Sentinels
from components.gate.preflight import preflight
from components.records.errors import IntegrityError
from components.statistics.intervals import clopper_pearson
from components.statistics.paired import tango
from components.statistics.power import (
    power_floor,
    power_non_inferiority,
    sample_size_non_inferiority,
)
from tests.components.gate.test_preflight import same_patient
from tests.components.planting import check, locked, policy, scored
from tests.refusing import refused

CASES = locked(200, 100)
SEED, DRAWS = 20250331, 4000


def chance(rules: Policy, **given: object) -> Chance:
    return chances(preflight(rules, CASES), rules, CASES, **given)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.02, 0.04, 0.1])
def test_power_of_a_margin_is_what_a_simulation_finds(share: float) -> None:
    found = chance(policy(check("sensitivity", margin=0.05)), discordance=share)
    random = np.random.default_rng(SEED)
    differing = random.binomial(200, share, DRAWS)
    lost = random.binomial(differing, 0.5)
    bounds = {
        pair: tango(pair[1] - pair[0], pair[0], 200).lower
        for pair in set(zip(lost.tolist(), differing.tolist()))
    }
    passed = np.mean([bounds[pair] > -0.05 for pair in zip(lost.tolist(), differing.tolist())])
    assert found.power == pytest.approx(passed, abs=0.025)


def test_power_of_a_floor_takes_golden_for_the_truth() -> None:
    rules = policy(check("sensitivity", floor=0.9))
    golden = scored(CASES, wrong=range(10), model="go")  # 190 of 200
    found = chance(rules, golden=golden)
    right = np.random.default_rng(SEED).binomial(200, 0.95, DRAWS)
    passed = np.mean(np.asarray(clopper_pearson(right, 200).lower) >= 0.9)
    assert found.power == pytest.approx(passed, abs=0.025)
    assert found.assuming == "a true value of 0.950, golden's"


def test_power_of_a_floor_is_that_of_the_checks_own_method_and_error_rate() -> None:
    golden = scored(CASES, wrong=range(10), model="go")
    for method, alpha in (("clopper_pearson", 0.05), ("wilson", 0.025)):
        rules = policy(replace(check("sensitivity", floor=0.91, alpha=alpha), method=method))
        power = power_floor(200, 0.91, true=0.95, alpha=alpha, method=method)
        assert chance(rules, golden=golden).power == power
        assert power != power_floor(200, 0.91, true=0.95)


def test_chances_of_a_margin_are_those_of_the_checks_own_error_rate() -> None:
    found = chance(policy(check("sensitivity", margin=0.03, alpha=0.05)))
    given = {"discordant": 0.04, "alpha": 0.05}
    assert found.power == power_non_inferiority(200, 0.03, **given)
    assert found.needed == sample_size_non_inferiority(0.03, **given)


def test_of_marked_cases_there_is_no_chance_to_tell() -> None:
    rules = replace(policy(check("sensitivity", floor=0.5)), sentinels=Sentinels(1, "planted"))
    cases = locked(200, 100, sentinels=[1])
    assert chances(preflight(rules, cases), rules, cases)[-1] == Chance(None, "")


def test_golden_stands_for_the_truth_of_every_check() -> None:
    rules = policy(check("sensitivity", floor=0.9), check("specificity", floor=0.8))
    golden = scored(CASES, wrong=[*range(10), *range(200, 210)], model="go")
    found = chances(preflight(rules, CASES), rules, CASES, golden=golden)
    assert [one.assuming for one in found] == [
        "a true value of 0.950, golden's",
        "a true value of 0.900, golden's",
    ]


def test_power_of_a_floor_is_unknown_without_golden() -> None:
    found = chance(policy(check("sensitivity", floor=0.9)))
    assert found.power is None and "unknown without golden" in found.assuming


@pytest.mark.parametrize("ceiling", [0.01, 0.02, 0.05])
def test_power_against_flips_is_what_a_simulation_finds(ceiling: float) -> None:
    rules = policy(check("sensitivity", floor=0.5), ceiling=ceiling)
    outlooks = preflight(rules, CASES)
    found = chances(outlooks, rules, CASES, discordance=0.04)[1]
    lost = np.random.default_rng(SEED).binomial(300, 0.02, DRAWS)
    assert found.power == pytest.approx(np.mean(lost / 300 <= ceiling), abs=0.025)


def test_where_no_flip_is_tolerated_none_may_happen() -> None:
    rules = policy(check("sensitivity", floor=0.5), ceiling=0.0)
    found = chances(preflight(rules, CASES), rules, CASES, discordance=0.004)[1]
    assert found.power == pytest.approx(0.998**300)


def test_the_policy_says_what_is_expected_where_nobody_else_does() -> None:
    rules = replace(policy(check("sensitivity", margin=0.05)), expected_discordance=0.1)
    assert chance(rules) == chance(rules, discordance=0.1)
    assert chance(rules) != chance(rules, discordance=0.02)


def test_a_chance_says_what_share_of_calls_it_takes_to_differ() -> None:
    rules = policy(check("sensitivity", margin=0.05), ceiling=0.02)
    margin, _, flips, _ = chances(preflight(rules, CASES), rules, CASES, discordance=0.025)
    assert margin.assuming == flips.assuming == "equally good, 2.5 % of calls differ"


def test_a_seldom_passing_check_says_how_many_cases_would_do() -> None:
    rules = policy(check("sensitivity", margin=0.03))
    found = chance(rules)
    assert found.power is not None and found.power < 0.8 and found.needed is not None
    larger = locked(found.needed, 100)
    (there, _) = chances(preflight(rules, larger), rules, larger)
    assert there.power is not None and there.power >= 0.8 and there.needed is None
    smaller = locked(found.needed - 1, 100)
    (short, _) = chances(preflight(rules, smaller), rules, smaller)
    assert short.power is not None and short.power < 0.8 and short.needed == found.needed


def test_what_can_never_pass_has_no_chance() -> None:
    assert chance(policy(check("sensitivity", margin=0.01))).power == 0.0


@pytest.mark.parametrize("metric, limit", [("auc", {"floor": 0.9}), ("brier", {"ceiling": 0.2})])
def test_what_depends_on_scores_is_unknown(metric: str, limit: dict[str, float]) -> None:
    found = chance(policy(check(metric, **limit)))  # type: ignore[arg-type]
    assert found.power is None and "depends on the scores" in found.assuming


def test_newcombes_method_has_no_exact_power_here() -> None:
    rules = policy(replace(check("sensitivity", margin=0.05), paired_method="newcombe"))
    assert chance(rules).power is None


def test_golden_of_other_cases_is_refused() -> None:
    with refused(IntegrityError, "golden", CASES.merkle_root[:12]):
        chance(policy(check("sensitivity", floor=0.9)), golden=scored(locked(5, 5)))


@pytest.mark.parametrize("limit", [{"margin": 0.1}, {"floor": 0.9}])
def test_images_of_one_patient_give_no_more_power_than_the_patient(
    limit: dict[str, float],
) -> None:
    twice = same_patient([i // 2 for i in range(200)])
    once = same_patient(range(100))
    rules = policy(check("sensitivity", **limit), patients="clustered")  # type: ignore[arg-type]
    found, alone = (
        chances(preflight(rules, cases), rules, cases, golden=scored(cases, wrong=wrong))[0]
        for cases, wrong in ((twice, range(6)), (once, range(3)))
    )
    assert found.power is not None and found.power == alone.power < 1
