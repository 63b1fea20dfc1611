"""An artefact came out again only where every runtime answers as it did."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.baselines.scores import CaseScores
from components.decision import ExportDecision
from components.records.errors import IntegrityError
from components.records.export import EXPORTS, TFJS, TFLITE_INT8
from pipeline.evidence.reproduce.exports import (
    SAME,
    SAME_BUT_HASH,
    SameExport,
    compare_exports,
)
from tests.components.exporting import exported
from tests.components.planting import locked, scored, sha
from tests.refusing import refused

SCORES = scored(locked(4, 4))


def decided(folder: Path, *exports: ExportDecision, model: str = "model") -> tuple[Path, Any]:
    return folder, SimpleNamespace(exports=exports, hashes={"candidate": sha(model)})


def repeated(root: Path, model: str = "model", scores: CaseScores = SCORES) -> SameExport:
    """What is said of an artefact of `model`, made once more."""
    first, again = root / "first", root / "again"
    old = exported(first, sha("model"), scores=SCORES)
    new = exported(again, sha(model), scores=scores)
    sides = decided(first, old), decided(again, new, model=model)
    (found,) = compare_exports(*sides, tolerance=1e-6)
    return found


def test_the_same_artefact_came_out(tmp_path: Path) -> None:
    found = repeated(tmp_path)
    assert found.files == SAME and found.reproduced
    assert found.scores["tflite"].outcome == "identical"  # type: ignore[union-attr]


def test_the_hash_of_a_model_in_another_folder_is_no_other_artefact(tmp_path: Path) -> None:
    found = repeated(tmp_path, model="the same, of another configuration")
    assert found.files == SAME_BUT_HASH and found.reproduced


def test_other_answers_are_not_reproduced(tmp_path: Path) -> None:
    found = repeated(tmp_path, scores=replace(SCORES, scores=SCORES.scores + 0.01))
    assert not found.reproduced
    assert "8 of 8 cases differ" in str(dict(found.facts())["tflite_int8: scores in tflite"])


def test_other_bytes_are_named(tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    old = exported(first, sha("model"), content=b"calibrated on these")
    new = exported(again, sha("model"), content=b"calibrated on others")
    (found,) = compare_exports(decided(first, old), decided(again, new), tolerance=1e-6)
    assert "model.tflite" in found.files and found.reproduced


def with_archive(model: str, weights: bytes = b"weights") -> bytes:
    """As an exporter writes a .tflite file: the hash of its model also in an archive behind it."""
    stream = io.BytesIO(weights + sha(model).encode())
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(zipfile.ZipInfo("casegate.json"), f'{{"model_sha256": "{sha(model)}"}}')
    return stream.getvalue()


@pytest.mark.parametrize(
    ("weights", "files"), [(b"weights", SAME_BUT_HASH), (b"others!", "other bytes in model.tflite")]
)
def test_the_hash_of_a_model_in_an_archive_is_no_other_artefact(
    tmp_path: Path, weights: bytes, files: str
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    old = exported(first, sha("model"), content=with_archive("model"))
    new = exported(again, sha("other"), content=with_archive("other", weights))
    sides = decided(first, old), decided(again, new, model="other")
    (found,) = compare_exports(*sides, tolerance=1e-6)
    assert found.files == files


def test_an_artefact_that_was_not_made_or_asked_again_is_not_reproduced(tmp_path: Path) -> None:
    old = exported(tmp_path / "first", sha("model"), TFJS)
    (tmp_path / "again").mkdir()
    sides = decided(tmp_path / "first", old), decided(tmp_path / "again")
    (found,) = compare_exports(*sides, tolerance=1e-6)
    assert not found.reproduced and "none came out" in found.files
    new = exported(tmp_path / "again", sha("model"), TFJS)
    (tmp_path / "again" / EXPORTS / TFJS / "scores.chromium_wasm.json").unlink()
    sides = decided(tmp_path / "first", old), decided(tmp_path / "again", new)
    (found,) = compare_exports(*sides, tolerance=1e-6)
    assert found.files == SAME and not found.reproduced
    assert "not asked again" in str(found.scores["chromium_wasm"])


def test_an_altered_record_of_the_run_is_refused(tmp_path: Path) -> None:
    old = exported(tmp_path / "first", sha("model"))
    (tmp_path / "first" / EXPORTS / TFLITE_INT8 / "artefact" / "labels.txt").write_text("other")
    with refused(IntegrityError, tmp_path / "first"):
        sides = decided(tmp_path / "first", old), decided(tmp_path / "first", old)
        compare_exports(*sides, tolerance=1e-6)
