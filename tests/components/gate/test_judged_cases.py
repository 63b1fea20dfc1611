import numpy as np
import pytest

from components.baselines.case_set import lock_cases
from components.gate.judged_cases import JudgedCases
from tests.components.planting import seen_case

PLACES = [("Aster", "north"), ("Aster", "south"), ("Boreal", "north"), ("Boreal", "south")]
CASES = JudgedCases(
    lock_cases(
        [seen_case(i, 1, device=device, site=site) for i, (device, site) in enumerate(PLACES)],
        name="planted", author="A", reason="test", date="2025-03-31", source="planted",
    )
)  # fmt: skip


@pytest.mark.parametrize(
    "piece, places",
    [
        ({}, [0, 1, 2, 3]),
        ({"site": "south"}, [1, 3]),
        ({"site": "south", "device": "Aster"}, [1]),
        ({"device": "Cirrus"}, []),
        ({"colour": "red"}, []),
    ],
)
def test_a_slice_is_the_cases_with_every_one_of_its_values(
    piece: dict[str, str], places: list[int]
) -> None:
    assert np.flatnonzero(CASES.mask(piece)).tolist() == places


def test_a_slice_that_all_rules_share_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        CASES.mask({"device": "Aster"})[0] = False
