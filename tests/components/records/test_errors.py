"""Each kind of error has one code for ever, and docs/errors.md is the list of them."""

import inspect
import re
from pathlib import Path

import pytest

from components.records import errors
from components.records.errors import KINDS, RETIRED, CasegateError

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "errors.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| `CG")
]
CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, CasegateError)
]


def test_every_class_has_a_code_of_its_own() -> None:
    assert all("code" in vars(kind) for kind in CLASSES)
    assert sorted(kind.code for kind in CLASSES) == sorted(KINDS)
    assert len(CLASSES) == len(KINDS)


def test_a_code_begins_with_the_exit_code_and_none_is_used_again() -> None:
    for code, kind in KINDS.items():
        first = "9" if kind.exit_code == 70 else str(kind.exit_code)
        assert re.fullmatch(rf"CG{first}\d{{3}}", code), (kind.__name__, code)
    assert KINDS.keys().isdisjoint(RETIRED)


def test_the_drawn_tree_has_each_kind_with_its_code() -> None:
    drawn = re.findall(r"(\w+) +(CG\d{4})", str(errors.__doc__))
    assert sorted(drawn) == sorted((kind.__name__, kind.code) for kind in CLASSES)


def test_the_page_has_each_code_with_its_kind_and_exit_code_and_no_other() -> None:
    told = sorted((row[0].strip("`"), row[1].strip("`"), int(row[2])) for row in ROWS)
    assert told == sorted((kind.code, kind.__name__, kind.exit_code) for kind in CLASSES)
    assert set(re.findall(r"CG\d{4}", PAGE)) == set(KINDS)


def test_the_page_says_of_each_code_what_causes_it_and_what_to_do() -> None:
    for code, *_, cause, remedy in ROWS:
        assert cause.endswith(".") and remedy.endswith(".") and cause != remedy, code


def test_an_error_reads_the_same_for_a_person_and_for_a_program() -> None:
    error = errors.PolicyError("policy.yaml:12: unknown metric 'x'")
    assert error.line == "PolicyError: policy.yaml:12: unknown metric 'x' [CG2003]"
    assert error.as_json() == {
        "code": "CG2003",
        "kind": "PolicyError",
        "message": "policy.yaml:12: unknown metric 'x'",
        "exit_code": 2,
    }


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("-1", ["1", "0"]),
        ("10", ["1", "0"]),
        ("no pneumonia", ["pneumonia"]),
        ("no_pneumonia", ["pneumonia"]),
        ("nopneumonia", ["pneumonia"]),
        ("pneumonia?", ["pneumonia"]),
        ("possible pneumonia", ["pneumonia"]),
        ("pneumonia negative", ["pneumonia"]),
        ("negative", ["positive"]),
        ("negativ", ["positive"]),
        ("abnormal", ["normal"]),
        ("anormal", ["normal"]),
        ("unwell", ["well"]),
        ("unsigned", ["signed"]),
        ("test", ["train"]),
        ("train2", ["train"]),
        ("validation_old", ["validation"]),
        ("specificity[overall]", ["sensitivity[overall]"]),
        ("golden.floor", ["golden.ceiling"]),
        ("chest-v2", ["chest-v1"]),
    ],
)
def test_a_suggestion_never_turns_a_meaning_round(word: str, known: list[str]) -> None:
    assert "did you mean" not in errors.suggestion(word, known)


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("pnuemonia", ["pneumonia", "normal"], "pneumonia"),
        ("sensitivty", ["sensitivity", "specificity"], "sensitivity"),
        ("negatve", ["negative", "positive"], "negative"),
        ("patientid", ["patient_id", "case_id"], "patient_id"),
        ("epoch", ["epochs", "patience"], "epochs"),
        ("memory", ["memory_gib", "retries"], "memory_gib"),
        ("vall", ["val", "train", "test"], "val"),
        ("chets.npz", ["chest.npz"], "chest.npz"),
        ("Champion", ["champion", "candidate"], "champion"),
    ],
)
def test_a_slip_of_the_hand_is_still_understood(word: str, known: list[str], meant: str) -> None:
    assert errors.suggestion(word, known) == f"; did you mean '{meant}'?"
