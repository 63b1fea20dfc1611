import json
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from components.baselines import case_file
from components.baselines.case_set import (
    CaseSet,
    LockedCase,
    cases_root,
    load_case_set,
    lock_cases,
    save_case_set,
)
from components.records.errors import IntegrityError
from tests.components.planting import locked, seen_case

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
def saved(tmp_path: Path) -> Path:
    save_case_set(locked(3, 4, sentinels=[1]), tmp_path / "case_set.json")
    return tmp_path / "case_set.json"


@pytest.fixture
def one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow way is an error."""

    def refuse(path: Path) -> None:
        raise AssertionError("read as one document")

    monkeypatch.setattr(case_file, "_read_document", refuse)


@pytest.mark.usefixtures("one_pass")
def test_a_file_as_it_was_written_is_read_in_one_pass(saved: Path) -> None:
    assert load_case_set(saved) == locked(3, 4, sentinels=[1])


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
def test_a_reformatted_file_says_the_same(saved: Path, how: str) -> None:
    text = REFORMATTED[how](saved.read_text())
    assert text != saved.read_text()
    saved.write_bytes(text.encode())
    assert load_case_set(saved) == locked(3, 4, sentinels=[1])


def test_lines_in_another_order_say_the_same(saved: Path) -> None:
    head, tail = saved.read_text().split('"cases": [\n')
    rows = tail.removesuffix("\n]\n}\n").split(",\n")
    random.Random(1).shuffle(rows)
    saved.write_text(head + '"cases": [\n' + ",\n".join(rows) + "\n]\n}\n")
    assert load_case_set(saved) == locked(3, 4, sentinels=[1])


@pytest.mark.usefixtures("one_pass")
@pytest.mark.parametrize(
    "old, new, message",
    [
        ('"label":0', '"label":2', r"cases\[3\].label: unknown label '2'; known: 0, 1"),
        ('"label":0', '"label":true', r"cases\[3\].label: unknown label 'True'"),
        ('"label":0', '"label":0.0', r"cases\[3\]: got 0.0 as label"),
        ('"sentinel":true', '"sentinel":1', r"cases\[1\].sentinel: got 1, wanted boolean"),
        ('"sentinel":true', '"sentinle":true', r"cases\[1\]: unknown key 'sentinle'; did you"),
        ('"device":"Boreal"', '"device":7', r"cases\[0\].attributes.device: got 7, wanted string"),
        ('"case_id":"case-0004"', '"case_id":""', r"cases\[4\].case_id: got \"\", wanted at least"),
    ],
)
def test_the_first_bad_row_is_named_in_the_words_of_the_schema(
    saved: Path, old: str, new: str, message: str
) -> None:
    saved.write_text(saved.read_text().replace(old, new, 1))
    with pytest.raises(IntegrityError, match=message) as caught:
        load_case_set(saved)
    assert str(caught.value).startswith(f"{saved}: cases[")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", ["_read_lines", "_read_document"])
def test_both_ways_say_the_same_of_a_bad_row(saved: Path, read: str) -> None:
    saved.write_text(saved.read_text().replace('"label":0', '"label":2', 1))
    with pytest.raises(IntegrityError) as caught:
        getattr(case_file, read)(saved)
    assert str(caught.value) == f"{saved}: cases[3].label: unknown label '2'; known: 0, 1"


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('"label":0', '"label":0,"label":0', "not valid JSON: key 'label' stands twice"),
        ('"device":"Aster"', '"device":"x","device":"Aster"', "key 'device' stands twice"),
        ('"label":0', '"label":NaN', "got NaN, wanted a number"),
        ('"label":0', '"label":-Infinity', "got -Infinity, wanted a number"),
        ('"label":0', '"label":0e999', "cases"),
        ('"name": "planted"', '"name": "planted",\n"name": "planted"', "key 'name' stands twice"),
        ('"cases": [', '"cases": [],\n"cases": [', "key 'cases' stands twice"),
        ('"label":0', '"label":', "not valid JSON"),
        ("planted", "\\ud800", "got text that is not Unicode"),
    ],
)
def test_what_json_leaves_open_is_refused(saved: Path, old: str, new: str, message: str) -> None:
    saved.write_text(saved.read_text().replace(old, new, 1))
    with pytest.raises(IntegrityError, match=message) as caught:
        load_case_set(saved)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_unicode_are_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes().replace(b"case-0001", b"case-\xff001"))
    with pytest.raises(IntegrityError, match="not UTF-8 text"):
        load_case_set(saved)


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


def test_reading_leaves_the_garbage_collector_as_it_was(saved: Path) -> None:
    import gc

    load_case_set(saved)
    assert gc.isenabled()
