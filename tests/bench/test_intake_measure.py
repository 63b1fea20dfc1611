from dataclasses import replace

import numpy as np
import pytest

from tests.bench import intake_measure
from tests.bench.figures import Setting
from tests.bench.intake_measure import (
    FolderFigure,
    Intake,
    SyntaxFigure,
    measured_intake,
    section,
)

SETTING = Setting("Some CPU", 2, 0.1, "2026-01-31", {"python": "3.10.13"})
FOUND = Intake(
    (SyntaxFigure("RLE Lossless", 40.0, 20.0, 60.0, 48.0),),
    (FolderFigure(100, 1.0, 0.1, 2.0, 100.0), FolderFigure(1000, 9.0, 1.0, 20.0, 125.0)),
    2000,
    900.0,
    450.0,
)


def test_cases_from_files_are_held_against_what_pydicom_decodes_of_them() -> None:
    line = "| RLE Lossless | 40.0 | 20.0 | 0.50 x | 60.0 | 48.0 | 0.80 x | **met** |"
    assert line in section(FOUND, SETTING)
    slower = replace(FOUND.syntaxes[0], cases=47.9)
    assert "| 0.80 x | **missed** |" in section(replace(FOUND, syntaxes=(slower,)), SETTING)


def test_ten_times_the_files_may_take_a_quarter_more() -> None:
    assert "1.25 x, wanted at most 1.25: **met**" in section(FOUND, SETTING)
    folders = (FOUND.folders[0], replace(FOUND.folders[1], mib=126.0))
    assert "at most 1.25: **missed**" in section(replace(FOUND, folders=folders), SETTING)


def test_everything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    small = np.random.default_rng(1).integers(0, 1 << intake_measure.STORED, (40, 32))
    monkeypatch.setattr(intake_measure, "_chest", lambda: small)
    found = measured_intake(8, (12, 24), 16, lambda text: None)
    assert min(one.cases for one in found.syntaxes) > 0
    assert [one.files for one in found.folders] == [12, 24]
    assert found.jpegs_taken_in > 0
