"""What two runs were given, and what must not be called a difference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.gate.rules import judged_part
from components.metrics import METRICS
from components.records.errors import IntegrityError
from pipeline.evidence.judged import CANDIDATE, judged
from pipeline.evidence.questions.diff import compare_figures, compare_settings, diff
from pipeline.evidence.questions.performance import interval, performance
from pipeline.evidence.subject import Evidence
from tests.pipeline.evidence.releasing import RUN, VERSION, ReleasedRun, released


@pytest.fixture
def run(tmp_path: Path) -> ReleasedRun:
    return released(tmp_path, wrong=(1, 5))


def test_a_policy_that_was_never_read_is_not_compared(run: ReleasedRun) -> None:
    stopped = replace(run.record, inputs=replace(run.record.inputs, policy_sha256=None))
    with Evidence(run.workspace.root) as evidence:
        tables, missing = compare_settings(evidence, run.record, stopped)
    assert "stopped before it had read one" in missing["policy"]
    assert {t.name: t.rows for t in tables}["policy"] == ()


def test_a_policy_whose_text_is_kept_no_more_is_said_so(run: ReleasedRun) -> None:
    other = replace(run.record, inputs=replace(run.record.inputs, policy_sha256="f" * 64))
    with Evidence(run.workspace.root) as evidence:
        _, missing = compare_settings(evidence, run.record, other)
    assert "whose text is kept no more" in missing["policy"]


def test_an_edited_configuration_is_not_compared(run: ReleasedRun) -> None:
    (run.workspace.run_folder(RUN) / "config.json").write_text('{"owner": "Nobody"}')
    with Evidence(run.workspace.root) as evidence, pytest.raises(IntegrityError, match="config"):
        compare_settings(evidence, run.record, run.record)


def test_who_approved_is_said_of_both_sides(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        facts = diff(evidence, evidence.subject(RUN), evidence.subject(str(VERSION))).facts
    for side in ("first", "second"):
        assert facts[f"approved, {side}: golden"] == "A. Radiologist"
        assert facts[f"approved, {side}: signed statement on the release"] == "unsigned"


def test_patients_are_aggregated_as_the_gate_does(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        other = judged(evidence, evidence.subject(RUN))
    other.cases.patients[:] = np.arange(len(other.cases.ids)) // 2
    other = replace(other, policy=replace(other.policy, patients="aggregated"))
    golden = replace(other, scores={CANDIDATE: other.scores["champion"]})
    golden = replace(golden, outputs={CANDIDATE: other.outputs["champion"]})
    (_, metrics, _), _ = compare_figures(golden, other)
    (row,) = [r for r in metrics.rows if r[0] == "sensitivity"]
    ours, theirs = (
        judged_part(other.policy, other.cases, outputs, other.cases.mask({}))
        for outputs in (other.outputs[CANDIDATE], other.outputs["champion"])
    )
    wanted = METRICS["sensitivity"].change(ours, theirs, alpha=0.025, method="tango")
    assert row[7:] == (wanted.estimate, wanted.lower, wanted.upper)
    images = METRICS["sensitivity"].change(
        other.outputs[CANDIDATE], other.outputs["champion"], alpha=0.025, method="tango"
    )
    assert row[8] != images.lower  # or the test could not tell the two apart


def test_the_check_s_own_interval_is_the_one_that_is_shown(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        policy = judged(evidence, evidence.subject(RUN)).policy
    checks = (replace(policy.checks[0], method="wilson", alpha=0.05),)
    policy = replace(policy, checks=checks)
    assert interval(policy, "sensitivity", {})[::2] == ("wilson", 0.05)
    assert interval(policy, "sensitivity", {"device": "A"})[::2] == ("clopper_pearson", 0.025)


def test_the_baseline_s_own_file_stands_in_for_a_copy_that_is_gone(run: ReleasedRun) -> None:
    (copy,) = (run.workspace.root / "inputs").glob("case_set-*")
    copy.unlink()
    with Evidence(run.workspace.root) as evidence:
        assert performance(evidence, evidence.subject(RUN)).facts["cases"] == 80
        own = run.workspace.baselines / "planted" / "case_set.json"
        own.write_bytes(own.read_bytes() + b"\n")
        with pytest.raises(IntegrityError, match="is gone"):
            performance(evidence, evidence.subject(RUN))
