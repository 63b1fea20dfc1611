"""Real data are cut whole and unevenly, and the planted lie is one that no check sees."""

import numpy as np
import pytest

from components.federation.updates import Update, check_update, distance
from tests.measure.federated import LEAST, cut, lying, tables


def test_sites_share_no_row_leave_none_and_differ_in_prevalence() -> None:
    labels = {split: np.arange(n) % 4 > 0 for split, n in (("train", 4000), ("tune", 500))}
    sites = cut(labels, seed=1)
    for split, given in labels.items():
        rows = np.concatenate([site[split] for site in sites])
        assert sorted(rows.tolist()) == list(range(given.size))
        each = [given[site[split]] for site in sites]
        assert min(part.sum() for part in each) >= LEAST[split]
        assert min((~part).sum() for part in each) >= LEAST[split]
    # Cut at random, sites of some thousand images would lie within 0.05.
    assert np.ptp([labels["train"][site["train"]].mean() for site in sites]) > 0.15
    assert all(map(np.array_equal, cut(labels, seed=1)[0].values(), sites[0].values()))


def test_a_lie_is_turned_round_and_within_the_bound() -> None:
    before = {"w": np.array([1.0, 1.0], np.float32)}
    honest = Update("a", 1, {"w": np.array([1.0, 2.0], np.float32)}, 5)
    liar = lying(honest, before, bound=3.0)
    check_update(liar, before, 5, 3.0, number=1)
    assert liar.weights["w"] == pytest.approx([1.0, 1.0 - 2.997])
    assert distance(liar.weights, before) == pytest.approx(2.997)


def test_the_table_says_what_a_site_gains_on_the_mean_of_the_seeds() -> None:
    def row(method: str, seed: int, value: float) -> dict[str, object]:
        reached = {"auc": value, "sensitivity": value, "specificity": 0.5}
        judged = {"A": reached, "all": reached}
        return {
            "data": "phantom",
            "seed": seed,
            "method": method,
            "sizes": {"A": [100, 0.5]},
            "judged": judged,
        }

    rows = [
        row(method, seed, value + seed / 100)
        for method, value in (("alone A", 0.8), ("fedavg", 0.9), ("fedprox", 0.7), ("central", 0.6))
        for seed in (1, 2)
    ]
    text = tables(rows)
    assert "| A | 100 | 0.50 | 0.815 0.815 0.500 | 0.615 0.615 0.500 |" in text
    assert "| +0.100 +0.100 +0.000 | 2 of 2 |" in text
    assert "| fedprox (2 seeds) | 0.715 0.715 0.500 |" in text


def test_the_table_has_what_a_site_s_counts_do_to_the_others() -> None:
    rows = [
        {
            "data": "phantom",
            "seed": seed,
            "method": method,
            "sizes": {"A": [100, 0.5], "D": [50, 0.5]},
            "judged": {
                site: {"auc": 0.9, "sensitivity": 0.95, "specificity": value + seed / 10}
                for site in ("A", "D", "all")
            },
        }
        for seed in (1, 2)
        for method, value in (("fedavg", 0.4), ("point without D", 0.6))
        if (method, seed) != ("point without D", 1)
    ]
    text = tables(rows)
    assert "| site | all | point without D |" in text
    # The same seeds on both sides.
    assert "| A | 0.900 0.950 0.600 | 0.900 0.950 0.800 |" in text
