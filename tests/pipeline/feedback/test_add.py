from pathlib import Path

import pytest

from components.records.errors import ConfigError, IntegrityError, SourceError
from pipeline.feedback.add import AmbiguousCase, GivenOpinion, UnknownCase, add
from tests.pipeline.feedback.making import MODEL, Clinic
from tests.refusing import refused

SAID = GivenOpinion("positive", "Dr. One")


def test_an_opinion_holds_what_was_served(clinic: Clinic) -> None:
    clinic.serve("case-7", score=0.25)
    made = clinic.say("case-7", "positive", note="  small  nodule ")
    assert (made.case_id, made.by, made.note, made.role) == (
        "case-7",
        "Dr. One",
        "small nodule",
        "reader",
    )
    assert (made.predicted.score, made.predicted.positive) == (0.25, False)
    assert made.predicted.model == MODEL and made.pixels_sha256 is not None
    assert clinic.places.record.opinions() == (made,)


def test_feedback_for_an_unknown_case_is_refused_and_nothing_is_recorded(clinic: Clinic) -> None:
    clinic.serve("case-7")
    with pytest.raises(
        UnknownCase, match=r"case 'case-8': not in the prediction log .*/predictions"
    ):
        clinic.say("case-8", "positive")
    assert not clinic.places.record.path.exists()


def test_without_a_log_nothing_is_recorded(clinic: Clinic) -> None:
    with refused(SourceError, "predictions"):
        clinic.say("case-7", "positive")
    assert not clinic.places.record.path.exists()


def test_a_malformed_line_hides_no_other_case(clinic: Clinic) -> None:
    clinic.serve("case-7")
    log = clinic.workspace.root / "predictions" / "log.jsonl"
    log.write_bytes(b"{not json\n" + log.read_bytes() + b'{"case_id": "torn')
    assert clinic.say("case-7", "positive").case_id == "case-7"


def test_the_newest_prediction_of_a_case_is_the_one_that_is_judged(clinic: Clinic) -> None:
    picture = clinic.serve("case-7", score=0.1).read_bytes()
    clinic.serve("case-7", score=0.9, at="2026-02-01T00:00:00Z", picture=picture)
    assert clinic.say("case-7", "positive").predicted.score == 0.9


def test_a_model_that_is_named_by_its_version_stays_so(clinic: Clinic) -> None:
    clinic.serve("case-7", model_sha256=None, model_version=12)
    assert clinic.say("case-7", "positive").predicted.model == "version 12"


def test_an_image_finds_the_case_it_was_served_as_and_is_kept(clinic: Clinic) -> None:
    clinic.serve("case-6")
    path = clinic.serve("case-7")
    made = add(clinic.places, clinic.served, SAID, case_id=None, image=path)
    assert made.case_id == "case-7"
    (kept,) = clinic.places.images.iterdir()
    assert kept.name == f"{made.pixels_sha256}.png" and kept.read_bytes() == path.read_bytes()


def test_an_image_that_was_never_served_is_refused_and_not_kept(clinic: Clinic) -> None:
    clinic.serve("case-7")
    path = clinic.root / "other.png"
    path.write_bytes(clinic.picture(999))
    with refused(UnknownCase, "pixels"):
        add(clinic.places, clinic.served, SAID, case_id=None, image=path)
    assert not clinic.places.images.exists() and not clinic.places.record.path.exists()


def test_an_image_that_was_served_as_two_cases_is_refused(clinic: Clinic) -> None:
    path = clinic.serve("case-7")
    clinic.serve("case-8", picture=path.read_bytes())
    with refused(AmbiguousCase, "case-7, case-8"):
        add(clinic.places, clinic.served, SAID, case_id=None, image=path)


def test_an_image_whose_id_stands_for_another_by_now_is_refused(clinic: Clinic) -> None:
    path = clinic.serve("case-7")
    clinic.serve("case-7", at="2026-02-01T00:00:00Z")
    with refused(AmbiguousCase, "another picture"):
        add(clinic.places, clinic.served, SAID, case_id=None, image=path)


def test_a_reader_whose_name_is_spelled_otherwise_is_the_same_reader(clinic: Clinic) -> None:
    clinic.serve("case-7")
    clinic.say("case-7", "positive", "Dr. Åse One")
    again = clinic.say("case-7", "negative", "dr åse  one")
    assert (again.by, again.version) == ("Dr. Åse One", 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"by": "  "}, "by: got '  '"),
        ({"by": "x" * 101}, "by: got 101 characters"),
        ({"note": "x" * 2001}, "note: got 2,001 characters"),
        ({"note": "a\u202eb"}, "note: got the invisible character"),
        ({"label": "maybe"}, "label: got 'maybe'"),
    ],
)
def test_what_says_nothing_or_too_much_is_refused(
    clinic: Clinic, given: dict[str, str], words: str
) -> None:
    clinic.serve("case-7")
    with refused(ConfigError, words):
        clinic.say("case-7", **{"label": "positive", **given})
    assert not clinic.places.record.path.exists()


def test_nothing_is_added_to_a_record_that_was_altered(clinic: Clinic) -> None:
    clinic.serve("case-7")
    clinic.say("case-7", "positive")
    path = clinic.places.record.path
    path.write_bytes(path.read_bytes().replace(b'"positive"', b'"negative"'))
    before = path.read_bytes()
    with refused(IntegrityError, "entry 1 "):
        clinic.say("case-7", "positive")
    assert path.read_bytes() == before


def test_case_or_image_is_wanted_and_not_both(clinic: Clinic) -> None:
    for given in ({"case_id": None, "image": None}, {"case_id": "a", "image": Path("b")}):
        with refused(ConfigError, "one of them"):
            add(clinic.places, clinic.served, SAID, **given)  # type: ignore[arg-type]
