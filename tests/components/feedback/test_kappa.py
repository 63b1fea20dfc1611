import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa as reference

from components.feedback.kappa import cohens_kappa


def said(yes_yes: int, yes_no: int, no_yes: int, no_no: int) -> tuple[list[bool], list[bool]]:
    table = {(True, True): yes_yes, (True, False): yes_no, (False, True): no_yes}
    pairs = [pair for pair, times in table.items() for _ in range(times)]
    pairs += [(False, False)] * no_no
    return [one for one, _ in pairs], [other for _, other in pairs]


@pytest.mark.parametrize("table", [(20, 5, 10, 15), (45, 15, 25, 15), (1, 2, 3, 4), (0, 3, 3, 0)])
def test_kappa_is_that_of_statsmodels(table: tuple[int, int, int, int]) -> None:
    yes_yes, yes_no, no_yes, no_no = table
    wanted = reference(np.array([[yes_yes, yes_no], [no_yes, no_no]])).kappa
    assert cohens_kappa(*said(*table)) == pytest.approx(wanted, abs=1e-12)


def test_a_known_example_gives_its_published_value() -> None:
    # 50 grant proposals, 35 agreed on, 25 by chance: a textbook example of Cohen's kappa.
    assert cohens_kappa(*said(20, 5, 10, 15)) == pytest.approx(0.4)


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (5, 0, 0, 0), (0, 0, 0, 7)])
def test_kappa_without_anything_to_disagree_on_is_undefined(table: tuple[int, ...]) -> None:
    assert cohens_kappa(*said(*table)) is None


def test_one_who_says_one_thing_only_agrees_by_chance_alone() -> None:
    assert cohens_kappa(*said(5, 3, 0, 0)) == 0


def test_judgements_of_other_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1"):
        cohens_kappa([True, False], [True])
