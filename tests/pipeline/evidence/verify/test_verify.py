"""Rows of ML Metadata against what was recorded."""

import pytest

from pipeline.evidence.verify.verify import _same


@pytest.mark.parametrize(
    ("recorded", "found", "same"),
    [
        (-0.095436, -0.09543599999999999, True),  # as SQLite read "-0.095436" once
        (-0.095436, -0.095437, False),
        (0.0, 0.000001, False),
        (0.9, None, False),
        (None, None, True),
        ("0.9", 0.9, False),
        (1, 2, False),
    ],
)
def test_a_number_may_be_off_by_its_last_bit_and_no_more(recorded, found, same: bool) -> None:
    assert _same(recorded, found) is same
