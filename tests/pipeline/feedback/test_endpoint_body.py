import json
from typing import Any

import pytest

from pipeline.feedback.endpoint import MalformedRequest, parse_body

GOOD = {"case_id": "case-7", "label": "positive", "nonce": "abcdefgh"}


def body(**given: Any) -> bytes:
    document = {**GOOD, **given}
    return json.dumps({key: value for key, value in document.items() if value != "-"}).encode()


def test_a_request_is_read_as_it_was_said() -> None:
    said = parse_body(body(note="left"))
    assert (said.case_id, said.label, said.note, said.nonce) == (
        "case-7",
        "positive",
        "left",
        "abcdefgh",
    )
    by_picture = parse_body(body(case_id=None, pixels_sha256="ab" * 32))
    assert (by_picture.case_id, by_picture.pixels_sha256) == (None, "ab" * 32)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "one JSON object"),
        (b"\xff\xfe\xfd", "one JSON object"),
        (b'{"case_id": "a", "case_id": "b"}', "each key once"),
        (b"[" * 100_000, "one JSON object"),
        (b"[]", "wanted a JSON object"),
        (body(by="Somebody Else"), "the token says who you are"),
        (body(lable="x"), "did you mean 'label'"),
        (body(image="iVBOR"), "unknown key"),
        (body(case_id=7), "case_id: wanted text"),
        (body(note={"a": 1}), "note: wanted text"),
        (body(case_id="-"), "one of them"),
        (body(pixels_sha256="ab" * 32), "one of them"),
        (body(case_id=None, pixels_sha256="AB" * 32), "64 hex digits"),
        (body(nonce="-"), "nonce: wanted 8 to 100"),
        (body(nonce="short"), "nonce: wanted 8 to 100"),
        (body(nonce="x" * 101), "nonce: wanted 8 to 100"),
        (body(nonce="with space"), "nonce: wanted 8 to 100"),
        (body(label="-"), "label: wanted positive, negative or unsure"),
        (body(label=None), "label: wanted positive, negative or unsure"),
    ],
)
def test_what_is_no_request_says_why(content: bytes, words: str) -> None:
    with pytest.raises(MalformedRequest, match=words):
        parse_body(content)


def test_what_was_said_is_not_repeated() -> None:
    with pytest.raises(MalformedRequest) as caught:
        parse_body(body(patient="Jane Doe"))
    assert "Jane" not in str(caught.value)
