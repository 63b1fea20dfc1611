import pytest

from components.records.errors import ConfigError
from pipeline.governance.persons import require_text, same_person
from tests.refusing import refused


def test_what_was_said_goes_on_one_line() -> None:
    assert require_text("  A.\tRadiologist \n MD ", "--by") == "A. Radiologist MD"


@pytest.mark.parametrize("text", ["", "  ", "\n", "-", "...", "\u200b"])
def test_saying_nothing_is_refused(text: str) -> None:
    with refused(ConfigError, "--by: got "):
        require_text(text, "--by")


@pytest.mark.parametrize("letter", ["\x1b", "\u202e", "\u200b", "\udcff", "\x00"])
def test_what_a_reader_would_not_see_is_refused(letter: str) -> None:
    with refused(ConfigError, "--by: got "):
        require_text(f"A. Radio{letter}logist", "--by")


def test_every_script_may_name_a_person() -> None:
    for name in ("王秀英", "محمد", "Zoë Ångström", "नेहा", "می\u200cخواهم"):
        assert require_text(name, "--by") == name


@pytest.mark.parametrize(
    "other",
    ["a. radiologist", "A.  Radiologist", "A Radiologist", "A.RADIOLOGIST", "Ａ. Radiologist"],
)
def test_spelling_does_not_make_a_second_person(other: str) -> None:
    assert same_person("A. Radiologist", other)


@pytest.mark.parametrize("other", ["B. Radiologist", "A. Radiolog", "नेहा"])
def test_other_names_are_other_persons(other: str) -> None:
    assert not same_person("A. Radiologist", other)


def test_vowel_signs_tell_names_apart() -> None:
    assert not same_person("नेहा", "नाहा")
