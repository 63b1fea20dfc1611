"""A whole run whose components work in other processes, held to the same run in this one."""

import json
from pathlib import Path
from typing import Any

import pytest
from tfx.utils import dependency_utils

from components.baselines.scores import load_scores
from components.records.run_files import SCORES
from components.scoring import spread
from components.scoring.score import Answers
from components.scoring.spread import read_answers
from pipeline.run.workers import start_pool
from tests.e2e.conftest import Released
from tests.e2e.making import POLICY, watched_run
from tests.e2e.processes import job_server

pytestmark = [pytest.mark.tensorflow, pytest.mark.process]

# What says which run it was, and not what was found; a model's hash covers its release record.
WHICH_RUN = {"created", "run_id", "decision_sha256", "candidate", "candidate_scores"}


def differing(here: Any, there: Any, place: str = "") -> list[str]:
    """Where two documents differ, but for which run made them."""
    if isinstance(here, dict) and isinstance(there, dict):
        keys = sorted((here.keys() | there.keys()) - WHICH_RUN)
        found = [differing(here.get(key), there.get(key), f"{place}.{key}") for key in keys]
        return [each for places in found for each in places]
    return [] if here == there else [f"{place}: {here!r} {there!r}"]


def test_worker_processes_come_to_the_same_decision_value_by_value(
    honest: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # TFX's own, 49 MB for each component in the temporary folder, which nobody removes.
    monkeypatch.setattr(
        dependency_utils, "build_ephemeral_package", lambda: built.append("package")
    )
    built: list[str] = []
    parts: list[Path] = []  # of answers that workers wrote

    def read(path: Path) -> Answers:
        parts.append(path)
        return read_answers(path)

    monkeypatch.setattr(spread, "read_answers", read)
    workspace = tmp_path / "workspace"
    policy = workspace / "baselines" / "small" / "policy.yaml"
    policy.parent.mkdir(parents=True)
    policy.write_text(POLICY)
    pool, server, address = start_pool("127.0.0.1:0")
    try:
        with job_server(tmp_path) as endpoint:
            config = honest.data.config(
                "beam.engine=portable",
                f'beam.job_endpoint="{endpoint}"',
                "beam.environment=pool",
                f'beam.worker_pool="{address}"',
                "beam.score_from_cases=1",
                'beam.pipeline_args=["--direct_num_workers=2"]',
            )
            there = watched_run(config, workspace)
            assert pool.started >= 2
    finally:
        pool.stop()
        server.stop(0)
    here = honest.first.outcome
    assert built == []
    assert there.kinds()["TrainingCases"] == there.kinds()["Evaluator"] == "finished"
    assert {path.parts[-5] for path in parts} == {"CandidateScorer", "ReferenceScorer"}
    for component in ("TrainingCases", "CaseSet"):
        shown = [event.values for event in there.progress(component)]
        assert shown and shown[-1]["done"] == shown[-1]["total"]
        assert shown == sorted(shown, key=lambda values: values["done"])
    decisions = [json.loads(one.decision.to_json()) for one in (here, there.outcome)]
    assert "\n".join(differing(*decisions)) == ""
    ours, theirs = (load_scores(one.report.with_name(SCORES)) for one in (here, there.outcome))
    assert ours.case_ids == theirs.case_ids
    assert ours.scores.tobytes() == theirs.scores.tobytes()


def test_another_engine_reruns_nothing(released: Released) -> None:
    config = released.data.config('beam.pipeline_args=["--direct_num_workers=1"]')
    assert watched_run(config, released.workspace).outcome.served_from_cache
