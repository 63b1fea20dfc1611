"""Score files as other people's code writes them: what is read, what is kept, what is refused."""

import csv
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from components.baselines.score_files import CaseOrder, ScoreTable, read_score_file
from components.baselines.scores import aligned
from components.records.errors import IntegrityError, SourceError
from tests.components.planting import locked
from tests.refusing import refused

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


def test_an_operating_point_that_only_python_reads_is_refused(tmp_path: Path) -> None:
    with refused(SourceError, "operating_point: ", "'0_5'"):
        read(tmp_path, b"case_id,score,operating_point\na,0.5,0_5\n")


def test_other_columns_are_named_and_ignored(tmp_path: Path) -> None:
    table = read(tmp_path, b"site,case_id,score,age\nx,a,0.5,7\n")
    assert table.ignored == ("age", "site") and table.scores.tolist() == [0.5]


@pytest.mark.parametrize("name", ["Label", " LABEL ", "label"])
def test_a_column_of_labels_is_known_in_any_case(tmp_path: Path, name: str) -> None:
    table = read(tmp_path, f"case_id,score,{name}\na,0.5,1\n".encode())
    assert table.labels is not None and table.labels.tolist() == [1] and table.ignored == ()
    columns = columns_of(tmp_path, {"case_id": ["a"], "score": [0.5], name.strip(): [1]})
    assert columns.labels is not None and columns.labels.tolist() == [1]


def test_an_operating_point_is_known_however_it_is_spaced(tmp_path: Path) -> None:
    assert read(tmp_path, b"case_id,score,Operating Point\na,0.5,0.4\n").operating_point == 0.4


@pytest.mark.parametrize("name", ["y_true", "Ground Truth", "labels", "threshold", "cut-off"])
def test_a_column_that_means_what_is_checked_is_not_ignored(tmp_path: Path, name: str) -> None:
    with refused(SourceError, name):
        read(tmp_path, f"case_id,score,{name}\na,0.5,1\n".encode())
    read(tmp_path, f"case_id,score,label,operating_point,{name}\na,0.5,1,0.5,1\n".encode())


def test_one_column_under_two_spellings_stands_twice(tmp_path: Path) -> None:
    with refused(SourceError, "'label' stands twice"):
        read(tmp_path, b"case_id,score,label,Label\na,0.5,1,0\n")


def test_a_file_of_no_case_is_left_for_the_gate_to_judge(tmp_path: Path) -> None:
    table = read(tmp_path, b"case_id,score,label\n")
    assert len(table.case_ids) == table.scores.size == 0


def test_a_score_keeps_its_last_bit(tmp_path: Path) -> None:
    score = np.nextafter(0.1, 1)
    assert read(tmp_path, f"case_id,score\na,{float(score)!r}\n".encode()).scores[0] == score


@pytest.mark.parametrize(
    "name, facts",
    [
        ("semicolons.csv", ["semicolons", "commas"]),
        ("tabs.csv", ["tabs"]),
        ("no_score_column.csv", ["'score'", "case_id, probability"]),
        ("misspelt_case_id.csv", ["'case_id'", "'Case_ID'"]),
        ("no_header.csv", ["'case_id'"]),
        ("score_twice.csv", ["'score'", "twice"]),
        ("text_as_score.csv", [":3: score: ", "'positive'"]),
        ("decimal_comma.csv", [":2: score: ", "'0,5'", "decimal point"]),
        ("row_too_long.csv", [":3: ", "got 3", "wanted 2"]),
        ("empty_case_id.csv", [":3: ", "case_id"]),
        ("unknown_label.csv", [":2: label: ", "'maybe'", "0 or 1"]),
        ("two_operating_points.csv", ["0.5 and 0.6"]),
        ("empty_operating_point.csv", ["operating_point: ", "got ''"]),
        ("nan_as_operating_point.csv", ["operating_point: ", "got 'nan'"]),
        ("open_quote.csv", [":2: ", "CSV"]),
        ("latin1.csv", ["UTF-8"]),
        ("utf16.csv", ["UTF-8"]),
        ("truncated.parquet", ["Parquet"]),
        ("absent.csv", ["No such file"]),
        ("scores.xlsx", ["'.xlsx'", ".csv or .parquet"]),
    ],
)
def test_a_broken_file_is_refused_in_one_line(name: str, facts: list[str]) -> None:
    with refused(SourceError, name, *facts):
        read_score_file(BROKEN / name)


@pytest.mark.parametrize("text", ["1_0", "0x1", "high", "0.5.1", "--"])
def test_what_is_no_number_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    with refused(SourceError, "scores.csv:3: score: "):
        read(tmp_path, f"case_id,score\na,0.5\nb,{text}\n".encode())


def columns_of(tmp_path: Path, columns: dict[str, Any], **settings: Any) -> ScoreTable:
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
    assert list(columns_of(tmp_path, {"case_id": ids, "score": [0.5, 0.25]}).case_ids) == [
        "ä",
        "b",
    ]


def test_ids_that_are_whole_numbers_are_read_as_text(tmp_path: Path) -> None:
    assert list(columns_of(tmp_path, {"case_id": [7, 12], "score": [0.5, 0.25]}).case_ids) == [
        "7",
        "12",
    ]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int8(), pa.uint64()])
def test_scores_are_read_as_any_kind_of_number(tmp_path: Path, kind: Any) -> None:
    table = columns_of(
        tmp_path, {"case_id": ["a", "b", "c"], "score": pa.array([1, None, 0], kind)}
    )
    assert table.scores[0] == 1 and math.isnan(table.scores[1]) and table.scores[2] == 0


def test_a_float32_score_keeps_its_exact_value(tmp_path: Path) -> None:
    score = np.float32(0.1)
    table = columns_of(tmp_path, {"case_id": ["a"], "score": pa.array([score], pa.float32())})
    assert table.scores[0] == float(score) != 0.1


def test_scores_that_are_all_missing_are_all_nan(tmp_path: Path) -> None:
    table = columns_of(tmp_path, {"case_id": ["a", "b"], "score": [None, None]})
    assert np.isnan(table.scores).all() and table.scores.size == 2


def test_many_row_groups_are_one_table(tmp_path: Path) -> None:
    ids = [f"case-{i}" for i in range(1000)]
    scores = [None if i % 7 == 0 else i / 1000 for i in range(1000)]
    table = columns_of(tmp_path, {"case_id": ids, "score": scores}, row_group_size=13)
    assert list(table.case_ids) == ids
    assert np.array_equal(table.scores, np.array(scores, float), equal_nan=True)


@pytest.mark.parametrize(
    "labels",
    [[True, False], [1, 0], [1.0, 0.0], ["1", "0"], ["positive", "negative"]],
)
def test_labels_are_read_as_any_kind_of_yes_and_no(tmp_path: Path, labels: list[Any]) -> None:
    table = columns_of(tmp_path, {"case_id": ["a", "b"], "score": [0.5, 0.5], "label": labels})
    assert table.labels is not None and table.labels.tolist() == [1, 0]


def test_an_operating_point_and_other_columns_are_told_apart(tmp_path: Path) -> None:
    columns = {"site": ["x", "y"], "case_id": ["a", "b"], "score": [0.5, 0.5]}
    table = columns_of(tmp_path, {**columns, "operating_point": [0.4, 0.4]})
    assert table.operating_point == 0.4 and table.ignored == ("site",)


@pytest.mark.parametrize(
    "changed, facts",
    [
        ({"case_id": ["a", None]}, ["row 2: ", "case_id"]),
        ({"case_id": [0.5, 1.5]}, ["'case_id'", "double"]),
        ({"score": ["0.5", "0.25"]}, ["'score'", "string"]),
        ({"score": [True, False]}, ["'score'", "bool"]),
        ({"label": [0, 2]}, ["row 2: label: ", "0 or 1"]),
        ({"label": [None, 1]}, ["row 1: label: ", "0 or 1"]),
        ({"label": [None, None]}, ["label", "null"]),
        ({"operating_point": [True, False]}, ["'operating_point'", "bool"]),
        ({"operating_point": [0.4, 0.5]}, ["0.4 and 0.5"]),
        ({"operating_point": [None, 0.5]}, ["operating_point: ", "'nan'"]),
    ],
)
def test_a_value_that_is_none_is_refused(
    tmp_path: Path, changed: dict[str, Any], facts: list[str]
) -> None:
    with refused(SourceError, "scores.parquet", *facts):
        columns_of(tmp_path, {"case_id": ["a", "b"], "score": [0.5, 0.5], **changed})


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    ids = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xe9")]
    )
    with refused(SourceError, "'case_id'", "UTF-8"):
        columns_of(tmp_path, {"case_id": ids, "score": [0.5]})


def test_a_missing_column_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with refused(SourceError, "'score'", "did you mean 'scores'"):
        columns_of(tmp_path, {"case_id": ["a"], "scores": [0.5]})


def test_six_of_the_columns_that_are_there_instead_are_named(tmp_path: Path) -> None:
    with refused(SourceError) as caught:
        columns_of(tmp_path, {name: ["1"] for name in "gfedcba"})
    assert str(caught.value).endswith("; found g, f, e, d, c, b, ...")
    with refused(SourceError) as caught:
        columns_of(tmp_path, {name: ["1"] for name in "fedcba"})
    assert str(caught.value).endswith("; found f, e, d, c, b, a")


def test_pandas_is_never_imported(tmp_path: Path) -> None:
    columns_of(tmp_path, {"case_id": ["a", "b"], "score": [0.5, None], "label": [1, 0]})
    program = (
        "import sys; from pathlib import Path; "
        "from components.baselines.score_files import read_score_file; "
        f"read_score_file(Path({str(tmp_path / 'scores.parquet')!r})); "
        "print([name for name in ('pandas', 'scipy', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


CASES = locked(4, 4)
IDS = [case.case_id for case in CASES.cases]
ORDER = CaseOrder(CASES)


def table(places: list[int], *, labels: list[int] | None = None) -> ScoreTable:
    """The cases at these places, each scored a tenth of its place."""
    return ScoreTable(
        case_ids=[IDS[i] for i in places],
        scores=np.array(places) / 10,
        labels=None if labels is None else np.array(labels, np.int8),
        operating_point=None,
        ignored=(),
    )


def test_the_order_of_the_rows_makes_no_difference() -> None:
    ordered = ORDER.scores(table(list(range(8))), 0.5, where="x")
    shuffled = ORDER.scores(table([3, 7, 0, 1, 6, 5, 2, 4]), 0.5, where="x")
    assert shuffled.scores.tolist() == ordered.scores.tolist() == [i / 10 for i in range(8)]
    assert shuffled.model_sha256 == ordered.model_sha256
    assert shuffled.scores_sha256 == ordered.scores_sha256


@pytest.mark.parametrize("places", [[0, 1, 2], [0, 0, *range(1, 8)], [0, 0, *range(2, 8)]])
def test_missing_and_repeated_cases_are_left_for_the_gate_to_find(places: list[int]) -> None:
    scores = ORDER.scores(table(places), 0.5, where="x")
    backwards = ORDER.scores(table(places[::-1]), 0.5, where="x")
    assert scores.scores_sha256 == backwards.scores_sha256
    with pytest.raises(IntegrityError):
        aligned(scores, CASES)


def test_a_case_scored_twice_gives_one_hash_whichever_score_comes_first() -> None:
    twice = replace(table([0, 0]), scores=np.array([0.1, np.nan]))
    other = replace(twice, scores=twice.scores[::-1])
    first, second = (ORDER.scores(one, 0.5, where="x") for one in (twice, other))
    assert first.scores_sha256 == second.scores_sha256


def test_the_stand_in_for_the_model_is_a_hash_of_what_it_said() -> None:
    rows = table(list(range(8)))
    hashes = {
        ORDER.scores(rows, 0.5, where="x").model_sha256,
        ORDER.scores(rows, 0.4, where="x").model_sha256,
        ORDER.scores(replace(rows, scores=rows.scores + 1), 0.5, where="x").model_sha256,
        ORDER.scores(table(list(range(7))), 0.5, where="x").model_sha256,
        CaseOrder(locked(3, 5)).scores(rows, 0.5, where="x").model_sha256,
    }
    assert len(hashes) == 5
    assert ORDER.scores(rows, 0.5, where="y").model_sha256 in hashes


def test_labels_that_agree_are_taken_in_any_order() -> None:
    ORDER.scores(table([7, 0], labels=[0, 1]), 0.5, where="x")


def test_the_first_labels_that_differ_are_named() -> None:
    wrong = table([7, 0, 1, 2, 3, 4], labels=[1, 0, 0, 0, 1, 0])
    named = "4 (case-0000, case-0001, case-0002, ...)"
    with refused(IntegrityError, "champion.csv: ", "labels", "planted version 1", named):
        ORDER.scores(wrong, 0.5, where="champion.csv")


def test_no_label_differs_from_those_of_a_case_set_of_no_case() -> None:
    rows = table([0, 1], labels=[1, 0])
    found = CaseOrder(replace(CASES, cases=())).scores(rows, 0.5, where="x")
    assert found.case_ids == (IDS[0], IDS[1])
