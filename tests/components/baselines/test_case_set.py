import dataclasses
import json
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.baselines import case_set as case_set_module
from components.baselines.case_set import (
    CaseSet,
    LockedCase,
    RowReader,
    cases_root,
    load_case_set,
    lock_cases,
    save_case_set,
    verify_cases,
)
from components.records.case_record import CaseRecord
from components.records.errors import IntegrityError, NothingEvaluated
from components.records.files import canonical_json
from tests.components.planting import locked, seen_case, sha
from tests.refusing import refused

LOCK = {"name": "p", "author": "a", "reason": "r", "date": "2025-03-31", "source": "s"}


def edited(path: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_case_set(locked(3, 4, sentinels=[1]), tmp_path / "case_set.json")
    return tmp_path / "case_set.json"


def test_round_trip(saved: Path) -> None:
    back = load_case_set(saved)
    assert back == locked(3, 4, sentinels=[1])
    assert back.cases[1].sentinel and not back.cases[0].sentinel


def test_every_case_is_one_line_and_the_file_is_valid_json(saved: Path) -> None:
    lines = [line for line in saved.read_text().splitlines() if '"case_id"' in line]
    assert len(lines) == 7 == len(json.loads(saved.read_text())["cases"])


def test_root_does_not_depend_on_the_order_the_cases_came_in() -> None:
    seen = [seen_case(i, i % 2) for i in range(9)]
    forwards, backwards = lock_cases(seen, **LOCK), lock_cases(seen[::-1], **LOCK)
    assert forwards == backwards


@pytest.mark.parametrize(
    "change",
    [
        {"label": 0},
        {"patient_id": "other"},
        {"pixels_sha256": sha("other")},
        {"bytes_sha256": sha("other")},
        {"attributes": {"device": "Cirrus"}},
        {"sentinel": True},
        {"case_id": "case-9999"},
    ],
)
def test_any_edit_of_a_case_is_found(saved: Path, change: dict[str, Any]) -> None:
    edited(saved, lambda document: document["cases"][0].update(change))
    with refused(IntegrityError, saved, "Merkle root"):
        load_case_set(saved)


@pytest.mark.parametrize(
    "key, value",
    [
        ("name", "q"),
        ("version", 2),
        ("author", "b"),
        ("reason", "x"),
        ("date", "2024-01-01"),
        ("source", "x"),
        ("parent", sha("p")),
    ],
)
def test_any_edit_of_the_header_is_found(saved: Path, key: str, value: object) -> None:
    edited(saved, lambda document: document.update({key: value}))
    with refused(IntegrityError, saved, "header"):
        load_case_set(saved)


def test_a_removed_case_is_found(saved: Path) -> None:
    edited(saved, lambda document: document["cases"].pop())
    with refused(IntegrityError, saved, "Merkle root"):
        load_case_set(saved)


def test_a_case_that_stands_twice_is_named(saved: Path) -> None:
    edited(saved, lambda document: document["cases"].append(document["cases"][2]))
    with refused(IntegrityError, saved, "twice", "case-0002"):
        load_case_set(saved)


@pytest.mark.parametrize(
    "text, facts",
    [
        ("{", ["JSON"]),
        ('{"name": 1, "name": 2}', ["'name'", "twice"]),
        ('{"version": NaN}', ["NaN"]),
        ("[]", ["wanted object"]),
        ('{"nmae": "p"}', ["'nmae'", "did you mean 'name'"]),
    ],
)
def test_a_malformed_file_is_an_error_of_one_line(
    tmp_path: Path, text: str, facts: list[str]
) -> None:
    path = tmp_path / "case_set.json"
    path.write_text(text)
    with refused(IntegrityError, path, *facts):
        load_case_set(path)


def test_an_absent_file_is_an_integrity_error(tmp_path: Path) -> None:
    with refused(IntegrityError, "absent"):
        load_case_set(tmp_path / "absent.json")


def test_locking_nothing_is_an_error() -> None:
    with pytest.raises(NothingEvaluated):
        lock_cases([], **LOCK)


def test_locking_a_case_twice_is_an_error() -> None:
    with refused(IntegrityError, "case-0001"):
        lock_cases([seen_case(1, 0), seen_case(1, 0)], **LOCK)


def test_a_sentinel_that_is_no_case_is_an_error() -> None:
    with refused(IntegrityError, "case-7777"):
        lock_cases([seen_case(1, 0)], **LOCK, sentinels=["case-7777"])


def test_every_field_of_a_case_is_under_the_root() -> None:
    row = json.loads(json.dumps(dataclasses.asdict(locked(1, 1).cases[0])))
    assert set(row) == {field.name for field in dataclasses.fields(LockedCase)}


SEEN = [seen_case(i, int(i < 5)) for i in range(12)]


def test_the_locked_cases_in_any_order_pass() -> None:
    verify_cases(locked(5, 7), SEEN[::-1])


def test_reencoded_without_loss_passes() -> None:
    verify_cases(locked(5, 7), [replace(case, bytes_sha256=sha("re-encoded")) for case in SEEN])


@pytest.mark.parametrize(
    "fault, seen",
    [
        ("missing: 1 (case-0003)", SEEN[:3] + SEEN[4:]),
        ("additional: 1 (case-0099)", [*SEEN, seen_case(99, 1)]),
        ("duplicated: 1 (case-0003)", [*SEEN, SEEN[3]]),
        ("missing: 12 (case-0000, case-0001, case-0002, ...)", []),
    ],
)
def test_other_cases_are_named(fault: str, seen: list[CaseRecord]) -> None:
    with refused(IntegrityError, fault):
        verify_cases(locked(5, 7), seen)


@pytest.mark.parametrize(
    "fault, change",
    [
        ("relabelled", lambda case: replace(case, label=1 - case.label)),
        ("altered pixels", lambda case: replace(case, bytes_sha256="0", pixels_sha256="0")),
        ("other attributes", lambda case: replace(case, attributes={"device": "Cirrus"})),
        ("other attributes", lambda case: replace(case, attributes={})),
        ("other patient", lambda case: replace(case, patient_id="someone")),
    ],
)
def test_a_changed_case_is_named(fault: str, change: Callable[[CaseRecord], CaseRecord]) -> None:
    with refused(IntegrityError, f"{fault}: 1 (case-0003)"):
        verify_cases(locked(5, 7), [*SEEN[:3], change(SEEN[3]), *SEEN[4:]])


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
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1)


@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT), st.booleans())
def test_a_case_is_spelled_as_canonical_json_spells_it(
    case_id: str, patient_id: str, attributes: dict[str, str], sentinel: bool
) -> None:
    case = LockedCase(case_id, patient_id, 1, sha("b"), sha("p"), attributes, sentinel)
    line = case.line()
    assert line == canonical_json(asdict(case))
    assert RowReader().case(json.loads(line)) == case


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
        ("extra", "x"),
    ],
)
def test_a_row_of_another_shape_is_no_case(key: str, value: object) -> None:
    row = asdict(CASE)
    assert RowReader().case(row) == CASE
    assert RowReader().case({**row, key: value}) is None


@pytest.mark.parametrize("key", sorted(asdict(CASE)))
def test_a_row_that_lacks_a_key_is_no_case(key: str) -> None:
    row = asdict(CASE)
    del row[key]
    assert RowReader().case(row) is None


@pytest.mark.parametrize("row", [None, [], "case", 1])
def test_what_is_no_object_is_no_case(row: object) -> None:
    assert RowReader().case(row) is None


def test_equal_attributes_are_kept_once() -> None:
    reader = RowReader()
    rows = [{**asdict(CASE), "case_id": name, "attributes": {"device": "Aster"}} for name in "ab"]
    first, second = (reader.case(row) for row in rows)
    assert first and second and first.attributes is second.attributes
