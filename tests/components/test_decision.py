import json
from pathlib import Path

import pytest

from components import decision
from components.decision import decision_from_json, load_decision, save_decision
from components.records.errors import IntegrityError
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import check, policy, scored
from tests.refusing import refused

DECISION = judged(
    scored(CASES, wrong=[1, 2, 300]),
    champion=[1, 5],
    rules=policy(check(floor=0.8, margin=0.05), check("auc", margin=0.05), ceiling=0.1),
    findings=("a finding",),
)


def test_round_trip(tmp_path: Path) -> None:
    save_decision(DECISION, tmp_path / "decision.json")
    assert load_decision(tmp_path / "decision.json") == DECISION


@pytest.mark.parametrize(
    "given",
    [
        judged(golden=None, champion=None),
        judged(case_set=type(CASES)(**{**vars(CASES), "cases": ()})),
    ],
)
def test_decisions_that_judged_little_round_trip(given: object) -> None:
    assert decision_from_json(given.to_json()) == given  # type: ignore[attr-defined]


def test_every_edited_byte_is_found() -> None:
    text = DECISION.to_json()
    for place in range(0, len(text), 11):
        edited = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        try:
            back = decision_from_json(edited)
        except IntegrityError:
            continue
        # What is left is white space or the spelling of a number.
        assert back == DECISION


@pytest.mark.parametrize(
    "key, value",
    [
        ("verdict", "FAIL"),
        ("exit_code", 1),
        ("findings", []),
        ("run_id", "run-2"),
        ("alpha", 0.05),
        ("already_released", True),
        ("flips", []),
        ("checks", []),
    ],
)
def test_an_edited_field_is_named_as_an_edit(key: str, value: object) -> None:
    document = json.loads(DECISION.to_json())
    assert document[key] != value
    with refused(IntegrityError, "edited"):
        decision_from_json(json.dumps({**document, key: value}))


def test_an_unknown_verdict_is_refused() -> None:
    document = {**json.loads(DECISION.to_json()), "verdict": "PASSED"}
    with refused(IntegrityError, "did you mean 'PASS'"):
        decision_from_json(json.dumps(document))


def test_the_exit_codes_are_those_that_are_documented() -> None:
    codes = {name: code for name, code in vars(decision).items() if name.startswith("EXIT_")}
    assert codes == {
        "EXIT_PASS": 0,
        "EXIT_FAIL": 1,
        "EXIT_INCONCLUSIVE": 3,
        "EXIT_INTEGRITY": 4,
        "EXIT_NOTHING_EVALUATED": 5,
        "EXIT_BROKEN": 70,
    }
