"""The settings of a commit's run, and what its result is kept under."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.ci.commit_run import ci_config, fits, result_key
from pipeline.governance.governed_change import Baseline
from pipeline.run.inputs import Inputs
from pipeline.settings.config import load_config
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import approved, policy, scored, sha
from tests.pipeline.making import Small

GIVEN = (
    "ci.source=phantom:n=20", "ci.baseline=small", "ci.directory=somewhere", "case_set.source=mine",
    "case_set.baseline=locked", "metadata=postgresql://u@h/db", "serving.directory=/srv",
    "signing.threshold=2",
)  # fmt: skip


def test_a_commit_is_judged_on_the_development_cases_and_releases_nothing() -> None:
    found = ci_config(load_config(None, GIVEN), release=False)
    assert vars(found.case_set) == {
        "source": "phantom:n=20",
        "baseline": "small",
        "directory": "somewhere",
    }
    assert (found.serving.release, found.serving.directory, found.metadata) == (False, None, None)


def test_a_candidate_for_release_is_judged_on_the_locked_cases() -> None:
    found = ci_config(load_config(None, GIVEN), release=True)
    assert (found.case_set.source, found.case_set.baseline) == ("mine", "locked")
    assert (found.serving.release, found.signing.unsigned) == (False, True)


def test_without_a_development_case_set_the_locked_one_judges() -> None:
    given = [one for one in GIVEN if not one.startswith("ci.baseline")]
    assert ci_config(load_config(None, given), release=False).case_set.baseline == "locked"


def _settings(*words: str) -> Callable[[Inputs], Inputs]:
    return lambda inputs: replace(inputs, config=load_config(None, ["data.source=phantom", *words]))


CHANGES: dict[str, Callable[[Inputs], Inputs]] = {
    "policy": lambda i: replace(i, policy=replace(i.policy, sha256=sha("other"))),
    "golden": lambda i: replace(i, golden_sha256=sha("other")),
    "case set": lambda i: replace(i, case_set_sha256=sha("other")),
    "images": lambda i: replace(i, case_source_sha256=sha("other")),
    "data": lambda i: replace(i, source_sha256=sha("other")),
    "schema": lambda i: replace(i, schema_sha256=sha("other")),
    "drift": _settings("data.drift=report"),
    "window": _settings("data.window=rolling"),
    "model": _settings("model.epochs=3"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_all_that_decides_is_part_of_the_key(small: Small, what: str) -> None:
    inputs = small.prepared()
    assert result_key(CHANGES[what](inputs), None) != result_key(inputs, None)


def test_on_which_engine_it_runs_is_no_part_of_the_key(small: Small) -> None:
    inputs = small.prepared()
    elsewhere = _settings("beam.pipeline_args=[--x]")
    assert result_key(elsewhere(inputs), None) == result_key(_settings()(inputs), None)
    assert elsewhere(inputs).fingerprint == _settings()(inputs).fingerprint


def test_the_champion_is_part_of_the_key(small: Small) -> None:
    inputs = small.prepared()
    keys = {result_key(inputs, one) for one in (None, scored(CASES), scored(CASES, wrong=[1]))}
    assert len(keys) == 3


def test_where_things_lie_is_no_part_of_the_key(small: Small) -> None:
    inputs = small.prepared()
    moved = replace(
        inputs,
        config=small.config("serving.directory=/elsewhere", "ci.docs=[x]", "retention.keep_runs=3"),
        destination=small.workspace.root / "other",
        run_id="run-2",
    )
    assert result_key(moved, None) == result_key(inputs, None)


def test_a_kept_decision_by_another_policy_or_golden_does_not_fit(small: Small) -> None:
    decision, golden = judged(), approved(scored(CASES, model="go"))
    ours = Baseline(small.workspace.root, CASES, policy(), golden)
    ours = replace(ours, policy=replace(ours.policy, sha256=str(decision.hashes["policy"])))
    assert fits(decision, ours)
    assert not fits(decision, replace(ours, golden=None))
    assert not fits(decision, replace(ours, policy=replace(ours.policy, sha256=sha("other"))))
