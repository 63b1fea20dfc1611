import numpy as np
import pytest

from components.statistics.intervals import normal_quantile
from components.statistics.paired import tango
from tests.measure.simulation import false_pass, losses_in_a_row, score, shares


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.2])
def test_score_gives_the_verdicts_of_the_gates_own_interval(margin: float) -> None:
    rng, z = np.random.default_rng(5), normal_quantile(0.025)
    for n in (8, 100, 1000):
        counts = rng.multinomial(n, [0.04, 0.06, 0.9], size=60)
        found = score(counts[:, 0], counts[:, 1], n, margin)
        for (gained, lost, _), statistic in zip(counts, found):
            bounds = tango(int(gained), int(lost), n)
            assert (statistic > z) == (bounds.lower > -margin)
            assert (statistic < -z) == (bounds.upper < -margin)


def test_no_loss_at_all_needs_enough_cases_to_pass() -> None:
    n = np.array([70, 80])  # z^2 / (n + z^2) is .05 at n = 73
    found = [score(np.zeros(1), np.zeros(1), int(size), 0.05)[0] for size in n]
    assert found[0] < normal_quantile(0.025) < found[1]


def test_false_pass_at_the_margin_is_what_simulation_finds() -> None:
    exact = false_pass(n=234, discordance=0.04, margin=0.05)
    assert 0.01 < exact < 0.035
    rng = np.random.default_rng(1)
    counts = rng.multinomial(234, [0.02, 0.07, 0.91], size=100_000)
    statistic = score(counts[:, 0], counts[:, 1], 234, 0.05)
    assert float((statistic > normal_quantile(0.025)).mean()) == pytest.approx(exact, abs=0.002)


def test_equal_models_pass_on_many_cases_and_cannot_on_few() -> None:
    many = shares(n=2000, discordance=0.02, difference=0.0, margin=0.05)
    few = shares(n=50, discordance=0.02, difference=0.0, margin=0.05)
    assert many.passed > 0.99
    assert few.passed < 0.05
    assert few.passed + few.failed + few.inconclusive == pytest.approx(1.0)


def test_one_slice_at_its_margin_holds_all_the_others_back() -> None:
    found = shares(
        n=20_000, discordance=0.02, difference=-0.05, margin=0.05, slices=5, worse_slices=1
    )
    assert found.passed <= 0.025 + 0.01


def test_small_losses_are_stopped_by_golden_where_the_champion_lets_them_pass() -> None:
    found = losses_in_a_row(n=2000, discordance=0.01, step=0.02, margin=0.05, replications=100)
    assert found.champion_only[-1] < 0.2
    assert found.with_golden[-1] == 1.0
    assert list(found.with_golden) == sorted(found.with_golden)
