from collections.abc import Callable
from dataclasses import replace

import pytest

from components.baselines.case_set import SeenCase
from components.baselines.verify import verify_cases
from components.records.errors import IntegrityError
from tests.components.planting import locked, seen_case, sha

SEEN = [seen_case(i, int(i < 5)) for i in range(12)]


def test_the_locked_cases_in_any_order_pass() -> None:
    verify_cases(locked(5, 7), SEEN[::-1])


def test_reencoded_without_loss_passes() -> None:
    verify_cases(locked(5, 7), [replace(case, bytes_sha256=sha("re-encoded")) for case in SEEN])


@pytest.mark.parametrize(
    "fault, seen",
    [
        ("missing: 1 \\(case-0003\\)", SEEN[:3] + SEEN[4:]),
        ("additional: 1 \\(case-0099\\)", [*SEEN, seen_case(99, 1)]),
        ("duplicated: 1 \\(case-0003\\)", [*SEEN, SEEN[3]]),
        ("missing: 12 \\(case-0000, case-0001, case-0002, ...\\)", []),
    ],
)
def test_other_cases_are_named(fault: str, seen: list[SeenCase]) -> None:
    with pytest.raises(IntegrityError, match=fault):
        verify_cases(locked(5, 7), seen)


@pytest.mark.parametrize(
    "fault, change",
    [
        ("relabelled", lambda case: replace(case, label=1 - case.label)),
        ("altered pixels", lambda case: replace(case, bytes_sha256="0", pixels_sha256="0")),
        ("other attributes", lambda case: replace(case, attributes={"device": "Cirrus"})),
        ("other attributes", lambda case: replace(case, attributes={})),
        ("other patient", lambda case: replace(case, patient_id="someone")),
    ],
)
def test_a_changed_case_is_named(fault: str, change: Callable[[SeenCase], SeenCase]) -> None:
    with pytest.raises(IntegrityError, match=f"{fault}: 1 \\(case-0003\\)"):
        verify_cases(locked(5, 7), [*SEEN[:3], change(SEEN[3]), *SEEN[4:]])
