import json

import pytest

from components.feedback.opinion import LABELS, ROLES, SOURCES, fault_in, line_of, parse_line
from components.records.errors import ConfigError
from components.records.schema import SCHEMAS, parse_json
from tests.components.feedback.making import opinion


@pytest.mark.parametrize("score", [0, 0.1, 1e-7, 1 / 3, 5e-324, 1])
def test_a_line_reads_back_as_the_opinion_it_was_made_of(score: float) -> None:
    made = opinion(score=score, note="ß \u2028 '\"")
    line = line_of(made)
    assert parse_line(line) == made and fault_in(made, line) is None
    parse_json(line.decode(), "feedback", where="line")


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "maybe"},
        {"role": "king"},
        {"by": ""},
        {"by": "x" * 101},
        {"case_id": ""},
        {"score": 1.01},
        {"score": float("nan")},
        {"note": "x" * 2001},
        {"note": ""},
        {"nonce": "short"},
        {"pixels_sha256": "ab"},
        {"at": "yesterday"},
        {"by": "half \ud800 pair"},
    ],
)
def test_what_breaks_the_contract_is_never_made(wrong: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError):
        opinion(**wrong)


def test_words_in_code_and_schema_are_the_same() -> None:
    said = json.loads((SCHEMAS / "feedback.json").read_text())["properties"]
    known = tuple(tuple(said[key]["enum"]) for key in ("label", "role", "source"))
    assert known == (LABELS, ROLES, SOURCES)


@pytest.mark.parametrize(
    "change",
    [{"seq": True}, {"label": "maybe"}, {"predicted": {}}, {"extra": 1}, {"note": 3}, {"by": None}],
)
def test_a_line_with_other_keys_or_types_is_no_opinion(change: dict) -> None:  # type: ignore[type-arg]
    document = {**json.loads(line_of(opinion())), **change}
    assert parse_line(json.dumps(document).encode()) is None


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"null", b"\xff", b'{"seq": 1'])
def test_what_is_no_object_is_no_opinion(line: bytes) -> None:
    assert "not an opinion" in str(fault_in(parse_line(line), line))
