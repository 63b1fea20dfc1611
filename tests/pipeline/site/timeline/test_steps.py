import dataclasses
from pathlib import Path

import pytest

from components.decision import CheckResult, Decision, Verdict
from components.records.errors import IntegrityError, NothingEvaluated
from components.records.ledger.ledger import Ledger
from pipeline.governance.show_ledger import sentence
from pipeline.settings.workspace import Workspace
from pipeline.site.timeline.steps import TimelineFigure, _only_golden, steps
from tests.components.gate.test_decide import judged as decided
from tests.components.records.ledger.making import BODIES
from tests.pipeline.evidence.releasing import RUN, released
from tests.refusing import refused

pytestmark = pytest.mark.store


def test_a_release_is_one_step_with_its_version_figures_and_report(tmp_path: Path) -> None:
    run = released(tmp_path)
    found = [step for step in steps(run.workspace, sentence) if step.run_id == RUN]
    (step,) = found
    assert (step.kind, step.state, step.version) == ("run", "released", 7)
    assert step.words == "released as version 7"
    assert step.figures["sensitivity"].estimate == pytest.approx(39 / 40)
    assert step.margins["sensitivity"].golden == pytest.approx(39 / 40)
    assert step.report == f"runs/{RUN}/report.html"
    assert step.data == "planted"


def test_looks_decisions_and_releases_are_told_by_their_run_alone(tmp_path: Path) -> None:
    kinds = {step.kind for step in steps(released(tmp_path).workspace, sentence)}
    assert not kinds & {"look", "decision", "release"}


def test_what_people_did_and_what_moved_are_steps_in_the_ledgers_order(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    ledger = Ledger(workspace.ledger)
    for kind in ("approval", "drift", "retention"):
        by = "Dr. Ito" if kind == "approval" else "casegate"
        ledger.append(kind, BODIES[kind], by=by, at="2026-01-05T03:00:00Z")
    approval, drift, retention = steps(workspace, sentence)
    assert approval.title == "golden approved" and approval.words.startswith("Dr. Ito: ")
    assert drift.report == "monitoring/20261201T030000.000000Z/report.html"
    assert (retention.kind, retention.report) == ("retention", None)


def test_an_altered_run_record_stops_the_list(tmp_path: Path) -> None:
    run = released(tmp_path)
    path = run.workspace.run_folder(RUN) / "run.json"
    path.write_bytes(path.read_bytes().replace(b"Radiology", b"Radiolomy"))
    with pytest.raises(IntegrityError):
        steps(run.workspace, sentence)


def test_a_workspace_where_nothing_happened_has_no_step(tmp_path: Path) -> None:
    with refused(NothingEvaluated, tmp_path):
        steps(Workspace(tmp_path), sentence)


def against(name: str, verdict: Verdict) -> CheckResult:
    return CheckResult(
        f"sensitivity.{name}", "non_inferiority", verdict, "why", "sensitivity", against=name
    )


def deciding(*checks: CheckResult) -> Decision:
    return dataclasses.replace(decided(), checks=checks, verdict=Verdict.FAIL)


@pytest.mark.parametrize(
    ("champion", "golden", "alone"),
    [
        (Verdict.PASS, Verdict.FAIL, True),
        (Verdict.PASS, Verdict.INCONCLUSIVE, True),
        (Verdict.FAIL, Verdict.FAIL, False),
        (Verdict.PASS, Verdict.PASS, False),
    ],
)
def test_golden_alone_stopped_it_where_nothing_else_objects(
    champion: Verdict, golden: Verdict, alone: bool
) -> None:
    decision = deciding(against("champion", champion), against("golden", golden))
    assert _only_golden(decision) is alone


def test_a_supporting_check_objects_to_nothing() -> None:
    aside = dataclasses.replace(against("champion", Verdict.FAIL), role="supporting")
    assert _only_golden(deciding(aside, against("golden", Verdict.FAIL)))


def test_figures_are_in_their_intervals(tmp_path: Path) -> None:
    (step,) = [s for s in steps(released(tmp_path).workspace, sentence) if s.run_id == RUN]
    for figure in step.figures.values():
        assert (
            isinstance(figure, TimelineFigure) and figure.lower <= figure.estimate <= figure.upper
        )


def test_golden_and_what_its_margin_leaves_follow_from_the_comparison(tmp_path: Path) -> None:
    run = released(tmp_path, wrong=(1, 2))
    (step,) = [s for s in steps(run.workspace, sentence) if s.run_id == RUN]
    assert step.figures["sensitivity"].estimate == pytest.approx(38 / 40)
    assert step.margins["sensitivity"].golden == pytest.approx(39 / 40)
    assert step.margins["sensitivity"].least == pytest.approx(39 / 40 - 0.30)
