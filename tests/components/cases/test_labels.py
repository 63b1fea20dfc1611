import pytest

from components.cases.labels import known_label, map_labels, plain
from components.records.errors import SourceError
from tests.refusing import refused


@pytest.mark.parametrize(
    ("word", "label"),
    [
        *(("NORMAL", 0), ("Negative", 0), ("No Finding", 0), ("no_finding", 0), ("healthy", 0)),
        *(("0", 0), ("0.0", 0), ("well", 0), ("benign", 0), ("false", 0), ("No", 0)),
        *(("PNEUMONIA", 1), ("abnormal", 1), ("1", 1), ("1.0", 1), ("sick", 1), ("malignant", 1)),
        *(("not_pneumonia", 0), ("no pneumonia", 0), ("non-pneumonia", 0), ("not normal", 1)),
        *(("pneumonia_negative", 0), ("Pneumonia Positive", 1), ("without pneumonia", 0)),
    ],
)
def test_a_word_that_everybody_knows_has_its_label(word: str, label: int) -> None:
    assert known_label(word) == label


@pytest.mark.parametrize(
    "word",
    [
        *("2", "-1", "-1.0", "0.5", "COVID", "cats", "anormal", "gesund", "krank", "", "nan", "?"),
        *("pneumonia?", "possible pneumonia", "pneumonia-", "no no", "non 1", "pneumonia old"),
    ],
)
def test_any_other_word_has_none(word: str) -> None:
    assert known_label(word) is None


def test_what_parts_words_does_not_count_and_a_sign_does() -> None:
    assert plain(" No_Finding ") == plain("no finding") == plain("NO-FINDING")
    assert plain("-1") != plain("1") and plain("pneumonia-") != plain("pneumonia")


@pytest.mark.parametrize(
    "names",
    [
        ("1", "2"),
        ("NORMAL", "PNEUMONIA", "COVID"),
        ("COVID", "PNEUMONIA"),
        ("gesund", "krank"),
        ("NORMAL", "COVID"),
    ],
)
def test_an_unknown_word_is_never_the_opposite_of_a_known_one(names: tuple[str, ...]) -> None:
    with refused(SourceError, "data/train: ", "data.labels: {", "0|1|out"):
        map_labels(dict.fromkeys(names, "data/train"), {})


def test_the_refusal_shows_the_setting_with_what_is_known() -> None:
    with refused(SourceError, "data.labels: {NORMAL: 0, COVID: 0|1|out, 'no': 0, '1': 1}"):
        map_labels(dict.fromkeys(("NORMAL", "COVID", "no", "1"), "x"), {})


@pytest.mark.parametrize("word", ["-1", "uncertain", "pneumonia?", "", "nan", "equivocal"])
def test_an_unsure_label_is_no_typing_error(word: str) -> None:
    with refused(SourceError, "m.csv:3: ", "remove these cases") as caught:
        map_labels({"0": "m.csv:2", word: "m.csv:3", "1": "m.csv:4"}, {})
    assert "did you mean" not in str(caught.value)


def test_what_a_person_says_holds_and_may_leave_a_class_out() -> None:
    said = {"NORMAL": 0, "PNEUMONIA": 1, "COVID": None}
    words = dict.fromkeys(("normal", "PNEUMONIA", "covid"), "x")
    assert map_labels(words, said) == {"normal": 0, "PNEUMONIA": 1, "covid": None}
    assert map_labels(dict.fromkeys(("1", "2"), "x"), {"1": 0, "2": 1}) == {"1": 0, "2": 1}


def test_whoever_names_one_class_names_them_all() -> None:
    with refused(SourceError, "'PNEUMONIA'", "data.labels does not name"):
        map_labels(dict.fromkeys(("NORMAL", "PNEUMONIA"), "x"), {"NORMAL": 0})


def test_what_casegate_itself_writes_is_read_whatever_was_said() -> None:
    words = dict.fromkeys(("0", "1"), "x")
    assert map_labels(words, {"gesund": 0, "krank": 1}) == {"0": 0, "1": 1}
    with refused(SourceError, "'0'"):
        map_labels(words, {"1": 0, "2": 1})


def test_beside_an_unknown_number_no_number_is_filled_in() -> None:
    with refused(SourceError, "data.labels: {'1': 0|1|out, '2': 0|1|out}"):
        map_labels(dict.fromkeys(("1", "2"), "x"), {})
