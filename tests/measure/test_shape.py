"""The figures say what stands wrong."""

import pytest

from tests.measure.shape import circles, duplicate_classes, figures, floors

TOWER = {("a", "b"), ("b", "c"), ("a", "c")}


def test_floors_are_counted_along_the_longest_way_down() -> None:
    assert floors(TOWER) == 3 and circles(TOWER) == 0


def test_rooms_in_a_circle_are_found() -> None:
    circling = TOWER | {("c", "a")}
    assert circles(circling) == 3
    with pytest.raises(RecursionError):
        floors(circling)


def test_the_house_has_no_circle_and_no_class_name_twice() -> None:
    found = figures()
    assert found["pipeline: rooms in a circle"] == found["components: rooms in a circle"] == 0
    assert duplicate_classes() == {}
