import csv
import io
import json

import pytest

from components.records.errors import IntegrityError
from pipeline.feedback.report import Report, make_report
from tests.pipeline.feedback.making import Clinic
from tests.refusing import refused


def report(clinic: Clinic) -> Report:
    return make_report(clinic.places, clinic.served, readers=2)


def test_a_report_says_for_how_many_served_cases_there_is_feedback(clinic: Clinic) -> None:
    clinic.settled("a", "positive")
    clinic.settled("b", "positive", score=0.1)
    for number in range(5):
        clinic.serve(f"other-{number}", score=number / 5)
    coverage = report(clinic).coverage
    assert coverage is not None
    assert (coverage.positive_judged, coverage.positive_served) == (1, 3)
    assert (coverage.negative_judged, coverage.negative_served) == (1, 4)


def test_a_report_needs_no_log_and_says_what_it_then_does_not_know(clinic: Clinic) -> None:
    clinic.settled("a", "positive")
    (clinic.workspace.root / "predictions" / "log.jsonl").unlink()
    found = report(clinic)
    assert found.coverage is None and "predictions" in found.no_coverage
    assert found.agreement.overall.count == 2


def test_nobody_said_anything_is_a_report_too(clinic: Clinic) -> None:
    said = report(clinic).as_json()
    assert said["overall"]["estimate"] is None and said["worklist"] == []
    assert "no random sample" in said["warning"]
    json.dumps(said, allow_nan=False)


def test_a_report_on_an_altered_record_is_refused(clinic: Clinic) -> None:
    clinic.settled("a", "positive")
    path = clinic.places.record.path
    path.write_bytes(path.read_bytes()[:-100])
    with refused(IntegrityError, "entry 2 "):
        report(clinic)


def test_the_worklist_as_a_table_calculates_nothing(clinic: Clinic) -> None:
    clinic.serve("=cmd|' /C calc'!A0", score=0.125)
    clinic.say("=cmd|' /C calc'!A0", "positive", note="@SUM(1)\u2028x".replace("\u2028", " "))
    clinic.serve("-1+2", score=0.25)
    clinic.say("-1+2", "positive", note='a, "b"; c')
    rows = list(csv.DictReader(io.StringIO(report(clinic).worklist_csv())))
    assert [row["case_id"] for row in rows] == ["'=cmd|' /C calc'!A0", "'-1+2"]
    assert rows[1]["notes"] == 'Dr. One: a, "b"; c'
    assert (rows[0]["score"], rows[0]["model_says"]) == ("0.125", "negative")
    assert rows[0]["why"] == "perhaps missed"


@pytest.mark.parametrize("begins", ["=", "+", "-", "@"])
def test_no_cell_begins_as_a_formula_does(clinic: Clinic, begins: str) -> None:
    clinic.serve(f"{begins}1", score=0.125)
    clinic.say(f"{begins}1", "positive")
    (row,) = csv.DictReader(io.StringIO(report(clinic).worklist_csv()))
    assert row["case_id"] == f"'{begins}1"
