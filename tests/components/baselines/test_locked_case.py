import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.baselines.locked_case import LockedCase, RowReader
from components.records.errors import IntegrityError
from components.records.files import canonical_json
from tests.components.planting import locked, sha
from tests.refusing import refused

CASE = locked(1, 1).cases[0]
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1)


@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT), st.booleans())
def test_a_case_is_spelled_as_canonical_json_spells_it(
    case_id: str, patient_id: str, attributes: dict[str, str], sentinel: bool
) -> None:
    case = LockedCase(case_id, patient_id, 1, sha("b"), sha("p"), attributes, sentinel)
    line = case.line()
    assert line == canonical_json(asdict(case))
    assert RowReader().case(json.loads(line)) == case


def test_half_a_surrogate_pair_is_an_error_of_one_line() -> None:
    with refused(IntegrityError, r"'a\ud800'", "Unicode"):
        LockedCase("a\ud800", "p", 1, sha("b"), sha("p")).line()


@pytest.mark.parametrize(
    "key, value",
    [
        ("case_id", ""),
        ("case_id", 7),
        ("patient_id", ""),
        ("label", 2),
        ("label", -1),
        ("label", True),
        ("label", 1.0),
        ("sentinel", 0),
        ("sentinel", None),
        ("bytes_sha256", sha("b").upper()),
        ("bytes_sha256", sha("b") + "\n"),
        ("pixels_sha256", sha("p")[:-1]),
        ("attributes", {"device": 1}),
        ("attributes", []),
        ("extra", "x"),
    ],
)
def test_a_row_of_another_shape_is_no_case(key: str, value: object) -> None:
    row = asdict(CASE)
    assert RowReader().case(row) == CASE
    assert RowReader().case({**row, key: value}) is None


@pytest.mark.parametrize("key", sorted(asdict(CASE)))
def test_a_row_that_lacks_a_key_is_no_case(key: str) -> None:
    row = asdict(CASE)
    del row[key]
    assert RowReader().case(row) is None


@pytest.mark.parametrize("row", [None, [], "case", 1])
def test_what_is_no_object_is_no_case(row: object) -> None:
    assert RowReader().case(row) is None


def test_equal_attributes_are_kept_once() -> None:
    reader = RowReader()
    rows = [{**asdict(CASE), "case_id": name, "attributes": {"device": "Aster"}} for name in "ab"]
    first, second = (reader.case(row) for row in rows)
    assert first and second and first.attributes is second.attributes
