"""How the rows of a case set are written and read: in one pass, and as any JSON says the same."""

import json
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.baselines import case_set as case_set_module
from components.baselines.case_set import (
    CaseSet,
    LockedCase,
    cases_root,
    load_case_set,
    lock_cases,
    parse_case,
    save_case_set,
)
from components.records.errors import IntegrityError
from components.records.files import canonical_json
from tests.components.planting import locked, seen_case, sha
from tests.refusing import refused

ODD_IDS = (
    '"quoted"',
    "semi;colon,comma",
    "line\nbreak\r\u2028",
    "患者-01",
    "ß\x00\x7f",
    "-x=1",
    "👶",
)


@pytest.fixture
def file_of(tmp_path: Path) -> Path:
    save_case_set(locked(3, 4, sentinels=[1]), tmp_path / "case_set.json")
    return tmp_path / "case_set.json"


@pytest.fixture
def one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow way is an error."""

    def refuse(path: Path) -> None:
        raise AssertionError("read as one document")

    monkeypatch.setattr(case_set_module, "_read_document", refuse)


@pytest.mark.usefixtures("one_pass")
def test_a_file_as_it_was_written_is_read_in_one_pass(file_of: Path) -> None:
    assert load_case_set(file_of) == locked(3, 4, sentinels=[1])


REFORMATTED: dict[str, Callable[[str], str]] = {
    "indented": lambda text: json.dumps(json.loads(text), indent=2),
    "on one line": lambda text: json.dumps(json.loads(text)),
    "escaped": lambda text: text.replace("planted", "pl\\u0061nted"),
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "space in a row": lambda text: text.replace('"label":1', '"label": 1', 1),
    "header behind the cases": lambda text: json.dumps(
        dict(sorted(json.loads(text).items())), indent=1
    ),
    "cases in another order": lambda text: json.dumps(
        {**json.loads(text), "cases": json.loads(text)["cases"][::-1]}
    ),
}


@pytest.mark.parametrize("how", REFORMATTED)
def test_a_reformatted_file_says_the_same(file_of: Path, how: str) -> None:
    text = REFORMATTED[how](file_of.read_text())
    assert text != file_of.read_text()
    file_of.write_bytes(text.encode())
    assert load_case_set(file_of) == locked(3, 4, sentinels=[1])


def test_lines_in_another_order_say_the_same(file_of: Path) -> None:
    head, tail = file_of.read_text().split('"cases": [\n')
    rows = tail.removesuffix("\n]\n}\n").split(",\n")
    random.Random(1).shuffle(rows)
    file_of.write_text(head + '"cases": [\n' + ",\n".join(rows) + "\n]\n}\n")
    assert load_case_set(file_of) == locked(3, 4, sentinels=[1])


@pytest.mark.usefixtures("one_pass")
@pytest.mark.parametrize(
    "old, new, facts",
    [
        ('"label":0', '"label":2', ["cases[3].label: ", "'2'", "0, 1"]),
        ('"label":0', '"label":true', ["cases[3].label: ", "'True'"]),
        ('"label":0', '"label":0.0', ["cases[3]: ", "0.0", "label"]),
        ('"sentinel":true', '"sentinel":1', ["cases[1].sentinel: ", "got 1", "wanted boolean"]),
        ('"sentinel":true', '"sentinle":true', ["cases[1]: ", "'sentinle'", "'sentinel'"]),
        ('"device":"Boreal"', '"device":7', ["cases[0].attributes.device: ", "got 7"]),
        ('"case_id":"case-0004"', '"case_id":""', ["cases[4].case_id: ", 'got ""']),
    ],
)
def test_the_first_bad_row_is_named_in_the_words_of_the_schema(
    file_of: Path, old: str, new: str, facts: list[str]
) -> None:
    file_of.write_text(file_of.read_text().replace(old, new, 1))
    with refused(IntegrityError, f"{file_of}: cases[", *facts):
        load_case_set(file_of)


@pytest.mark.parametrize("read", ["_read_lines", "_read_document"])
def test_both_ways_say_the_same_of_a_bad_row(file_of: Path, read: str) -> None:
    file_of.write_text(file_of.read_text().replace('"label":0', '"label":2', 1))
    with pytest.raises(IntegrityError) as caught:
        getattr(case_set_module, read)(file_of)
    assert str(caught.value) == f"{file_of}: cases[3].label: unknown label '2'; known: 0, 1"


@pytest.mark.parametrize(
    "old, new, facts",
    [
        ('"label":0', '"label":0,"label":0', ["'label'", "twice"]),
        ('"device":"Aster"', '"device":"x","device":"Aster"', ["'device'", "twice"]),
        ('"label":0', '"label":NaN', ["got NaN"]),
        ('"label":0', '"label":-Infinity', ["got -Infinity"]),
        ('"label":0', '"label":0e999', ["cases"]),
        ('"name": "planted"', '"name": "planted",\n"name": "planted"', ["'name'", "twice"]),
        ('"cases": [', '"cases": [],\n"cases": [', ["'cases'", "twice"]),
        ('"label":0', '"label":', ["JSON"]),
        ("planted", "\\ud800", ["Unicode"]),
    ],
)
def test_what_json_leaves_open_is_refused(
    file_of: Path, old: str, new: str, facts: list[str]
) -> None:
    file_of.write_text(file_of.read_text().replace(old, new, 1))
    with refused(IntegrityError, file_of, *facts):
        load_case_set(file_of)


def test_bytes_that_are_not_unicode_are_refused(file_of: Path) -> None:
    file_of.write_bytes(file_of.read_bytes().replace(b"case-0001", b"case-\xff001"))
    with refused(IntegrityError, file_of, "UTF-8"):
        load_case_set(file_of)


def test_every_changed_byte_is_found_or_changes_no_word(tmp_path: Path) -> None:
    """What may change unseen is white space between words, where it says nothing."""
    path = tmp_path / "case_set.json"
    case_set = locked(1, 1)
    save_case_set(case_set, path)
    content = path.read_bytes()
    unseen = 0
    for place, byte in enumerate(content):
        for other in (byte ^ 0x01, byte ^ 0x20, ord(" ") if byte == ord("\n") else ord("\n")):
            path.write_bytes(content[:place] + bytes([other]) + content[place + 1 :])
            try:
                assert load_case_set(path) == case_set
            except IntegrityError:
                continue
            unseen += 1
            assert byte in b" \n" and other in b" \n\t\r", (place, byte, other)
            assert json.loads(path.read_bytes()) == json.loads(content)
    assert 0 < unseen < 200


def odd() -> CaseSet:
    seen = [
        type(case)(**{**asdict(case), "case_id": name, "attributes": {name: name}})
        for name, case in zip(ODD_IDS, (seen_case(i, i % 2) for i in range(len(ODD_IDS))))
    ]
    return lock_cases(
        seen, name="odd;\n'", author='A "R"', reason="größer", date="2025-03-31", source="s"
    )


@pytest.mark.usefixtures("one_pass")
def test_odd_ids_survive_and_every_case_stays_one_line(tmp_path: Path) -> None:
    save_case_set(odd(), tmp_path / "case_set.json")
    assert load_case_set(tmp_path / "case_set.json") == odd()
    lines = (tmp_path / "case_set.json").read_bytes().split(b"\n")
    assert sum(line.startswith(b'{"attributes":') for line in lines) == len(ODD_IDS)


def test_the_root_is_that_of_the_cases_whatever_their_order() -> None:
    cases: list[Any] = list(odd().cases)
    assert cases_root(cases[::-1]) == odd().merkle_root
    other = LockedCase(**{**asdict(cases[0]), "label": 1 - cases[0].label})
    assert cases_root([other, *cases[1:]]) != odd().merkle_root


def test_reading_leaves_the_garbage_collector_as_it_was(file_of: Path) -> None:
    import gc

    load_case_set(file_of)
    assert gc.isenabled()


CASE = locked(1, 1).cases[0]
HASH = "perceptual_hash"
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1)


def row_of(case: LockedCase) -> dict[str, object]:
    """As it stands in a file: without a perceptual hash where there is none."""
    return {name: value for name, value in asdict(case).items() if value or name != HASH}


@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT), st.booleans(), st.sampled_from(["", sha("l") * 2]))
def test_a_case_is_spelled_as_canonical_json_spells_it(
    case_id: str, patient_id: str, attributes: dict[str, str], sentinel: bool, looks: str
) -> None:
    hashes = (sha("b"), sha("p"))
    case = LockedCase(case_id, patient_id, 1, *hashes, attributes, sentinel, perceptual_hash=looks)
    line = case.line()
    assert line == canonical_json(row_of(case))
    assert parse_case(json.loads(line)) == case


def test_half_a_surrogate_pair_is_an_error_of_one_line() -> None:
    with refused(IntegrityError, r"'a\ud800'", "Unicode"):
        LockedCase("a\ud800", "p", 1, sha("b"), sha("p")).line()


@pytest.mark.parametrize(
    "key, value",
    [
        ("case_id", ""),
        ("case_id", 7),
        ("patient_id", ""),
        ("label", 2),
        ("label", -1),
        ("label", True),
        ("label", 1.0),
        ("sentinel", 0),
        ("sentinel", None),
        ("bytes_sha256", sha("b").upper()),
        ("bytes_sha256", sha("b") + "\n"),
        ("pixels_sha256", sha("p")[:-1]),
        ("attributes", {"device": 1}),
        ("attributes", []),
        (HASH, ""),
        (HASH, sha("l")),
        (HASH, None),
        ("extra", "x"),
    ],
)
def test_a_row_of_another_shape_is_no_case(key: str, value: object) -> None:
    row = row_of(CASE)
    assert parse_case(row) == CASE
    assert parse_case({**row, key: value}) is None


@pytest.mark.parametrize("key", sorted(row_of(CASE)))
def test_a_row_that_lacks_a_key_is_no_case(key: str) -> None:
    row = row_of(CASE)
    del row[key]
    assert parse_case(row) is None


@pytest.mark.parametrize("row", [None, [], "case", 1])
def test_what_is_no_object_is_no_case(row: object) -> None:
    assert parse_case(row) is None


def test_equal_attributes_are_kept_once() -> None:
    rows = [{**row_of(CASE), "case_id": name, "attributes": {"device": "Aster"}} for name in "ab"]
    first, second = (parse_case(row) for row in rows)
    assert first and second and first.attributes is second.attributes
