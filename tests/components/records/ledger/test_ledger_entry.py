"""One entry: its hash, its contract and its spelling."""

import dataclasses
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.records.chain import FIRST_PREVIOUS
from components.records.errors import ConfigError
from components.records.files import canonical_json, sha256_json
from components.records.ledger.ledger import (
    KINDS,
    Entry,
    fault_in,
    line_of,
    new_entry,
    parse_line,
)
from tests.components.records.ledger.making import AT, BODIES, PERSON
from tests.refusing import refused


def entry(kind: str = "look", by: str = PERSON, at: str = AT, **changed: Any) -> Entry:
    body = {**BODIES[kind], **changed}
    return new_entry(kind, body, by=by, at=at, seq=1, previous=FIRST_PREVIOUS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_reads_back_as_it_was(kind: str) -> None:
    made = entry(kind)
    assert parse_line(line_of(made)) == made
    assert fault_in(made, line_of(made)) is None


def test_the_hash_is_over_the_canonical_json_of_every_other_key() -> None:
    document = orjson.loads(line_of(entry()))
    stated = document.pop("entry_sha256")
    assert stated == sha256_json(document)


@pytest.mark.parametrize(
    "key, value",
    [("seq", 1.0), ("seq", True), ("seq", "1"), ("body", []), ("body", None)]
    + [(key, 1) for key in ("at", "kind", "by", "previous", "entry_sha256")],
)
def test_a_line_with_a_key_of_another_type_is_no_entry(key: str, value: object) -> None:
    document = orjson.loads(line_of(entry()))
    assert parse_line(orjson.dumps({**document, key: value})) is None


def test_an_unknown_kind_is_shown_by_its_first_twenty_characters() -> None:
    unknown = dataclasses.replace(entry(), kind="k" * 19 + "lm")
    assert repr("k" * 19 + "l") in (fault_in(unknown, line_of(unknown)) or "")


def test_each_kind_has_a_contract() -> None:
    assert set(BODIES) == set(KINDS)
    for kind in KINDS:
        for key in BODIES[kind].keys() - {"added"}:
            with refused(ConfigError, kind, f"body.{key}", "1.5"):
                entry(kind, **{key: 1.5})


@pytest.mark.parametrize(
    "changed, facts",
    [
        ({"by": ""}, ("by:", '""')),
        ({"at": "2025-03-31 12:00"}, ("at:", "2025-03-31 12:00", "ISO 8601")),
        ({"at": "2025-03-31T12:00:00+01:00"}, ("at:", "+01:00", "ISO 8601")),
        ({"runid": "run-1"}, ("'runid'", "'run_id'")),
        ({"case_set_root": "abc"}, ("case_set_root", "abc", "SHA-256")),
        ({"run_id": "\udcff"}, ("JSON",)),
    ],
)
def test_an_entry_that_breaks_its_contract_is_never_made(
    changed: dict[str, Any], facts: tuple[str, ...]
) -> None:
    with refused(ConfigError, *facts):
        entry(**changed)


def test_an_unknown_kind_is_named() -> None:
    with refused(ConfigError, "'decison'", "'decision'"):
        new_entry("decison", {}, by=PERSON, at=AT, seq=1, previous=FIRST_PREVIOUS)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(TEXT, VALUES))
def test_reader_and_writer_spell_everything_the_contract_allows_alike(body: dict[str, Any]) -> None:
    assert orjson.dumps(body, option=orjson.OPT_SORT_KEYS) == canonical_json(body)


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", b"null", b"\xff", b'{"seq":1}', b"[" * 5000, line_of(entry())[:-1]],
)
def test_what_is_no_entry_is_not_read_as_one(line: bytes) -> None:
    assert parse_line(line) is None
    assert fault_in(None, line) == "it is not an entry in JSON"


@pytest.mark.parametrize(
    "spelling",
    [
        lambda line: line.replace(b'"seq":1', b'"seq": 1'),
        lambda line: b'{"seq":1,' + line[1:].replace(b',"seq":1', b""),
        lambda line: line.replace(b'"seq":1', b'"seq":1,"seq":1'),
        lambda line: line.replace(b"Radiologist", b"Radiologis\\u0074"),
        lambda line: line + b" ",
    ],
)
def test_the_same_content_in_another_spelling_is_a_fault(spelling: Any) -> None:
    line = spelling(line_of(entry()))
    assert fault_in(parse_line(line), line) == "it is not spelled in canonical JSON"


def test_nesting_beyond_reason_is_a_fault_and_no_crash() -> None:
    deep = b"[" * 500 + b"]" * 500
    line = line_of(entry()).replace(b'"planted"', deep)
    assert fault_in(parse_line(line), line) == "it is not spelled in canonical JSON"
