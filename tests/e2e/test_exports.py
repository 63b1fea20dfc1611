"""One real run with exports: made, scored in their own runtime, judged, and released with it."""

import numpy as np
import pytest

from components.baselines.export_scores import ExportScores, load_export_scores
from components.baselines.scores import CaseScores, load_scores
from components.records.export import EXPORTS
from pipeline.settings.config import load_config
from tests.e2e.making import POLICY, Watched, make_small_data, watched_run

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
KINDS = ("tflite_int8", "tflite_float")
QUICK = (
    "model.epochs=4",
    "model.image_size=32",
    "model.filters=[8, 16]",
    "model.learning_rate=0.004",
    "signing.unsigned=true",
    f"exports=[{', '.join(KINDS)}]",
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    root = tmp_path_factory.mktemp("exports")
    data = make_small_data(root / "small", training=400, judged=200)
    policy = root / "workspace" / "baselines" / "small" / "policy.yaml"
    policy.parent.mkdir(parents=True)
    policy.write_text(POLICY)
    config = load_config(None, [f"data.source={data.folder}", *QUICK])
    return watched_run(config, root / "workspace")


def found(ran: Watched, kind: str) -> tuple[CaseScores, ExportScores]:
    """The candidate's scores, and what was found of the artefact."""
    folder = ran.outcome.report.parent
    return load_scores(folder / "scores.json"), load_export_scores(folder / EXPORTS / kind, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_each_form_was_scored_on_the_locked_cases(ran: Watched, kind: str) -> None:
    model, export = found(ran, kind)
    assert export.record is not None and export.record.model_sha256 == model.model_sha256
    scores = export.scores["tflite"]
    assert scores.case_ids == model.case_ids and scores.scored_case_set == model.scored_case_set
    apart = np.abs(scores.scores - model.scores)
    assert apart.max() < 1e-4 if kind == "tflite_float" else apart.mean() < 0.05
    assert set(scores.latency_ms or {}) == {"median", "p95"}


def test_the_decision_has_what_became_of_each(ran: Watched) -> None:
    assert [export.kind for export in ran.outcome.decision.exports] == list(KINDS)
    for export in ran.outcome.decision.exports:
        assert export.runtimes["tflite"].n == 200 and export.sha256
        assert any(check.check.startswith("tflite:") for check in export.checks)


def test_whole_numbers_are_a_third_of_the_floats(ran: Watched) -> None:
    sizes = [found(ran, kind)[1].measured.size_bytes for kind in KINDS]
    assert 0 < sizes[0] < sizes[1]
