from pathlib import Path
from typing import Any

import numpy as np

from components.records.errors import IntegrityError
from components.scoring.reference import write_reference
from tests.refusing import refused

ROWS: list[dict[str, Any]] = [
    {
        "case_id": "b",
        "patient_id": "p2",
        "label": 1,
        "numbers": {"mean": 0.4},
        "words": {"device": "Aster", "site": "Nord"},
    },
    {
        "case_id": "a",
        "patient_id": "p1",
        "label": 0,
        "numbers": {},
        "words": {"device": "Boreal"},
    },
]


def written(folder: Path) -> dict[str, Any]:
    path = folder / "reference.npz"
    count = write_reference(path, ROWS, scores={"a": 0.2, "b": 0.5}, operating_point=0.5)
    assert count == 2
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_columns_are_in_the_order_of_the_rows_and_scores_find_their_case(tmp_path: Path) -> None:
    columns = written(tmp_path)
    assert columns["case_ids"].tolist() == ["b", "a"]
    assert columns["patient_ids"].tolist() == ["p2", "p1"]
    assert columns["scores"].tolist() == [0.5, 0.2]
    assert columns["positive"].tolist() == [True, False]  # at the operating point is positive
    assert columns["labels"].tolist() == [1, 0]
    assert columns["operating_point"] == 0.5


def test_what_a_case_does_not_say_is_unknown_and_never_a_value(tmp_path: Path) -> None:
    columns = written(tmp_path)
    assert columns["word_site"].tolist() == ["Nord", ""]
    assert columns["number_mean"][0] == 0.4 and np.isnan(columns["number_mean"][1])


def test_of_no_case_the_columns_are_of_the_same_kinds(tmp_path: Path) -> None:
    assert write_reference(tmp_path / "r.npz", [], scores={}, operating_point=0.5) == 0
    with np.load(tmp_path / "r.npz", allow_pickle=False) as file:
        kinds = {name: file[name].dtype.kind for name in file.files if file[name].shape == (0,)}
    texts = {"case_ids": "U", "patient_ids": "U"}
    assert kinds == {**texts, "labels": "i", "scores": "f", "positive": "b"}


def test_a_case_without_a_score_is_refused(tmp_path: Path) -> None:
    with refused(IntegrityError, "'a'"):
        write_reference(tmp_path / "r.npz", ROWS, scores={"b": 0.5}, operating_point=0.5)
    assert list(tmp_path.iterdir()) == []


def test_the_same_columns_are_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    written(tmp_path / "one")
    written(tmp_path / "two")
    one, two = ((tmp_path / name / "reference.npz").read_bytes() for name in ("one", "two"))
    assert one == two
