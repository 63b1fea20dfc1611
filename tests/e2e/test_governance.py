"""What people decide about releases, through the real pipeline: waivers, rollbacks, amendments."""

import json
from datetime import date, timedelta

import pytest
from click.testing import CliRunner, Result

from components.baselines.case_set import load_case_set
from components.baselines.golden import load_golden
from components.decision import Decision, Verdict, load_decision
from components.records.errors import CasegateError
from components.records.ledger.ledger import Entry, Ledger
from components.release import component as release_component
from components.release.serving import versions
from pipeline.cli import main
from tests.e2e.conftest import Released
from tests.e2e.making import HARSH, OTHER_SEED, POLICY, released_sha256, watched_run

pytestmark = pytest.mark.tensorflow

BY = ("--by", "A. Radiologist", "--reason", "seen and agreed")


def casegate(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def entries(released: Released) -> list[Entry]:
    return list(Ledger(released.workspace / "ledger.jsonl").entries())


def kinds(released: Released) -> list[str]:
    return [entry.kind for entry in entries(released)]


def without_the_pipelines_own(decision: Decision) -> dict:
    """The decision but for what only a run knows: who asked when, the Evaluator, the data."""
    document = json.loads(decision.to_json())
    for key in ("run_id", "created", "looks", "findings", "decision_sha256"):
        del document[key]
    document["checks"] = [
        check for check in document["checks"] if check["rule"] not in ("evaluator", "looks")
    ]
    return document


def test_the_ledger_tells_how_the_first_release_came_about(honest: Released) -> None:
    assert kinds(honest) == [
        *["look", "decision", "run"],
        "approval",
        *["look", "decision", "release", "run"],
    ]
    release = entries(honest)[-2].body
    second = honest.second.outcome
    assert second.release is not None
    assert release["model_sha256"] == second.decision.hashes["candidate"]
    assert release["decision_sha256"] == second.decision.decision_sha256
    assert (second.decision.looks.used, second.decision.looks.planned) == (2, 100)
    checked = casegate("ledger", "verify", "--workspace", honest.workspace)
    assert checked.exit_code == 0, checked.output


def test_a_retraining_is_reported_and_the_gate_command_decides_the_same(
    retrained: Released,
) -> None:
    outcome = watched_run(retrained.data.config(OTHER_SEED), retrained.workspace).outcome
    page = outcome.report.read_text("utf-8")
    assert outcome.report.name == "report.html" and outcome.summary.exists()
    changed = {name for flips in outcome.decision.flips for name in (*flips.lost, *flips.gained)}
    assert changed and all(name in page for name in changed)
    assert page.count("data:image/png;base64,") >= len(changed)
    folder, baseline = outcome.report.parent, retrained.workspace / "baselines" / "small"
    said = casegate(
        *("gate", "--case-set", baseline / "case_set.json", "--policy", baseline / "policy.yaml"),
        *("--candidate", folder / "scores.json", "--champion", folder / "champion_scores.json"),
        *("--golden", baseline / "golden.json"),
        *("--format", "json", "--output", retrained.root / "decision.json"),
    )
    assert said.exit_code == outcome.decision.exit_code, said.output
    ours = load_decision(retrained.root / "decision.json")
    assert without_the_pipelines_own(ours) == without_the_pipelines_own(outcome.decision)
    assert len(ours.comparisons) and len(ours.self_tests)


def test_two_people_let_a_failed_check_through_for_one_model(retrained: Released) -> None:
    retrained.policy.write_text(HARSH)
    config = retrained.data.config(OTHER_SEED)
    blocked = retrained.blocked
    assert (blocked.decision.verdict, blocked.exit_code) == (Verdict.FAIL, 1)
    before = released_sha256(retrained.workspace)
    for check in [check.check for check in blocked.decision.checks if check.open]:
        waived = casegate(
            *("waive", check, "--run", blocked.decision.run_id, "--second", "B. Physicist", *BY),
            *("--expires", date.today() + timedelta(days=7), "--workspace", retrained.workspace),
        )
        assert waived.exit_code == 0, waived.output
    through = watched_run(config, retrained.workspace)
    assert through.kinds()["Trainer"] == "cached"
    outcome = through.outcome
    assert (outcome.decision.verdict, outcome.exit_code) == (Verdict.PASS, 0)
    assert {note.state for note in outcome.decision.waivers} == {"applied"}
    assert released_sha256(retrained.workspace) == outcome.decision.hashes["candidate"] != before
    assert "B. Physicist" in outcome.report.read_text("utf-8")


def test_what_was_rolled_back_stays_out_and_the_earlier_model_serves(retrained: Released) -> None:
    destination = retrained.workspace / "serving" / "pneumonia"
    earlier = released_sha256(retrained.workspace)
    config = retrained.data.config(OTHER_SEED)
    assert watched_run(config, retrained.workspace).outcome.exit_code == 0
    first, second = versions(destination)
    rolled = casegate("rollback", "--to", first, *BY, "--workspace", retrained.workspace)
    assert rolled.exit_code == 0, rolled.output
    assert len(versions(destination)) == 3 and max(versions(destination)) > second
    assert released_sha256(retrained.workspace) == earlier
    again = watched_run(config, retrained.workspace).outcome
    assert again.exit_code == 1 and released_sha256(retrained.workspace) == earlier
    (check,) = [c for c in again.decision.checks if c.check == "baseline.withdrawn"]
    assert "A. Radiologist" in check.reason
    checked = casegate("ledger", "verify", "--workspace", retrained.workspace)
    assert checked.exit_code == 0, checked.output


def test_an_amended_case_set_judges_the_next_run_and_golden_goes_with_it(
    released: Released,
) -> None:
    baseline = released.workspace / "baselines" / "small"
    before = load_case_set(baseline / "case_set.json")
    retired, marked = before.cases[0].case_id, before.cases[1].case_id
    amended = casegate(
        *("cases", "amend", baseline / "case_set.json", *BY, "--workspace", released.workspace),
        *("--retire", retired, "--sentinel", marked),
    )
    assert amended.exit_code == 0, amended.output
    after = load_case_set(baseline / "case_set.json")
    assert (after.version, after.parent) == (2, before.merkle_root)
    assert load_golden(baseline / "golden.json").scores.scored_case_set == after.merkle_root
    outcome = watched_run(released.data.config(), released.workspace).outcome
    assert (outcome.decision.case_set["version"], outcome.exit_code) == (2, 0)
    assert outcome.decision.case_set["cases"] == len(before.cases) - 1
    assert any(check.check == "sentinels.golden" for check in outcome.decision.checks)
    assert outcome.decision.looks.used == 3  # two were at version 1


def test_a_release_whose_entry_was_lost_in_a_crash_is_written_down_by_the_next_run(
    retrained: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*positional: object, **named: object) -> None:
        raise OSError("no space left on device")

    config = retrained.data.config(OTHER_SEED)
    with monkeypatch.context() as crashing:
        crashing.setattr(release_component, "record_release", crash)
        with pytest.raises(CasegateError):
            watched_run(config, retrained.workspace)
    assert kinds(retrained)[-2:] == ["decision", "run"]
    again = watched_run(config, retrained.workspace).outcome
    assert again.exit_code == 0
    recorded = [entry for entry in entries(retrained) if entry.kind == "release"]
    assert recorded[-1].body["model_sha256"] == released_sha256(retrained.workspace)


@pytest.mark.slow  # the gate's own tests show what coverage blocks
def test_a_device_that_training_never_saw_is_blocked_by_name(released: Released) -> None:
    released.policy.write_text(
        POLICY.replace(
            "descriptive_slices",
            "coverage: {attributes: [device], at_least: 20, rationale: planted}\n"
            "descriptive_slices",
        )
    )
    data = released.data
    kept = [row for row in data.rows() if row["split"] == "test" or row["device"] != "Cirrus"]
    data.write_rows(kept)
    outcome = watched_run(data.config(), released.workspace).outcome
    open_checks = [check.check for check in outcome.decision.checks if check.open]
    assert "coverage[device=Cirrus]" in open_checks and outcome.exit_code == 1
    assert not any("coverage[device=Aster]" in name for name in open_checks)
