"""A line is read by hand; what it takes and refuses is what schemas/prediction.json says."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.drift.log_files import KEYS, LogFile, read_line, read_lines
from components.records.errors import SourceError
from components.records.schema import check_document
from tests.refusing import refused

LATEST = 1_800_000_000_000
SOUND: dict[str, Any] = {
    "at": "2026-01-31T10:15:00Z",
    "case_id": "a",
    "model_version": 3,
    "score": 0.25,
}
LABEL = {"at": "2026-01-31T10:15:00Z", "case_id": "a", "label": 1}

GOOD = [
    SOUND,
    LABEL,
    {**LABEL, "patient_id": "p", "note": "x"},
    {**SOUND, "score": 0},
    {**SOUND, "score": 1},
    {**SOUND, "model_sha256": "ab" * 32, "positive": False, "label": 0},
    {**SOUND, "quality": {"mean": 1, "width": None}, "attributes": {"device": "", "site": None}},
    {**SOUND, "image": "a/b.png", "pixels_sha256": "ab" * 32, "patient_id": "p", "more": [1]},
    {**SOUND, "at": "2026-01-31T10:15:00.123456+02:00"},
    {"at": SOUND["at"], "case_id": "a", "score": 0.5, "model_sha256": "ab" * 32},
]

BAD = [
    ({**SOUND, "score": 1.0001}, "score: got 1.0001, wanted a number from 0 to 1"),
    ({**SOUND, "score": -1e-9}, "score: got -1e-09"),
    ({**SOUND, "score": None}, "score: got null"),
    ({**SOUND, "score": True}, "score: got true"),
    ({**SOUND, "score": "0.5"}, 'score: got "0.5"'),
    ({**SOUND, "case_id": ""}, 'case_id: got "", wanted text of 1 to 500 characters'),
    ({**SOUND, "case_id": 7}, "case_id: got 7"),
    ({**SOUND, "case_id": "x" * 501}, 'case_id: got "xxx'),
    ({"at": SOUND["at"], "model_version": 3, "score": 0.5}, "case_id: got nothing"),
    ({**SOUND, "at": "2026-01-31T10:15:00"}, "wanted a time such as"),
    ({**SOUND, "at": "2026-01-31"}, "wanted a time such as"),
    ({**SOUND, "at": 1769854500}, "at: got 1769854500, wanted a time"),
    ({"case_id": "a", "model_version": 3, "score": 0.5}, "at: got null, wanted a time"),
    ({"at": SOUND["at"], "case_id": "a", "score": 0.5}, "names no model"),
    ({**SOUND, "model_version": 0}, "model_version: got 0"),
    ({**SOUND, "model_version": "3"}, 'model_version: got "3"'),
    ({**SOUND, "model_version": None}, "names no model"),
    ({**SOUND, "model_sha256": "AB" * 32}, "wanted 64 hex digits"),
    ({**SOUND, "positive": 1}, "positive: got 1, wanted true or false"),
    ({**SOUND, "label": 2}, "label: got 2, wanted 0 or 1"),
    ({**SOUND, "label": True}, "label: got true"),
    ({**SOUND, "label": None}, "label: got null"),
    ({**LABEL, "positive": True}, "key 'score' is missing"),
    ({**LABEL, "scroe": 0.5, "model_version": 3}, "key 'score' is missing"),
    ({"at": SOUND["at"], "case_id": "a"}, "key 'score' is missing"),
    ({**SOUND, "quality": {"mean": "0.5"}}, 'quality."mean": got "0.5", wanted a number'),
    ({**SOUND, "quality": {"mean": True}}, 'quality."mean": got true'),
    ({**SOUND, "quality": [1]}, "quality: got [1], wanted names with values"),
    ({**SOUND, "quality": None}, "quality: got null"),
    ({**SOUND, "attributes": {"device": 7}}, 'attributes."device": got 7, wanted text'),
    ({**SOUND, "attributes": {"device": "x" * 501}}, 'attributes."device": got "xxx'),
    ({**SOUND, "image": "data:image/png;base64,AAAA"}, "wanted the path of a file"),
    ({**SOUND, "image": ""}, "wanted the path of a file"),
    ({**SOUND, "patient_id": 7}, "patient_id: got 7"),
    ({**SOUND, "pixels_sha256": "x"}, "wanted 64 hex digits"),
    ([], "got no JSON object"),
    ("text", "got no JSON object"),
]


def schema_accepts(document: Any) -> bool:
    try:
        check_document(document, "prediction", locate=lambda path: "line", error=SourceError)
    except SourceError:
        return False
    return True


@pytest.mark.parametrize("document", GOOD, ids=str)
def test_what_the_schema_allows_is_read(document: dict[str, Any]) -> None:
    line = read_line(json.dumps(document).encode(), latest_ms=LATEST)
    assert line.case_id == "a" and line.score == document.get("score")
    assert schema_accepts(document)


@pytest.mark.parametrize(("document", "words"), BAD, ids=lambda value: str(value)[:60])
def test_what_the_schema_forbids_is_refused_in_words(document: Any, words: str) -> None:
    with pytest.raises(ValueError) as fault:
        read_line(json.dumps(document).encode(), latest_ms=LATEST)
    assert words in str(fault.value) and "\n" not in str(fault.value)
    assert not schema_accepts(document)


@pytest.mark.parametrize(
    "content",
    [
        b'{"score": NaN}',
        b'{"score": Infinity}',
        b"\xff\xfe",
        b'{"at": "2026-01-31T10:15:00Z"',
        b"",
        b'{"at": "2026-01-31T10:15:00Z"}{"at": "2026-01-31T10:15:00Z"}',
        b"[" * 2000,
    ],
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        read_line(content, latest_ms=LATEST)


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"123456789012345678901234567890e300"])
def test_a_number_too_large_for_a_double_is_no_score_and_no_feature(number: bytes) -> None:
    for key in (b'"score": %s', b'"score": 0.5, "quality": {"mean": %s}'):
        line = b'{"at": "2026-01-31T10:15:00Z", "case_id": "a", "model_version": 3, '
        with pytest.raises(ValueError, match="not JSON|wanted a number"):
            read_line(line + key % number + b"}", latest_ms=LATEST)


@pytest.mark.parametrize("at", ["2026-02-30T00:00:00Z", "2026-01-31T25:00:00Z"])
def test_a_time_that_no_calendar_has_is_refused(at: str) -> None:
    with pytest.raises(ValueError, match="which is no time"):
        read_line(json.dumps({**SOUND, "at": at}).encode(), latest_ms=LATEST)


def test_a_time_that_has_not_come_is_refused_and_the_latest_is_not() -> None:
    content = json.dumps(SOUND).encode()
    at = read_line(content, latest_ms=LATEST).at_ms
    assert read_line(content, latest_ms=at).at_ms == at
    with pytest.raises(ValueError, match="which has not come yet"):
        read_line(content, latest_ms=at - 1)


def test_the_schema_and_the_reader_know_the_same_keys() -> None:
    from components.records.schema import SCHEMAS

    schema = json.loads((SCHEMAS / "prediction.json").read_text("utf-8"))
    assert set(schema["$defs"]["prediction"]["properties"]) == KEYS


def test_a_reason_never_repeats_a_long_or_unprintable_value() -> None:
    with pytest.raises(ValueError) as fault:
        read_line(json.dumps({**SOUND, "score": "\u202e\n" * 5000}).encode(), latest_ms=LATEST)
    assert len(str(fault.value)) < 200 and "\n" not in str(fault.value)


LINE = b'{"at":"2026-01-31T10:15:00Z","case_id":"a","label":1}\n'


def test_a_byte_order_mark_begins_the_file_and_not_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + LINE + LINE)
    assert [line for _, line in read_lines(path, LogFile("a"))] == [LINE, LINE]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_log_in_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(("\ufeff" * encoding.endswith("be") + LINE.decode()).encode(encoding))
    with refused(SourceError, path, "UTF-16"):
        list(read_lines(path, LogFile("a")))
