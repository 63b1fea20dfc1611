"""Artefacts appear with their version whole or not at all, and only what was judged."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from components.records.errors import ConfigError, IntegrityError
from components.records.export import TFLITE_FLOAT, TFLITE_INT8, export_sha256
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import Release
from components.release.exports import exports_of, released_export
from components.release.placing import discard_interrupted, place_exports, stage_exports
from components.release.serving import INCOMING
from tests.components.exporting import artefact
from tests.components.planting import sha
from tests.components.release.test_serving import put
from tests.refusing import refused

MODEL = sha("model")


def staged(root: Path, **changed: Any) -> Path:
    """Two artefacts of MODEL, staged as version 7."""
    sources = {kind: root / "judged" / kind for kind in (TFLITE_INT8, TFLITE_FLOAT)}
    wanted = {kind: artefact(folder, MODEL, kind) for kind, folder in sources.items()}
    given = {"sources": sources, "wanted": wanted, "model_sha256": MODEL, "version": 7}
    return stage_exports(**{**given, "exports": exports(root), **changed})


def exports(root: Path) -> Path:
    return exports_of(root, root / "serving" / "chest")


def test_the_artefacts_of_a_version_appear_together_each_with_the_signature(tmp_path: Path) -> None:
    envelope = tmp_path / "release.dsse.json"
    envelope.write_text("signed")
    folder = staged(tmp_path)
    assert not (exports(tmp_path) / "7").exists()
    before = {path.name: export_sha256(path) for path in folder.iterdir()}
    place_exports(folder, exports(tmp_path), signed=envelope)
    placed = list((exports(tmp_path) / "7").iterdir())
    assert {path.name: export_sha256(path) for path in placed} == before
    assert [(path / "release.dsse.json").read_text() for path in placed] == ["signed"] * 2
    assert not (tmp_path / "exports" / INCOMING).exists()


def test_a_model_without_artefacts_leaves_no_folder(tmp_path: Path) -> None:
    place_exports(staged(tmp_path, wanted={}), exports(tmp_path))
    assert not exports(tmp_path).exists()
    assert not (tmp_path / "exports" / INCOMING).exists()


@pytest.mark.parametrize(
    "changed, fact",
    [
        ({"wanted": {TFLITE_INT8: "0" * 64}}, "wanted 000000000000"),
        ({"model_sha256": sha("another")}, "made from model"),
        ({"sources": {TFLITE_INT8: Path("nowhere")}, "wanted": {TFLITE_INT8: MODEL}}, "nowhere"),
    ],
)
def test_what_is_not_what_was_judged_is_refused(
    tmp_path: Path, changed: dict[str, Any], fact: str
) -> None:
    with refused(IntegrityError, fact):
        staged(tmp_path, **changed)
    assert not exports(tmp_path).exists()


def test_an_artefact_under_the_name_of_another_kind_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "judged" / TFLITE_INT8
    named = {TFLITE_FLOAT: artefact(source, MODEL, TFLITE_INT8)}
    with refused(IntegrityError, "kind", TFLITE_INT8, TFLITE_FLOAT):
        staged(tmp_path, sources={TFLITE_FLOAT: source}, wanted=named)


def test_artefacts_whose_version_never_came_are_removed_and_no_others(tmp_path: Path) -> None:
    destination, ledger = tmp_path / "serving" / "chest", Ledger(tmp_path / "ledger.jsonl")
    put(destination, 8)
    for version in ("7", "8", "9"):
        (exports(tmp_path) / version).mkdir(parents=True)
    body = {"destination": "serving/chest", "version": 9, "model_sha256": MODEL}
    body |= {"run_id": "run-1", "decision_sha256": MODEL, "exports": {TFLITE_INT8: MODEL}}
    ledger.append("release", body, by="casegate", at="2025-03-31T12:00:00Z")
    staged(tmp_path)
    discard_interrupted(destination, tmp_path, ledger)
    assert sorted(path.name for path in exports(tmp_path).iterdir()) == ["8", "9"]
    assert not (tmp_path / "exports" / INCOMING).exists()


def test_a_released_artefact_is_found_and_no_altered_one(tmp_path: Path) -> None:
    folder = exports(tmp_path) / "7" / TFLITE_INT8
    found = {TFLITE_INT8: artefact(folder, MODEL)}
    release = Release("serving/chest", 7, MODEL, MODEL, 1, "release", "casegate", "", exports=found)
    assert released_export(tmp_path, release, TFLITE_INT8) == folder
    with refused(ConfigError, TFLITE_FLOAT, TFLITE_INT8):
        released_export(tmp_path, release, TFLITE_FLOAT)
    (folder / "labels.txt").write_text("pneumonia\nnormal\n")
    with refused(IntegrityError, folder):
        released_export(tmp_path, release, TFLITE_INT8)
    shutil.rmtree(folder)
    with refused(IntegrityError, folder):
        released_export(tmp_path, release, TFLITE_INT8)
