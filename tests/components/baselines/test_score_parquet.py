"""Scores from Parquet: every type that other people's code writes, and no import of pandas."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from components.baselines.score_files import read_score_file
from components.baselines.score_table import ScoreTable
from components.records.errors import SourceError


def read(tmp_path: Path, columns: dict[str, Any], **settings: Any) -> ScoreTable:
    path = tmp_path / "scores.parquet"
    parquet.write_table(pa.table(columns), path, **settings)
    return read_score_file(path)


@pytest.mark.parametrize(
    "ids",
    [
        pa.array(["ä", "", "b"][::2]),
        pa.array(["ä", "b"], pa.large_string()),
        pa.array(["ä", "b"]).dictionary_encode(),
    ],
    ids=["string", "large_string", "dictionary"],
)
def test_ids_are_read_as_any_kind_of_text(tmp_path: Path, ids: Any) -> None:
    assert list(read(tmp_path, {"case_id": ids, "score": [0.5, 0.25]}).case_ids) == ["ä", "b"]


def test_ids_that_are_whole_numbers_are_read_as_text(tmp_path: Path) -> None:
    assert list(read(tmp_path, {"case_id": [7, 12], "score": [0.5, 0.25]}).case_ids) == ["7", "12"]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int8(), pa.uint64()])
def test_scores_are_read_as_any_kind_of_number(tmp_path: Path, kind: Any) -> None:
    table = read(tmp_path, {"case_id": ["a", "b", "c"], "score": pa.array([1, None, 0], kind)})
    assert table.scores[0] == 1 and math.isnan(table.scores[1]) and table.scores[2] == 0


def test_a_float32_score_keeps_its_exact_value(tmp_path: Path) -> None:
    score = np.float32(0.1)
    table = read(tmp_path, {"case_id": ["a"], "score": pa.array([score], pa.float32())})
    assert table.scores[0] == float(score) != 0.1


def test_scores_that_are_all_missing_are_all_nan(tmp_path: Path) -> None:
    table = read(tmp_path, {"case_id": ["a", "b"], "score": [None, None]})
    assert np.isnan(table.scores).all() and table.scores.size == 2


def test_many_row_groups_are_one_table(tmp_path: Path) -> None:
    ids = [f"case-{i}" for i in range(1000)]
    scores = [None if i % 7 == 0 else i / 1000 for i in range(1000)]
    table = read(tmp_path, {"case_id": ids, "score": scores}, row_group_size=13)
    assert list(table.case_ids) == ids
    assert np.array_equal(table.scores, np.array(scores, float), equal_nan=True)


@pytest.mark.parametrize(
    "labels",
    [[True, False], [1, 0], [1.0, 0.0], ["1", "0"], ["positive", "negative"]],
)
def test_labels_are_read_as_any_kind_of_yes_and_no(tmp_path: Path, labels: list[Any]) -> None:
    table = read(tmp_path, {"case_id": ["a", "b"], "score": [0.5, 0.5], "label": labels})
    assert table.labels is not None and table.labels.tolist() == [1, 0]


def test_an_operating_point_and_other_columns_are_told_apart(tmp_path: Path) -> None:
    columns = {"site": ["x", "y"], "case_id": ["a", "b"], "score": [0.5, 0.5]}
    table = read(tmp_path, {**columns, "operating_point": [0.4, 0.4]})
    assert table.operating_point == 0.4 and table.ignored == ("site",)


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"case_id": ["a", None]}, "row 2: got no case_id"),
        ({"case_id": [0.5, 1.5]}, "column 'case_id': got double, wanted text"),
        ({"score": ["0.5", "0.25"]}, "got a column of string for the scores, wanted numbers"),
        ({"score": [True, False]}, "got a column of bool for the scores, wanted numbers"),
        ({"label": [0, 2]}, "row 2: label: wanted 0 or 1"),
        ({"label": [None, 1]}, "row 1: label: wanted 0 or 1"),
        ({"operating_point": [0.4, 0.5]}, "got 0.4 and 0.5, wanted the same in every row"),
        ({"operating_point": [None, 0.5]}, "operating_point: got 'nan', wanted a number"),
    ],
)
def test_a_value_that_is_none_is_refused(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(SourceError) as refused:
        read(tmp_path, {"case_id": ["a", "b"], "score": [0.5, 0.5], **changed})
    assert words in str(refused.value) and "scores.parquet" in str(refused.value)


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    ids = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xe9")]
    )
    with pytest.raises(SourceError, match="column 'case_id': not UTF-8 text"):
        read(tmp_path, {"case_id": ids, "score": [0.5]})


def test_a_missing_column_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="column 'score' is missing; did you mean 'scores'"):
        read(tmp_path, {"case_id": ["a"], "scores": [0.5]})


def test_pandas_is_never_imported(tmp_path: Path) -> None:
    read(tmp_path, {"case_id": ["a", "b"], "score": [0.5, None], "label": [1, 0]})
    program = (
        "import sys; from pathlib import Path; "
        "from components.baselines.score_files import read_score_file; "
        f"read_score_file(Path({str(tmp_path / 'scores.parquet')!r})); "
        "print([name for name in ('pandas', 'scipy', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
