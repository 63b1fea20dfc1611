from pathlib import Path

import pytest

from components.records.errors import ConfigError, IntegrityError
from pipeline.evidence.card.card import card_of
from pipeline.evidence.questions.diff import diff
from pipeline.evidence.questions.performance import performance
from pipeline.evidence.subject import Evidence
from tests.pipeline.evidence.releasing import RUN, VERSION, ReleasedRun, released
from tests.refusing import refused


@pytest.fixture
def run(tmp_path: Path) -> ReleasedRun:
    return released(tmp_path, wrong=(1, 5))


def row(answer: object, attribute: str, metric: str, value: str = "") -> dict:
    table = answer.tables[0]  # type: ignore[attr-defined]
    rows = [dict(zip(table.columns, r)) for r in table.rows]
    (found,) = [
        r for r in rows if (r["attribute"], r["metric"], r["value"]) == (attribute, metric, value)
    ]
    return found


def test_overall_figures_are_those_of_the_decision(run: ReleasedRun) -> None:
    (wanted,) = [c for c in run.decision.checks if c.check == "sensitivity[overall].floor"]
    with Evidence(run.workspace.root) as evidence:
        found = row(performance(evidence, evidence.subject(RUN)), "overall", "sensitivity")
    assert (found["estimate"], found["lower"], found["upper"], found["n"]) == (
        wanted.estimate,
        wanted.lower,
        wanted.upper,
        wanted.n,
    )
    assert found["champion"] is not None and found["golden"] is not None


def test_every_value_of_an_attribute_is_there_and_no_nan(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        answer = performance(evidence, evidence.subject(str(VERSION)), by="device")
    table = answer.tables[0]
    values = {r[table.columns.index("value")] for r in table.rows}
    assert len(values) > 2 and "" in values
    assert "nan" not in str(table.rows)


def test_an_unknown_attribute_is_refused(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence, refused(ConfigError, "did you mean"):
        performance(evidence, evidence.subject(RUN), by="devise")


@pytest.mark.parametrize("name", ["case_set.json", "policy.yaml", "golden.json"])
def test_evidence_that_was_altered_is_not_computed_from(run: ReleasedRun, name: str) -> None:
    (path,) = (run.workspace.root / "inputs").glob(f"{name.partition('.')[0]}-*")
    path.write_bytes(path.read_bytes() + b"\n")
    with Evidence(run.workspace.root) as evidence, refused(IntegrityError, path.name):
        performance(evidence, evidence.subject(RUN))


def test_a_run_differs_from_itself_in_nothing(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        answer = diff(evidence, evidence.subject(RUN), evidence.subject(str(VERSION)))
    assert [table.name for table in answer.tables] == ["metrics"]
    table = answer.tables[0]
    (sensitivity,) = [r for r in table.rows if r[0] == "sensitivity"]
    assert sensitivity[table.columns.index("change estimate")] == 0


def test_a_card_has_the_decisions_figures_and_states_nothing(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        card = card_of(evidence, evidence.subject(str(VERSION)))
    sections = {section.title: section for section in card.sections}
    assert "This release is unsigned." in card.warnings
    assert all("not stated" in text for text in sections["Intended use"].texts)
    assert sections["Approvals"].facts["golden approved by"] == "A. Radiologist"
    overall = sections["Performance"].tables[0]
    (wanted,) = [c for c in run.decision.checks if c.check == "sensitivity[overall].floor"]
    assert ("overall", "sensitivity", wanted.n, wanted.estimate, wanted.lower, wanted.upper) in (
        overall.rows
    )


def test_what_people_state_is_in_the_card_word_for_word(run: ReleasedRun) -> None:
    stated = run.workspace.baselines / "planted" / "card.yaml"
    stated.write_text("intended_use: Triage of children <12 years>\n")
    with Evidence(run.workspace.root) as evidence:
        card = card_of(evidence, evidence.subject(RUN))
        (section,) = [s for s in card.sections if s.title == "Intended use"]
        assert section.texts[0] == "Intended use: Triage of children <12 years>"
        stated.write_text("intendet_use: x\n")
        with refused(ConfigError, "card.yaml", "intended_use"):
            card_of(evidence, evidence.subject(RUN))
