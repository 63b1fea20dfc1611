from dataclasses import replace

from components.baselines.summary import Count, summarise
from tests.components.planting import locked

CASES = locked(3, 4, sentinels=[1])


def test_cases_patients_and_sentinels_are_counted() -> None:
    found = summarise(CASES)
    assert found.counts == Count(3, 4) and found.counts.cases == 7
    assert (found.patients, found.images_per_patient) == (4, {1: 1, 2: 3})
    assert found.sentinels == ("case-0001",)


def test_each_value_of_each_attribute_is_counted_by_label() -> None:
    assert summarise(CASES).attributes == {
        "device": {"Aster": Count(1, 2), "Boreal": Count(2, 2)},
    }


def test_values_are_in_the_order_a_person_expects() -> None:
    ages = ["12-17", "0-1", "6-11", None, "2-5", "unknown", "2-5"]
    cases = tuple(
        replace(case, attributes={} if age is None else {"age_band": age})
        for case, age in zip(CASES.cases, ages)
    )
    values = summarise(replace(CASES, cases=cases)).attributes["age_band"]
    assert list(values) == ["0-1", "2-5", "6-11", "12-17", "unknown", None]
    assert values[None] == Count(0, 1) and values["2-5"] == Count(0, 2)


def test_the_json_form_counts_the_cases_without_a_value_apart() -> None:
    first = replace(CASES.cases[0], attributes={"device": "without"})
    cases = (first, replace(CASES.cases[1], attributes={}), *CASES.cases[2:])
    found = summarise(replace(CASES, cases=cases)).as_json()
    assert found["attributes"]["device"]["without"] == {"positives": 1, "negatives": 0}
    assert found["attributes"]["device"]["values"]["without"] == {"positives": 1, "negatives": 0}
    assert (found["cases"], found["positives"], found["sentinels"]) == (7, 3, ["case-0001"])
