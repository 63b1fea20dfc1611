import io
import json

import pytest

from components.records.rows import OtherLayout, json_with_lines, json_with_rows, split_lines

LAID_OUT = json_with_rows({"name": "Größe"}, "cases", [{"b": 1, "a": "\n"}, {"c": 2}])


def test_each_row_is_a_line_and_the_whole_is_json() -> None:
    assert b'\n{"a":"\\n","b":1},\n{"c":2}\n]\n' in LAID_OUT
    assert json.loads(LAID_OUT) == {"name": "Größe", "cases": [{"b": 1, "a": "\n"}, {"c": 2}]}


def test_lines_that_are_canonical_already_are_laid_out_the_same() -> None:
    assert (
        json_with_lines({"name": "Größe"}, "cases", [b'{"a":"\\n","b":1}', b'{"c":2}']) == LAID_OUT
    )


def test_splitting_gives_the_head_and_the_lines_back() -> None:
    head, lines = split_lines(io.BytesIO(LAID_OUT), "cases")
    assert json.loads(head) == {"name": "Größe", "cases": []}
    assert list(lines) == [b'{"a":"\\n","b":1}', b'{"c":2}']


@pytest.mark.parametrize(
    "content",
    [
        b"",
        LAID_OUT[:-1],
        LAID_OUT + b"\n",
        LAID_OUT.replace(b",\n{", b", \n{"),
        LAID_OUT.replace(b'"cases": [', b'"cases":['),
        LAID_OUT[: LAID_OUT.index(b'{"c"')],
        json.dumps(json.loads(LAID_OUT), indent=2).encode(),
    ],
)
def test_any_other_layout_is_not_split(content: bytes) -> None:
    with pytest.raises(OtherLayout):
        list(split_lines(io.BytesIO(content), "cases")[1])
