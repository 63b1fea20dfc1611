"""Looks are counted before anything is judged, and what people decided holds in the next run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.baselines.scores import save_scores
from components.decision import Decision, Verdict, save_decision
from components.gate import record as recording
from components.gate.conditions import EvaluatorFindings
from components.gate.record import decisions_on, judge, record
from components.records.ledger.ledger import Ledger
from components.records.run_files import DECISION, SCORES
from pipeline.governance.show_ledger import sentence
from tests.components.gate.test_decide import CASES, MARGIN
from tests.components.gate.test_exports import artefact
from tests.components.gate.test_waiving import waiver
from tests.components.planting import approved, scored, sha

AT = "2025-03-31T12:00:00Z"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def judged_with(ledger: Ledger | None, runs: Path | None = None, **changed: Any) -> Decision:
    given: dict[str, Any] = {
        "policy": MARGIN,
        "case_set": CASES,
        "candidate": scored(CASES),
        "champion": scored(CASES, model="ch"),
        "golden": approved(scored(CASES, model="go")),
        "evaluator": EvaluatorFindings(True),
        "findings": (),
        "run_id": "run-1",
        "created": AT,
    }
    return judge(ledger, runs, **{**given, **changed})


def test_every_look_is_counted_and_the_eleventh_of_ten_decides_nothing(ledger: Ledger) -> None:
    decisions = [judged_with(ledger) for _ in range(11)]
    assert [decision.looks.used for decision in decisions] == list(range(1, 12))
    assert {decision.verdict for decision in decisions[:10]} == {Verdict.PASS}
    assert decisions[10].verdict is Verdict.INCONCLUSIVE


def test_a_look_that_ended_in_a_crash_is_counted(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(recording, "decide", lambda **given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            judged_with(ledger)
    assert judged_with(ledger).looks.used == 2


def test_a_look_at_an_earlier_version_wears_the_case_set_too(ledger: Ledger) -> None:
    judged_with(ledger)
    newer = replace(CASES, version=2, merkle_root=sha("version 2"))
    scores = {
        name: replace(scored(CASES, model=name), scored_case_set=newer.merkle_root)
        for name in ("candidate", "ch")
    }
    decision = judged_with(
        ledger, case_set=newer, candidate=scores["candidate"], champion=scores["ch"], golden=None
    )
    assert decision.looks.used == 2


def test_a_decision_is_written_down_with_what_it_rests_on(ledger: Ledger) -> None:
    decision = judged_with(ledger)
    record(ledger, decision)
    entry = ledger.entries()[-1]
    assert entry.kind == "decision" and entry.body["verdict"] == "PASS"
    assert entry.body["decision_sha256"] == decision.decision_sha256
    assert entry.body["case_set_root"] == CASES.merkle_root


def test_a_decision_on_artefacts_is_written_down_with_the_verdict_on_each(ledger: Ledger) -> None:
    exports = {"tflite_int8": artefact(), "tflite_float": artefact("tflite_float", made_from="x")}
    record(ledger, judged_with(ledger, exports=exports))
    entry = ledger.entries()[-1]
    assert entry.body["exports"] == {"tflite_int8": "PASS", "tflite_float": "FAIL"}
    assert "tflite_float FAIL" in sentence(entry)


def test_without_a_ledger_nothing_is_counted_and_it_is_said(tmp_path: Path) -> None:
    decision = judged_with(None)
    assert decision.looks.used is None and "looks at the case set" in decision.findings[0]
    assert list(tmp_path.iterdir()) == []


def test_a_waiver_in_the_ledger_is_applied(ledger: Ledger) -> None:
    lost = scored(CASES, wrong=range(20))
    for name in ("champion", "golden"):
        given = vars(waiver(f"sensitivity[overall].non_inferiority.{name}"))
        body = {key: value for key, value in given.items() if key not in ("by", "at")}
        ledger.append("waiver", body, by=given["by"], at=given["at"])
    decision = judged_with(ledger, candidate=lost)
    assert decision.verdict is Verdict.PASS and len(decision.waivers) == 2


def roll_back(ledger: Ledger, model: str) -> None:
    ledger.append(
        "rollback",
        {
            "destination": "serving/pneumonia",
            "from_version": 2,
            "to_version": 1,
            "new_version": 3,
            "from_model_sha256": sha(model),
            "to_model_sha256": sha("ch"),
            "decision_sha256": sha("decision"),
            "reason": "missed a tension pneumothorax",
        },
        by="A. Radiologist",
        at=AT,
    )


def test_a_model_that_was_rolled_back_does_not_come_back_by_itself(ledger: Ledger) -> None:
    roll_back(ledger, "candidate")
    decision = judged_with(ledger)
    (check,) = [c for c in decision.checks if c.check == "baseline.withdrawn"]
    assert check.verdict is Verdict.FAIL and decision.exit_code == 1
    assert "A. Radiologist on 2025-03-31: missed a tension pneumothorax" in check.reason


def test_nor_does_the_same_model_trained_and_saved_once_more(
    ledger: Ledger, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    withdrawn = scored(CASES, model="first files")
    decision = judged_with(ledger, candidate=withdrawn)
    save_decision(decision, runs / "run-0" / DECISION)
    save_scores(withdrawn, runs / "run-0" / SCORES)
    roll_back(ledger, "first files")
    assert judged_with(ledger, runs).verdict is Verdict.FAIL
    other = replace(scored(CASES), scores=np.nextafter(scored(CASES).scores, 1))
    assert judged_with(ledger, runs, candidate=other).verdict is Verdict.PASS


def test_decisions_on_a_model_are_those_on_it_as_candidate_newest_first(tmp_path: Path) -> None:
    for name, candidate, champion in [("1", "a", "b"), ("3", "a", "c"), ("2", "a", "b")]:
        decision = judged_with(
            None,
            candidate=scored(CASES, model=candidate),
            champion=scored(CASES, model=champion),
            run_id=name,
        )
        save_decision(decision, tmp_path / name / DECISION)
    found = [(folder.name, one.run_id) for folder, one in decisions_on(tmp_path, sha("a"))]
    assert found == [("3", "3"), ("2", "2"), ("1", "1")]
    assert list(decisions_on(tmp_path, sha("b"))) == []


def test_the_ledger_states_every_fact_of_a_look_and_of_a_decision(ledger: Ledger) -> None:
    decision = judged_with(ledger, candidate=scored(CASES, wrong=range(30)))
    record(ledger, decision)
    look, decided = ledger.entries()
    cases = {
        "run_id": "run-1",
        "case_set": "planted",
        "case_set_version": CASES.version,
        "case_set_root": CASES.merkle_root,
        "candidate_sha256": sha("candidate"),
        "policy_sha256": sha("policy"),
    }
    assert (look.kind, look.by, look.body) == ("look", "casegate", cases)
    assert (decided.kind, decided.by) == ("decision", "casegate")
    assert decided.body == {
        **cases,
        "decision_sha256": decision.decision_sha256,
        "verdict": "FAIL",
        "exit_code": 1,
        "champion_sha256": sha("ch"),
        "golden_sha256": sha("go"),
        "already_released": False,
        "waived": [],
    }
