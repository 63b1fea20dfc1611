import csv
import io
import json
from pathlib import Path

import pytest

from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.show_answer import as_csv, as_json, as_text, facts_by_section
from tests.foreign import answer as told_by
from tests.foreign import needs

NASTY = '=HYPERLINK("http://x")'


def answer() -> Answer:
    rows = ((NASTY, -0.5, None), ('line\nbreak, "quoted"; 日本', 3, True))
    return Answer(
        question="what is it",
        facts={"plain": "value", "section: one": None, "section: two": False},
        tables=(
            Table("first", "The first", ("name", "number", "flag"), rows),
            Table("second", "The second", ("x",), (("[bold]markup[/bold]",),)),
        ),
        notes=("A remark.",),
        evidence=("ledger.jsonl: 3 entries",),
        exit_code=4,
    )


def test_json_is_the_whole_answer() -> None:
    read = json.loads(as_json(answer()))
    assert read == answer().as_json()
    assert read["tables"]["first"][0] == {"name": NASTY, "number": -0.5, "flag": None}


def test_csv_is_the_first_table_and_reads_back() -> None:
    head, *rows = list(csv.reader(io.StringIO(as_csv(answer()))))
    assert head == ["name", "number", "flag"] and len(rows) == 2
    assert rows[1][0] == 'line\nbreak, "quoted"; 日本'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@x", "\t=1", "\r=1"])
def test_no_spreadsheet_takes_text_for_a_formula(text: str) -> None:
    table = Table("t", "T", ("a",), ((text,),))
    _, (cell,) = list(csv.reader(io.StringIO(as_csv(Answer("q", tables=(table,))))))
    assert cell[0] not in "=+-@\t\r"


def test_a_negative_number_stays_a_number() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(answer()))))
    assert rows[1][1] == "-0.5"


def test_facts_are_csv_where_there_is_no_table() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(Answer("q", {"a": 1, "b": None})))))
    assert ["a", "1"] in rows


def test_text_shows_all_and_reads_no_markup() -> None:
    text = as_text(answer(), width=100)
    for words in ("what is it", "not known", "A remark.", "[bold]markup[/bold]", "3 entries"):
        assert words in text
    assert "\x1b" not in text


def test_what_does_not_print_is_never_sent_to_a_terminal() -> None:
    table = Table("t", "T", ("a",), (("\x1b[31mred\u202e",),))
    text = as_text(Answer("q", {"f": "\x1b]0;title\x07"}, (table,)))
    assert "\x1b" not in text and "\u202e" not in text and "\x07" not in text


def test_sqlite_imports_a_csv_with_every_cell_as_it_is(tmp_path: Path) -> None:
    sqlite3 = needs("sqlite3", "Debian's sqlite3")
    path = tmp_path / "answer.csv"
    path.write_bytes(as_csv(answer()).encode())
    command = [sqlite3, "-json", ":memory:", f".import --csv {path} t", "SELECT * FROM t"]
    first, second = json.loads(told_by(*command))
    assert first == {"name": f"'{NASTY}", "number": "-0.5", "flag": ""}
    assert second == {"name": 'line\nbreak, "quoted"; 日本', "number": "3", "flag": "true"}


def test_facts_stand_under_their_section() -> None:
    found = facts_by_section({"code: commit": "a", "run": "b", "code: author": "c"})
    assert found == [("", {"run": "b"}), ("code", {"commit": "a", "author": "c"})]
