"""Whatever became of an exported artefact since it was judged and released is named."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from components.attestation.keys import new_key
from components.baselines.scores import load_scores, save_scores
from components.decision import Verdict
from components.records.export import TFJS, TFLITE_FLOAT, TFLITE_INT8
from components.records.run_files import RELEASE_ATTESTATION
from pipeline.evidence.answer import Answer
from pipeline.evidence.subject import Evidence
from pipeline.evidence.verify.verify import verify
from tests.pipeline.evidence.releasing import PLACED, RUN, released

pytestmark = pytest.mark.store
EXPORTS = {TFLITE_INT8: Verdict.PASS, TFJS: Verdict.PASS, TFLITE_FLOAT: Verdict.FAIL}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a signed release of two artefacts; a third did not pass."""
    root = tmp_path_factory.mktemp("kept")
    signer = new_key(root / "private", "Dr. Lang")[2]
    return released(root, signers=(signer,), exports=EXPORTS).workspace.root


@pytest.fixture
def root(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "workspace"))


def verified(root: Path) -> Answer:
    with Evidence(root) as evidence:
        return verify(evidence, None)


def found(answer: Answer) -> list[tuple[object, ...]]:
    """What differs and where; the planted workspace has no row of the checks."""
    rows = [row[:2] for table in answer.tables for row in table.rows]
    return [row for row in rows if not str(row[1]).startswith("ML Metadata, check")]


def test_an_untouched_release_has_no_difference_and_says_what_was_counted(root: Path) -> None:
    answer = verified(root)
    assert found(answer) == []
    assert answer.facts["checked: released artefacts"] == "2"
    assert answer.facts["checked: judged artefacts"] == "3"


JUDGED = f"runs/{RUN}/exports"


def drop(path: Path) -> None:
    shutil.rmtree(path)


def alter(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def add(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "model.tflite").write_bytes(b"from nowhere")


@pytest.mark.parametrize(
    "spoil, at, what, where",
    [
        (drop, f"{PLACED}/{TFLITE_INT8}", "artefact", f"{PLACED}/{TFLITE_INT8}"),
        (drop, PLACED, "artefact", f"{PLACED}/{TFLITE_INT8}"),
        (alter, f"{PLACED}/{TFLITE_INT8}/model.tflite", "artefact", f"{PLACED}/{TFLITE_INT8}"),
        (alter, f"{PLACED}/{TFJS}/labels.txt", "artefact", f"{PLACED}/{TFJS}"),
        (add, f"{PLACED}/{TFLITE_FLOAT}", "artefact", f"{PLACED}/{TFLITE_FLOAT}"),
        (add, "exports/chest/8/tfjs", "artefact", "exports/chest/8"),
        (
            alter,
            f"{PLACED}/{TFJS}/{RELEASE_ATTESTATION}",
            "signature",
            f"{PLACED}/{TFJS}/{RELEASE_ATTESTATION}",
        ),
        (
            alter,
            f"{JUDGED}/{TFLITE_FLOAT}/artefact/model.tflite",
            "artefact",
            f"{JUDGED}/{TFLITE_FLOAT}/artefact",
        ),
        (drop, f"{JUDGED}/{TFJS}", "artefact", f"{JUDGED}/{TFJS}/artefact"),
        (add, f"{JUDGED}/tflite_float16", "artefact", f"{JUDGED}/tflite_float16"),
    ],
)
def test_what_was_done_to_an_artefact_is_named(
    root: Path, spoil: Callable[[Path], None], at: str, what: str, where: str
) -> None:
    spoil(root / at)
    answer = verified(root)
    assert (what, str(root / where)) in found(answer) and answer.exit_code == 4


def test_other_scores_of_an_artefact_are_named(root: Path) -> None:
    path = root / JUDGED / TFLITE_INT8 / "scores.tflite.json"
    scores = load_scores(path)
    save_scores(replace(scores, scores=scores.scores + 0.001), path)
    assert ("scores", str(path)) in found(verified(root))
