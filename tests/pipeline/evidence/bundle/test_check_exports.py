"""A bundle holds what was judged of each artefact, and none that nobody judged."""

import hashlib
from pathlib import Path

import pytest

from components.attestation.keys import PUBLIC, Signer, new_key
from components.bundle.archive import read_archive
from components.decision import Verdict
from components.records.errors import IntegrityError
from components.records.export import TFJS, TFLITE_FLOAT, TFLITE_INT8
from pipeline.evidence.bundle.check import check
from tests.pipeline.evidence.bundling import bundled, rechained, resealed
from tests.pipeline.evidence.releasing import ReleasedRun, public_pem, released
from tests.refusing import refused

pytestmark = pytest.mark.store
EXPORTS = {TFLITE_INT8: Verdict.PASS, TFJS: Verdict.PASS, TFLITE_FLOAT: Verdict.FAIL}
RECORD, MODEL = "exports/tflite_int8/artefact/export.json", "exports/tflite_int8/artefact"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return new_key(tmp_path_factory.mktemp("keys"), "Dr. Lang")[2]


@pytest.fixture(scope="module")
def run(signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> ReleasedRun:
    root = tmp_path_factory.mktemp("exported")
    return released(root, signers=(signer,), exports=EXPORTS)


@pytest.fixture
def key(signer: Signer, tmp_path: Path) -> Path:
    path = tmp_path / f"lang{PUBLIC}"
    path.write_bytes(public_pem(signer))
    return path


def found(path: Path, key: Path) -> dict[str, str]:
    answer = check(path, keys=[key])
    assert answer.exit_code == 0
    return {str(what): str(detail) for what, _, detail in answer.tables[0].rows}


@pytest.mark.parametrize("model", [False, True])
def test_every_artefact_that_was_judged_is_checked_with_or_without_its_model(
    run: ReleasedRun, tmp_path: Path, key: Path, model: bool
) -> None:
    path = bundled(run, tmp_path / "b.zip", model=model)
    assert (f"{MODEL}/model.tflite" in read_archive(path)) is model
    details = found(path, key)
    for export in run.decision.exports:
        detail = details[f"artefact {export.kind}"]
        assert str(export.sha256) in detail and ("left out" in detail) is not model
    assert (
        TFLITE_INT8 in details["signed release"] and TFLITE_FLOAT not in details["signed release"]
    )


@pytest.mark.parametrize(
    "name, content, fact",
    [
        (f"{MODEL}/model.tflite", b"another network", "artefact tflite_int8"),
        (f"{MODEL}/labels.txt", b"pneumonia\nnormal\n", "artefact tflite_int8"),
        (f"{MODEL}/labels.txt", None, "artefact tflite_int8"),
        (RECORD, None, RECORD),
        ("exports/tfjs/scores.node_wasm.json", None, "exports/tfjs/scores.node_wasm.json"),
        ("exports/tflite_float16/artefact/model.tflite", b"?", "exports/tflite_float16"),
    ],
)
def test_what_was_changed_of_an_artefact_is_named(
    run: ReleasedRun, tmp_path: Path, name: str, content: bytes | None, fact: str
) -> None:
    path = resealed(bundled(run, tmp_path / "b.zip", model=True), {name: content})
    with refused(IntegrityError, fact):
        check(path)


def test_another_operating_point_in_the_record_is_named(run: ReleasedRun, tmp_path: Path) -> None:
    path = bundled(run, tmp_path / "b.zip")
    content = read_archive(path)[RECORD].replace(b'"operating_point":0.5', b'"operating_point":0.4')
    assert hashlib.sha256(content) != hashlib.sha256(read_archive(path)[RECORD])
    with refused(IntegrityError, "artefact tflite_int8"):
        check(resealed(path, {RECORD: content}))


def test_a_release_of_an_artefact_that_did_not_pass_is_named(
    run: ReleasedRun, tmp_path: Path
) -> None:
    path = bundled(run, tmp_path / "b.zip")
    ledger = rechained(read_archive(path)["ledger.jsonl"], '"tfjs":"', '"tflite_float":"')
    with refused(IntegrityError, "the artefacts that passed"):
        check(resealed(path, {"ledger.jsonl": ledger}))


def test_a_run_whose_artefact_was_altered_goes_into_no_bundle(tmp_path: Path) -> None:
    run = released(tmp_path, exports=EXPORTS)
    (path,) = run.workspace.runs.glob(f"*/{MODEL}/labels.txt")
    path.write_bytes(b"pneumonia\nnormal\n")
    with refused(IntegrityError, TFLITE_INT8):
        bundled(run, tmp_path / "b.zip")
