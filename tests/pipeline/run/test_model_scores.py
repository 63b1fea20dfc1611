"""A SavedModel given to the gate is scored on the locked images, and on no others."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.baselines.case_set import CaseSet, load_case_set
from components.cases.lock import lock_source
from components.cases.sources import open_source
from components.decision import Verdict, decision_from_json
from components.records.errors import IntegrityError, SourceError
from components.records.files import sha256_tree
from pipeline.run.model_scores import score_models
from tests.components.cases.making import picture, write_npz
from tests.pipeline.score_making import casegate
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

POLICY = """\
name: planted
leakage: stop
planned_looks: 3
checks: [{metric: sensitivity, slice: overall, floor: 0.5, rationale: planted}]
"""


class Knowing(tf.Module):
    """A model that reads the label: the record holds it."""

    def __init__(self) -> None:
        super().__init__()
        self.operating_point = tf.Variable(0.5)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"label": tf.io.FixedLenFeature([], tf.int64)})
        probability = 0.25 + 0.5 * tf.cast(parsed["label"], tf.float32)
        return {
            "probability": probability,
            "label": tf.cast(probability >= self.operating_point, tf.int64),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Knows nothing without the label."""
        probability = tf.zeros_like(image, tf.float32)
        return {"probability": probability, "label": tf.cast(probability, tf.int64)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("knowing")
    knowing = Knowing()
    names = ("serve_examples", "serving_default")
    tf.saved_model.save(knowing, str(path), {name: getattr(knowing, name) for name in names})
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_npz(tmp_path / "chest.npz")


@pytest.fixture
def place(data: Path, tmp_path: Path) -> Path:
    path = tmp_path / "baseline" / "case_set.json"
    lock_source(open_source(str(data)), path, author="A. Radiologist", reason="test")
    (path.parent / "policy.yaml").write_text(POLICY)
    return path


@pytest.fixture
def locked_cases(place: Path) -> CaseSet:
    return load_case_set(place)


def test_every_case_is_scored_by_the_model(data: Path, model: Path, locked_cases: CaseSet) -> None:
    scored = score_models({"candidate": model}, locked_cases, open_source(str(data)))["candidate"]
    by_id = dict(zip(scored.case_ids, scored.scores))
    assert by_id == {case.case_id: 0.25 + 0.5 * case.label for case in locked_cases.cases}
    assert (scored.operating_point, scored.model_sha256) == (0.5, sha256_tree(model))
    assert scored.latency_ms and scored.scored_case_set == locked_cases.merkle_root


def test_images_that_are_not_the_locked_ones_are_refused(
    tmp_path: Path, model: Path, locked_cases: CaseSet
) -> None:
    other = write_npz(tmp_path / "chest.npz", test_images=picture(7, (20, 8, 8)))
    with refused(IntegrityError, "chest.npz"):
        score_models({"candidate": model}, locked_cases, open_source(str(other)))


def test_a_folder_that_is_no_such_model_is_refused(
    tmp_path: Path, data: Path, locked_cases: CaseSet
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"no model")
    with refused(SourceError, "serve_examples") as caught:
        score_models({"candidate": tmp_path / "model"}, locked_cases, open_source(str(data)))
    assert "\n" not in str(caught.value)


def test_the_gate_judges_a_model_on_the_images_that_it_is_given(
    data: Path, model: Path, place: Path
) -> None:
    result = casegate(
        "gate", "--case-set", place, "--candidate", model, "--images", data, "--format", "json"
    )
    decision = decision_from_json(result.stdout)
    assert decision.exit_code == result.exit_code == 1
    # Of a picture alone it says something else than of the record with its label.
    assert [c.check for c in decision.checks if c.verdict is Verdict.FAIL] == ["servable"]
    assert decision.hashes["candidate"] == sha256_tree(model)
    floor = next(check for check in decision.checks if check.rule == "floor")
    assert floor.estimate == 1.0 and not np.isnan(floor.lower or np.nan)


def test_without_images_the_error_says_which_option_names_them(
    data: Path, model: Path, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data.unlink()
    result = casegate("gate", "--case-set", place, "--candidate", model)
    assert result.exit_code == 2 and "--source" in result.stderr
