"""One small model and its artefacts, made once; tests that spoil one work on a copy."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from components.exports import tflite
from components.exports.exporting import export_artefact
from components.records.export import ExportRecord
from tests.components.exports.making import saved, tuning

Exporting = Callable[[Path, str, Path], ExportRecord]


@pytest.fixture(scope="session")
def export() -> Exporting:
    """Makes an artefact of a SavedModel in a new folder."""

    def export(model: Path, kind: str, folder: Path) -> ExportRecord:
        folder.mkdir(parents=True)
        convert = partial(tflite.convert, kind)
        return export_artefact(
            model, tuning(), kind, folder, target_sensitivity=0.9, convert=convert
        )

    return export


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("bright") / "model")


@pytest.fixture(scope="session")
def int8(model: Path, export: Exporting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "tflite_int8"
    export(model, "tflite_int8", folder)
    return folder
