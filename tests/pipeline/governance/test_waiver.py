from datetime import datetime, timezone
from pathlib import Path

import pytest

from components.decision import Verdict
from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.records import waivers
from components.records.run_files import DECISION
from pipeline.governance.waiver import waive_check
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import check, locked, policy, scored
from tests.pipeline.governing import FLOORS, Governed
from tests.refusing import refused

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
FAILED = "sensitivity[overall].floor"
BAD = scored(CASES, wrong=range(100), model="bad")


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.records.clock.system_time", lambda: NOON)


@pytest.fixture
def governed(tmp_path: Path) -> Governed:
    made = Governed(tmp_path)
    made.run("run-1", BAD, rules=FLOORS, champion=None)
    return made


def waive(governed: Governed, name: str = FAILED, **changed: str) -> None:
    given = {
        "run_id": "run-1",
        "by": "A. Radiologist",
        "second": "B. Statistician",
        "reason": "few positives",
        "expires": "2026-06-30",
    }
    waive_check(governed.root, name, **{**given, **changed})  # type: ignore[arg-type]


def test_a_waiver_is_bound_to_decision_candidate_case_set_and_policy(governed: Governed) -> None:
    waive(governed)
    (waiver,) = waivers(governed.ledger.entries())
    decision = judged(BAD, rules=FLOORS, champion=None, golden=None)
    assert waiver.decision_sha256 == decision.decision_sha256
    assert waiver.candidate_sha256 == BAD.model_sha256
    assert (waiver.case_set_root, waiver.policy_sha256) == (CASES.merkle_root, FLOORS.sha256)
    assert (waiver.by, waiver.second) == ("A. Radiologist", "B. Statistician")
    assert (waiver.check, waiver.expires) == (FAILED, "2026-06-30")


def test_the_gate_lets_the_waived_check_through_once_it_is_asked_again(governed: Governed) -> None:
    waive(governed)
    found = waivers(governed.ledger.entries())
    again = judged(BAD, rules=FLOORS, champion=(), waivers=found, created="2026-03-02T12:00:00Z")
    (waived,) = [c for c in again.checks if c.waived]
    assert waived.check == FAILED and waived.verdict is Verdict.FAIL
    assert FAILED not in [c.check for c in again.checks if c.open]


@pytest.mark.parametrize(
    "changed, facts",
    [
        ({"by": " "}, "--by: got ' '"),
        ({"second": "-"}, "--second: got '-'"),
        ({"reason": ""}, "--reason: got ''"),
        ({"second": "a.  RADIOLOGIST"}, ("--second: got ", "--by")),
        ({"expires": "30.06.2026"}, "got '30.06.2026', wanted a date such as 2026-03-01"),
        ({"expires": "2026-6-30"}, "got '2026-6-30', wanted a date"),
        ({"expires": "2026-02-30"}, "got '2026-02-30', wanted a date"),
        ({"expires": "2026-02-28"}, "got 2026-02-28"),
        ({"expires": "2027-03-03"}, ("got 2027-03-03", "wanted 2027-03-02")),
        ({"name": "sensitivity[overal].floor"}, "did you mean 'sensitivity[overall].floor'"),
        ({"run_id": "run-9"}, "--run run-9: "),
        ({"run_id": "../runs/run-1"}, "--run ../runs/run-1: "),
        ({"name": "evaluator"}, "evaluator: passed in run run-1"),
    ],
)
def test_a_waiver_that_cannot_be_is_refused(
    governed: Governed, changed: dict[str, str], facts: str | tuple[str, ...]
) -> None:
    before = governed.workspace.ledger.read_bytes()
    with refused(ConfigError, *((facts,) if isinstance(facts, str) else facts)):
        waive(governed, **changed)
    assert governed.workspace.ledger.read_bytes() == before


@pytest.mark.parametrize("day", ["2026-03-01", "2027-03-02"])
def test_today_and_the_last_day_allowed_are_dates(governed: Governed, day: str) -> None:
    waive(governed, expires=day)
    assert waivers(governed.ledger.entries())[0].expires == day


def test_what_no_person_can_answer_for_is_never_waived(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    nan = scored(CASES)
    nan.scores[0] = float("nan")
    watched = locked(200, 200, sentinels=[0])
    margin = policy(check("sensitivity", margin=0.05))
    governed.run("nan", nan)
    governed.run("no-golden", champion=None)
    governed.run("other-cases", scored(locked(4, 4)))
    governed.run("sentinel", scored(watched, wrong=[0]), case_set=watched, rules=margin, golden=())
    for run_id, name, rule in [
        ("nan", "scores.finite.candidate", "scores"),
        ("no-golden", "baseline.golden", "baseline"),
        ("other-cases", "scores.cases.candidate", "scores"),
        ("sentinel", "sentinels.golden", "sentinel"),
    ]:
        with refused(ConfigError, f"'{rule}'"):
            waive(governed, name, run_id=run_id)


def test_what_blocks_nothing_is_not_waived(governed: Governed) -> None:
    supporting = policy(check("sensitivity", floor=0.8, role="supporting"))
    governed.run("supporting", BAD, rules=supporting, champion=None)
    with refused(ConfigError, FAILED, "supports"):
        waive(governed, run_id="supporting")
    waive(governed)
    given = waivers(governed.ledger.entries())
    again = {"created": "2026-03-02T12:00:00Z", "rules": FLOORS, "champion": None}
    governed.run("waived", BAD, waivers=given, **again)
    with refused(ConfigError, "run waived"):
        waive(governed, run_id="waived")


def test_an_edited_decision_is_not_waived(governed: Governed) -> None:
    path = governed.workspace.run_folder("run-1") / DECISION
    path.write_text(path.read_text().replace('"limit":0.8', '"limit":0.9'))
    with refused(IntegrityError, "decision.json"):
        waive(governed)


def test_a_decision_other_than_the_recorded_one_is_not_waived(governed: Governed) -> None:
    other = judged(BAD, rules=FLOORS, champion=None, golden=None, findings=("another",))
    path = governed.workspace.run_folder("run-1") / DECISION
    path.write_text(other.to_json())
    with refused(IntegrityError, "decision.json", "entry 1 "):
        waive(governed)


def test_the_decision_of_another_run_is_not_waived(governed: Governed) -> None:
    governed.run("run-2", BAD, rules=FLOORS, champion=None)
    one, other = (governed.workspace.run_folder(name) / DECISION for name in ("run-1", "run-2"))
    one.write_bytes(other.read_bytes())
    with refused(IntegrityError, "decision.json", "run run-2"):
        waive(governed)
