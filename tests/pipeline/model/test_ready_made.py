import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_tree
from components.records.run_files import RELEASE_RECORD
from components.scoring.contract import refuse_unkept
from components.scoring.serving_terms import WARM_UP
from pipeline.model.export import Classifier, export
from pipeline.model.ready_made import pass_through, verify_ready_made
from tests.pipeline.model.test_export import Transform, shipped
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel as another machine may have trained it."""
    folder = tmp_path_factory.mktemp("elsewhere") / "model"
    export(Classifier(shipped(), Transform(), 0.25), str(folder), {"trained": "there"})
    return folder


def test_a_model_with_the_signatures_and_the_operating_point_is_taken(elsewhere: Path) -> None:
    verify_ready_made(elsewhere)


def test_it_is_passed_through_as_it_is_with_a_release_record_of_its_own(
    elsewhere: Path, tmp_path: Path
) -> None:
    before = sha256_tree(elsewhere)
    pass_through(elsewhere, before, str(tmp_path / "out"), {"owner": "ward 3"})
    assert sha256_tree(elsewhere) == before
    assert json.loads((tmp_path / "out" / RELEASE_RECORD).read_text()) == {"owner": "ward 3"}
    for path in (elsewhere / "saved_model.pb", *(elsewhere / "variables").iterdir()):
        assert (tmp_path / "out" / path.relative_to(elsewhere)).read_bytes() == path.read_bytes()


def test_one_without_warm_up_gets_it_and_requests_of_others_are_not_released(
    elsewhere: Path, tmp_path: Path
) -> None:
    older = shutil.copytree(elsewhere, tmp_path / "older")
    (older / WARM_UP).unlink()
    foreign = shutil.copytree(elsewhere, tmp_path / "foreign")
    (foreign / WARM_UP).write_bytes(b"a patient's picture")
    for folder in (older, foreign):
        out = tmp_path / f"{folder.name}_out"
        pass_through(folder, sha256_tree(folder), str(out), {})
        assert (out / WARM_UP).read_bytes() == (elsewhere / WARM_UP).read_bytes()
        refuse_unkept(out)


def test_one_that_changed_since_it_was_checked_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    with refused(IntegrityError, elsewhere, "0" * 64):
        pass_through(elsewhere, "0" * 64, str(tmp_path / "out"), {})
    assert not (tmp_path / "out").exists()


class Other(tf.Module):
    """A SavedModel that nobody made for the gate."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def double(self, x: tf.Tensor) -> tf.Tensor:
        return 2 * x


def test_what_does_not_answer_as_a_released_model_is_refused(
    elsewhere: Path, tmp_path: Path
) -> None:
    tf.saved_model.save(Other(), str(tmp_path / "other"))
    export(Classifier(shipped(), Transform(), 1.5), str(tmp_path / "above"), {})
    damaged = shutil.copytree(elsewhere, tmp_path / "damaged")
    (damaged / "saved_model.pb").write_bytes(b"no graph")
    for name, fact in (("other", "serve_examples"), ("above", "1.5"), ("damaged", "damaged")):
        with refused(ConfigError, tmp_path / name, fact):
            verify_ready_made(tmp_path / name)
