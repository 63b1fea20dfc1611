import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa as reference

from components.feedback.agreement import (
    FALSE_ALARM,
    MAYBE_FALSE,
    MAYBE_MISSED,
    MISSED,
    READERS_DIFFER,
    agreement,
    cohens_kappa,
    worklist,
)
from components.feedback.opinion import Opinion
from components.statistics.intervals import clopper_pearson
from tests.components.feedback.making import judged, opinion


def read(case_id: str, positive: bool | None, *labels: str, **given: object) -> list[Opinion]:
    """One opinion for each label, by readers A, B, ..."""
    names = [f"Reader {chr(65 + i)}" for i in range(len(labels))]
    return [
        opinion(case_id, label, by, positive=positive, **given) for label, by in zip(labels, names)
    ]


def many(*cases: list[Opinion]) -> list[Opinion]:
    return [one for case in cases for one in case]


def test_shares_of_a_reader_have_the_exact_interval() -> None:
    said = many(*(read(f"case-{i}", i < 7, "positive") for i in range(10)))
    found = agreement(judged(*said))
    (reader,) = found.readers
    bounds = clopper_pearson(7, 10)
    assert (reader.count, reader.cases, reader.estimate) == (7, 10, 0.7)
    assert (reader.lower, reader.upper) == (bounds.lower, bounds.upper)
    assert found.overall.lower == reader.lower


def test_several_opinions_on_a_case_tell_less_than_as_many_cases() -> None:
    said = many(*(read(f"case-{i}", i < 7, "positive", "positive") for i in range(10)))
    found = agreement(judged(*said))
    one, both = found.readers[0], found.overall
    assert (both.count, both.cases, both.estimate) == (14, 20, 0.7)
    width = both.upper - both.lower  # type: ignore[operator]
    assert width > 0.9 * (one.upper - one.lower)  # type: ignore[operator]


def test_sensitivity_and_specificity_are_of_settled_cases_alone() -> None:
    said = many(
        read("tp", True, "positive", "positive"),
        read("fn", False, "positive", "positive"),
        read("tn", False, "negative", "negative"),
        read("open", True, "negative"),
        read("apart", True, "negative", "positive"),
    )
    found = agreement(judged(*said))
    assert (found.sensitivity.count, found.sensitivity.cases) == (1, 2)
    assert (found.specificity.count, found.specificity.cases) == (1, 1)
    assert (found.cases, found.settled, found.opinions) == (5, 3, 9)


def test_nothing_is_not_zero() -> None:
    found = agreement(judged())
    for share in (found.overall, found.sensitivity, found.specificity):
        assert (share.estimate, share.lower, share.upper, share.kappa) == (None, None, None, None)


def test_unsure_opinions_and_unknown_decisions_count_nowhere() -> None:
    said = many(read("a", True, "unsure", "positive"), read("b", None, "positive", "positive"))
    found = agreement(judged(*said))
    assert (found.unsure, found.undecided, found.overall.cases) == (1, 2, 1)
    assert found.sensitivity.cases == 0 and found.settled == 1


def test_readers_are_compared_on_the_cases_that_both_judged() -> None:
    said = many(
        read("a", True, "positive", "positive"),
        read("b", True, "positive", "negative"),
        read("c", True, "positive", "unsure"),
        read("d", True, "positive"),
    )
    (pair,) = agreement(judged(*said)).between
    assert (pair.name, pair.count, pair.cases) == ("Reader A and Reader B", 1, 2)


def test_each_model_has_its_own_share() -> None:
    said = many(read("a", True, "positive", model="one"), read("b", True, "negative", model="two"))
    shares = agreement(judged(*said)).models
    assert [(share.name, share.count) for share in shares] == [("one", 1), ("two", 0)]


def test_kappa_takes_agreement_by_chance_away() -> None:
    labels = [(True, "positive")] * 20 + [(True, "negative")] * 5
    labels += [(False, "positive")] * 10 + [(False, "negative")] * 15
    said = many(*(read(f"{i}", positive, label) for i, (positive, label) in enumerate(labels)))
    assert agreement(judged(*said)).overall.kappa == pytest.approx(0.4)


def test_the_worst_disagreements_come_first() -> None:
    said = many(
        read("differ", None, "positive", "negative"),
        read("otherwise", True, "negative"),
        read("maybe", False, "positive"),
        read("alarm-sure", True, "negative", "negative", score=0.99),
        read("alarm", True, "negative", "negative", score=0.6),
        read("missed", False, "positive", "positive", score=0.4),
        read("missed-sure", False, "positive", "positive", score=0.01),
        read("fine", True, "positive", "positive"),
        read("unsure", True, "unsure"),
    )
    found = [(one.case.case_id, one.why) for one in worklist(judged(*said))]
    assert found == [
        ("missed-sure", MISSED),
        ("missed", MISSED),
        ("alarm-sure", FALSE_ALARM),
        ("alarm", FALSE_ALARM),
        ("maybe", MAYBE_MISSED),
        ("otherwise", MAYBE_FALSE),
        ("differ", READERS_DIFFER),
    ]


def test_a_dissent_that_was_settled_for_the_model_is_no_work() -> None:
    said = read("a", True, "negative", "positive")
    settled = opinion("a", "positive", "Z", positive=True, role="adjudicator")
    assert worklist(judged(*said, settled)) == ()


def judgements(yes_yes: int, yes_no: int, no_yes: int, no_no: int) -> tuple[list[bool], list[bool]]:
    table = {(True, True): yes_yes, (True, False): yes_no, (False, True): no_yes}
    pairs = [pair for pair, times in table.items() for _ in range(times)]
    pairs += [(False, False)] * no_no
    return [one for one, _ in pairs], [other for _, other in pairs]


@pytest.mark.parametrize("table", [(20, 5, 10, 15), (45, 15, 25, 15), (1, 2, 3, 4), (0, 3, 3, 0)])
def test_kappa_is_that_of_statsmodels(table: tuple[int, int, int, int]) -> None:
    yes_yes, yes_no, no_yes, no_no = table
    wanted = reference(np.array([[yes_yes, yes_no], [no_yes, no_no]])).kappa
    assert cohens_kappa(*judgements(*table)) == pytest.approx(wanted, abs=1e-12)


def test_a_known_example_gives_its_published_value() -> None:
    # 50 grant proposals, 35 agreed on, 25 by chance: a textbook example of Cohen's kappa.
    assert cohens_kappa(*judgements(20, 5, 10, 15)) == pytest.approx(0.4)


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (5, 0, 0, 0), (0, 0, 0, 7)])
def test_kappa_without_anything_to_disagree_on_is_undefined(table: tuple[int, ...]) -> None:
    assert cohens_kappa(*judgements(*table)) is None


def test_one_who_says_one_thing_only_agrees_by_chance_alone() -> None:
    assert cohens_kappa(*judgements(5, 3, 0, 0)) == 0


def test_judgements_of_other_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1"):
        cohens_kappa([True, False], [True])
