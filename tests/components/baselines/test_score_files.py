"""Score files as other people's code writes them: what is read, what is kept, what is refused."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from components.baselines.score_files import read_score_file
from components.baselines.score_table import ScoreTable
from components.records.errors import SourceError

BROKEN = Path(__file__).parents[2] / "broken" / "scores"


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    return path


def read(tmp_path: Path, content: bytes) -> ScoreTable:
    return read_score_file(written(tmp_path, content))


def test_a_plain_file_is_read_in_the_order_of_its_rows(tmp_path: Path) -> None:
    table = read(tmp_path, b"case_id,score\nb,0.25\na,0.1\n")
    assert list(table.case_ids) == ["b", "a"] and table.scores.tolist() == [0.25, 0.1]
    assert table.labels is None and table.operating_point is None and table.ignored == ()


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfcase_id,score\na,0.5\nb,0.25\n",
        b"case_id,score\r\na,0.5\r\nb,0.25\r\n",
        b'"case_id","score"\n"a","0.5"\n"b","0.25"\n',
        b"case_id, score\na, 0.5\nb, 0.25",
        b"score,case_id\n0.5,a\n0.25,b\n",
        b"case_id,score\n\na,0.5\n\nb,0.25\n\n",
        b"case_id,score\na,+5E-1\nb,.25\n",
    ],
    ids=["bom", "crlf", "quoted", "spaces", "other order", "empty lines", "spellings"],
)
def test_the_same_table_is_read_however_it_is_spelled(tmp_path: Path, content: bytes) -> None:
    table = read(tmp_path, content)
    assert list(table.case_ids) == ["a", "b"] and table.scores.tolist() == [0.5, 0.25]


def test_an_id_may_hold_whatever_can_be_quoted(tmp_path: Path) -> None:
    ids = ["a,b", 'say "c"', "two\nlines", " spaced ", "Größe 漢"]
    path = tmp_path / "scores.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["case_id", "score"], *([name, 0.5] for name in ids)])
    assert list(read_score_file(path).case_ids) == ids


@pytest.mark.parametrize("text", ["", "  ", "nan", "NaN", "NA", "null", "NULL", "-nan"])
def test_a_score_that_is_not_there_is_kept_as_nan(tmp_path: Path, text: str) -> None:
    table = read(tmp_path, f"case_id,score\na,{text}\nb,0.5\n".encode())
    assert math.isnan(table.scores[0]) and table.scores[1] == 0.5


@pytest.mark.parametrize("text", ["inf", "-Infinity", "1e999"])
def test_an_infinite_score_is_kept(tmp_path: Path, text: str) -> None:
    assert math.isinf(read(tmp_path, f"case_id,score\na,{text}\n".encode()).scores[0])


@pytest.mark.parametrize(
    "text, label",
    [("0", 0), ("1", 1), ("1.0", 1), ("Positive", 1), ("negative", 0), ("True", 1), ("false", 0)],
)
def test_labels_are_read_as_people_write_them(tmp_path: Path, text: str, label: int) -> None:
    table = read(tmp_path, f"case_id,score,label\na,0.5,{text}\n".encode())
    assert table.labels is not None and table.labels.tolist() == [label]


def test_an_operating_point_in_every_row_is_the_model_s(tmp_path: Path) -> None:
    table = read(tmp_path, b"case_id,score,operating_point\na,0.5,0.40\nb,0.5,0.4\n")
    assert table.operating_point == 0.4


def test_other_columns_are_named_and_ignored(tmp_path: Path) -> None:
    table = read(tmp_path, b"site,case_id,score,age\nx,a,0.5,7\n")
    assert table.ignored == ("age", "site") and table.scores.tolist() == [0.5]


def test_a_file_of_no_case_is_left_for_the_gate_to_judge(tmp_path: Path) -> None:
    table = read(tmp_path, b"case_id,score,label\n")
    assert len(table.case_ids) == table.scores.size == 0


def test_a_score_keeps_its_last_bit(tmp_path: Path) -> None:
    score = np.nextafter(0.1, 1)
    assert read(tmp_path, f"case_id,score\na,{score!r}\n".encode()).scores[0] == score


@pytest.mark.parametrize(
    "name, words",
    [
        ("semicolons.csv", ["separated by semicolons", "wanted commas"]),
        ("tabs.csv", ["separated by tabs"]),
        ("no_score_column.csv", ["column 'score' is missing", "found case_id, probability"]),
        ("misspelt_case_id.csv", ["column 'case_id' is missing", "did you mean 'Case_ID'?"]),
        ("no_header.csv", ["column 'case_id' is missing"]),
        ("score_twice.csv", ["column 'score' stands twice"]),
        ("text_as_score.csv", [":3: score: got 'positive', wanted a number"]),
        ("decimal_comma.csv", [":2: score: got '0,5'", "decimal points"]),
        ("row_too_long.csv", [":3: got 3 fields, wanted 2"]),
        ("empty_case_id.csv", [":3: got no case_id"]),
        ("unknown_label.csv", [":2: label: got 'maybe', wanted 0 or 1"]),
        ("two_operating_points.csv", ["got 0.5 and 0.6, wanted the same"]),
        ("empty_operating_point.csv", ["operating_point: got '', wanted a number"]),
        ("nan_as_operating_point.csv", ["operating_point: got 'nan', wanted a number"]),
        ("open_quote.csv", [":2: not valid CSV"]),
        ("latin1.csv", ["not UTF-8 text"]),
        ("utf16.csv", ["not UTF-8 text"]),
        ("truncated.parquet", ["not a Parquet file"]),
        ("absent.csv", ["cannot be read: No such file"]),
        ("scores.xlsx", ["got '.xlsx', wanted a .csv or .parquet"]),
    ],
)
def test_a_broken_file_is_refused_in_one_line(name: str, words: list[str]) -> None:
    with pytest.raises(SourceError) as refused:
        read_score_file(BROKEN / name)
    message = str(refused.value)
    assert "\n" not in message and name in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize("text", ["1_0", "0x1", "high", "0.5.1", "--"])
def test_what_is_no_number_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"scores\.csv:3: score: got"):
        read(tmp_path, f"case_id,score\na,0.5\nb,{text}\n".encode())
