"""Artefacts whose verdict is known before the gate sees them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from components.baselines.export_scores import ExportScores, Measured
from components.baselines.scores import CaseScores
from components.decision import (
    EXIT_BROKEN,
    EXIT_FAIL,
    EXIT_INCONCLUSIVE,
    EXIT_PASS,
    CheckResult,
    Decision,
    ExportDecision,
    Verdict,
    decision_from_json,
)
from components.gate import exports as judging
from components.gate.policy import ExportRule
from components.records.errors import IntegrityError
from components.records.export import ExportRecord
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import check, locked, policy, scored, sha

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
NEVER_MISS = locked(200, 200, sentinels=(3, 4))
RULES = policy(check(floor=0.8, margin=0.05), check("specificity", floor=0.8))
FLOAT = scored(CASES)


def artefact(
    kind: str = "tflite_int8",
    *,
    runtimes: Mapping[str, CaseScores] | None = None,
    made_from: str = "candidate",
    missing: Mapping[str, str] | None = None,
    **changed: Any,
) -> ExportScores:
    """An export of the model `made_from`; its scores are the candidate's, but for `changed`."""
    record = ExportRecord(
        kind=kind,
        model_sha256=sha(made_from),
        image_size=28,
        operating_point=0.5,
        runtime="tflite",
        runtime_version="1",
        converter="a converter",
        files={"model.tflite": sha("file")},
    )
    given = {"tflite": FLOAT} if runtimes is None else runtimes
    found = {name: replace(one, model_sha256=sha(kind), **changed) for name, one in given.items()}
    measured = Measured(
        size_bytes=1000,
        missing=missing or {},
        versions=dict.fromkeys(found, "2.1"),
        peak_memory_bytes=dict.fromkeys(found, 5_000_000),
    )
    return ExportScores(kind, record, sha(kind), found, measured)


def decided(
    given: ExportScores | IntegrityError | None = None,
    *,
    rule: ExportRule | None = None,
    rules: Any = RULES,
    **changed: Any,
) -> Decision:
    kind = given.kind if isinstance(given, ExportScores) else "tflite_int8"
    rules = replace(rules, exports={kind: rule} if rule else {})
    return judged(FLOAT, rules=rules, exports={kind: given} if given else {}, **changed)


def of(decision: Decision) -> tuple[ExportDecision, CheckResult]:
    """The one artefact's decision, and the model's check of it."""
    (export,) = decision.exports
    (one,) = [check for check in decision.checks if check.rule == "export"]
    assert one.check == f"exports[{export.kind}]"
    assert one.verdict is export.verdict
    return export, one


def open_checks(decision: Decision) -> dict[str, Verdict]:
    return {check.check: check.verdict for check in of(decision)[0].checks if check.open}


def test_an_artefact_that_is_the_model_passes_in_its_own_runtime() -> None:
    decision = decided(artefact())
    export, check = of(decision)
    assert (export.verdict, check.role, decision.verdict) == (PASS, "supporting", PASS)
    assert (export.sha256, export.operating_point, export.size_bytes) == (
        *(sha("tflite_int8"), 0.5),
        1000,
    )
    found = export.runtimes["tflite"]
    assert (found.n, found.alike, found.largest_difference, found.case_id) == (400, 400, 0, None)
    assert (found.version, found.peak_memory_bytes) == ("2.1", 5_000_000)
    assert {check.check.split(":")[0] for check in export.checks} == {"tflite"}
    assert "tflite:sensitivity[overall].floor" in {check.check for check in export.checks}
    assert decision_from_json(decision.to_json()) == decision


def test_an_artefact_is_held_against_golden_and_never_against_the_champion() -> None:
    decision = decided(artefact())
    assert {check.against for check in decision.checks} >= {"champion", "golden"}
    assert {check.against for check in of(decision)[0].checks} == {"none", "golden", "candidate"}


def test_without_golden_nothing_passes() -> None:
    decision = decided(artefact(), golden=None)
    assert open_checks(decision) == {"tflite:baseline.golden": INCONCLUSIVE}


def test_a_lost_never_miss_case_blocks_the_artefact_and_not_the_model() -> None:
    lost = scored(NEVER_MISS, wrong=[3])
    model = scored(NEVER_MISS)
    given = artefact(runtimes={"tflite": lost})
    rules = replace(RULES, exports={})
    decision = judged(model, rules=rules, case_set=NEVER_MISS, exports={"tflite_int8": given})
    assert open_checks(decision) == {
        "tflite:sentinels.golden": FAIL,
        "tflite:sentinels.candidate": FAIL,
    }
    assert (of(decision)[0].verdict, decision.exit_code) == (FAIL, EXIT_PASS)
    assert of(decision)[0].flips[0].lost_sentinels == ("case-0003",)
    required = replace(rules, exports={"tflite_int8": ExportRule(("tflite",), required=True)})
    blocked = judged(model, rules=required, case_set=NEVER_MISS, exports={"tflite_int8": given})
    assert blocked.exit_code == EXIT_FAIL
    assert "case-0003" in of(blocked)[1].reason


def test_a_case_that_only_the_model_had_right_is_lost_too() -> None:
    golden = [3]
    decision = judged(
        scored(NEVER_MISS),
        rules=RULES,
        case_set=NEVER_MISS,
        golden=golden,
        exports={"tflite_int8": artefact(runtimes={"tflite": scored(NEVER_MISS, wrong=golden)})},
    )
    assert open_checks(decision) == {"tflite:sentinels.candidate": FAIL}


@pytest.mark.parametrize("wrong, verdict", [(3, PASS), (10, INCONCLUSIVE), (25, FAIL)])
def test_the_bounds_of_the_share_called_alike_decide(wrong: int, verdict: Verdict) -> None:
    turned = scored(CASES, wrong=range(wrong))
    rule = ExportRule(("tflite",), difference=0.5)
    decision = decided(
        artefact(runtimes={"tflite": turned}), rule=rule, rules=policy(check("auc", floor=0.5))
    )
    (one,) = [c for c in of(decision)[0].checks if c.check == "tflite:agreement.candidate"]
    assert (one.verdict, one.estimate, one.limit) == (verdict, 1 - wrong / 400, 0.97)
    assert of(decision)[0].verdict is verdict
    assert of(decision)[0].runtimes["tflite"].alike == 400 - wrong


def test_a_case_that_both_have_wrong_is_called_alike() -> None:
    both = scored(CASES, wrong=range(25))
    rules = policy(check("auc", floor=0.5))
    decision = judged(both, rules=rules, exports={"tflite_int8": artefact(scores=both.scores)})
    assert of(decision)[0].runtimes["tflite"].alike == 400
    better = judged(both, rules=rules, exports={"tflite_int8": artefact()})
    assert of(better)[0].runtimes["tflite"].alike == 375


def test_scores_that_are_no_numbers_never_pass() -> None:
    scores = FLOAT.scores.copy()
    scores[7] = np.nan
    decision = decided(artefact(scores=scores))
    assert open_checks(decision) == {"tflite:scores.finite.tflite_int8": FAIL}
    assert of(decision)[0].runtimes["tflite"].largest_difference is None


def test_scores_of_other_cases_never_pass() -> None:
    few = artefact(case_ids=FLOAT.case_ids[1:], scores=FLOAT.scores[1:])
    assert open_checks(decided(few)) == {"tflite:scores.cases.tflite_int8": FAIL}


def test_a_sigmoid_inside_is_named_although_every_call_is_the_same() -> None:
    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    twice = artefact(scores=sigmoid(FLOAT.scores), operating_point=float(sigmoid(0.5)))
    export, _ = of(decided(twice))
    assert export.runtimes["tflite"].alike == 400
    assert open_checks(decided(twice)) == {
        "tflite:difference.candidate": FAIL,
        "tflite:scores.logits": FAIL,
    }


def test_an_edited_scale_is_named_although_every_call_is_the_same() -> None:
    logits = np.log(FLOAT.scores / (1 - FLOAT.scores)) * 3
    scaled = artefact(scores=1 / (1 + np.exp(-logits)))
    assert open_checks(decided(scaled)) == {"tflite:difference.candidate": FAIL}


def test_an_artefact_calibrated_on_noise_fails_its_floors_and_its_agreement() -> None:
    noise = np.random.default_rng(0).uniform(size=400)
    found = open_checks(decided(artefact(scores=noise)))
    assert found["tflite:sensitivity[overall].floor"] is FAIL
    assert found["tflite:agreement.candidate"] is FAIL


def test_an_artefact_of_another_version_is_named() -> None:
    decision = decided(artefact(made_from="another"))
    export, one = of(decision)
    assert (export.verdict, decision.verdict) == (FAIL, PASS)
    assert export.runtimes == {}
    for fact in ("another version", sha("another")[:12], sha("candidate")[:12]):
        assert fact in one.reason


def test_an_artefact_that_was_altered_is_named() -> None:
    decision = decided(IntegrityError("artefact/model.tflite: altered"))
    assert of(decision)[0].verdict is FAIL
    assert "model.tflite" in of(decision)[1].reason


@pytest.mark.parametrize(
    "given",
    [
        artefact(runtimes={}, missing={"tflite": "no interpreter here"}),
        replace(
            artefact(runtimes={}, missing={"export": "no signature score_pixels"}),
            record=None,
            sha256=None,
        ),
        None,
    ],
    ids=["no runtime", "no artefact", "not asked for"],
)
def test_what_is_missing_is_inconclusive_and_stops_only_where_it_is_required(
    given: ExportScores | None,
) -> None:
    blocked = decided(given, rule=ExportRule(("tflite",), required=True))
    assert (of(blocked)[0].verdict, blocked.exit_code) == (INCONCLUSIVE, EXIT_INCONCLUSIVE)
    why = [*given.measured.missing.values()][0] if given else "`exports`"
    assert why in of(blocked)[1].reason
    if given:
        released = decided(given)
        assert (of(released)[0].verdict, released.exit_code) == (INCONCLUSIVE, EXIT_PASS)


def test_each_runtime_is_judged_and_another_than_the_policy_names_decides_nothing() -> None:
    bad = scored(CASES, wrong=range(60))
    runtimes = {"node_wasm": FLOAT, "chromium_wasm": FLOAT, "chromium_webgl": bad}
    given = artefact("tfjs", runtimes=runtimes)
    assert of(decided(given))[0].verdict is PASS
    rule = ExportRule(("node_wasm", "chromium_webgl"))
    export, _ = of(decided(given, rule=rule))
    assert (export.verdict, list(export.runtimes)) == (FAIL, [*rule.runtimes, "chromium_wasm"])
    failed = {c.check.split(":")[0] for c in export.checks if c.verdict is FAIL}
    assert failed == {"chromium_webgl"}


def test_an_artefact_has_its_own_checks_where_the_policy_says_so() -> None:
    strict = ExportRule(("tflite",), checks=(check(floor=0.999),))
    decision = decided(artefact(), rule=strict)
    assert open_checks(decision) == {"tflite:sensitivity[overall].floor": INCONCLUSIVE}
    assert decision.verdict is PASS


def test_an_artefact_that_no_check_judged_is_inconclusive() -> None:
    rules = policy(check(margin={"champion": 0.05}))
    decision = decided(artefact(), rules=rules)
    assert (of(decision)[0].verdict, open_checks(decision)) == (INCONCLUSIVE, {})


def test_no_artefact_is_asked_of_scores_alone() -> None:
    rules = replace(RULES, exports={"tfjs": ExportRule(("node_wasm",), required=True)})
    decision = judged(FLOAT, rules=rules, scores_only=True, evaluator=None)
    assert (decision.verdict, decision.exports) == (PASS, ())
    assert any("artefacts" in finding for finding in decision.findings)


def test_a_decision_without_artefacts_says_nothing_of_them() -> None:
    decision = judged(FLOAT, exports={})
    assert '"exports"' not in decision.to_json()
    assert decision.decision_sha256 == judged(FLOAT).decision_sha256


def test_the_released_model_is_released_again_for_an_artefact_that_it_did_not_have() -> None:
    given: dict[str, Any] = {"champion": replace(FLOAT), "same_inputs": {"champion"}}
    assert decided(artefact(), released_exports={"tflite_int8"}, **given).already_released
    assert not decided(artefact(), released_exports={"tfjs"}, **given).already_released
    blocked = artefact(scores=np.random.default_rng(0).uniform(size=400))
    assert decided(blocked, **given).already_released


def test_the_judge_of_an_artefact_is_tried_on_planted_faults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decision = judged(
        scored(NEVER_MISS),
        rules=RULES,
        case_set=NEVER_MISS,
        exports={"tflite_int8": artefact(runtimes={"tflite": scored(NEVER_MISS)})},
    )
    tried = {t.name: t.passed for t in decision.self_tests if t.name.startswith("exports[")}
    assert len(tried) == 4
    assert all(tried.values())
    passing = CheckResult("agreement.candidate", "alike", PASS, "whatever it is")
    monkeypatch.setattr(judging, "_agreement", lambda *_: passing)
    broken = decided(artefact())
    assert broken.exit_code == EXIT_BROKEN
    (wrong,) = [test for test in broken.self_tests if not test.passed]
    assert "otherwise" in wrong.name
