import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.baselines.golden import Golden, load_golden, save_golden
from components.errors import IntegrityError
from tests.components.planting import approved, locked, scored

GOLDEN = approved(scored(locked(4, 6), model="golden"))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_golden(GOLDEN, tmp_path / "golden.json")
    return tmp_path / "golden.json"


def test_round_trip(saved: Path) -> None:
    back = load_golden(saved)
    np.testing.assert_array_equal(back.scores.scores, GOLDEN.scores.scores)
    assert back.approval == GOLDEN.approval and back.golden_sha256 == GOLDEN.golden_sha256


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('["case-0000",0.8]', '["case-0000",0.81]', "scores were edited"),
        ('"operating_point": 0.5', '"operating_point": 0.4', "scores were edited"),
        ('"by":"A. Radiologist"', '"by":"B. Radiologist"', "approval"),
        ('"date":"2025-03-31"', '"date":"2025-03-30"', "approval"),
        ('"latency_ms": null', '"latency_ms": {}', "approval or the header"),
        ('"case-0009"', '"case-0008"', "twice|edited"),
        ('["case-0000",0.8]', '["case-0000",1e999]', "edited|finite"),
        ('["case-0000",0.8]', '["case-0000",null]', "wanted number"),
    ],
)
def test_an_edit_is_found(saved: Path, old: str, new: str, message: str) -> None:
    text = saved.read_text()
    assert text.count(old) == 1
    saved.write_text(text.replace(old, new))
    with pytest.raises(IntegrityError, match=message):
        load_golden(saved)


def test_every_changed_byte_that_matters_is_found(saved: Path) -> None:
    content = saved.read_bytes()
    for place in range(0, len(content), 7):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            back = load_golden(saved)
        except IntegrityError:
            continue
        # What is left is white space and the spelling of a number: the content is the same.
        assert back.golden_sha256 == GOLDEN.golden_sha256


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_golden_that_cannot_judge_is_never_saved(tmp_path: Path, bad: float) -> None:
    scores = scored(locked(4, 6))
    scores.scores[2] = bad
    with pytest.raises(IntegrityError, match="finite"):
        save_golden(Golden(scores, GOLDEN.approval), tmp_path / "golden.json")
    with pytest.raises(IntegrityError, match="finite"):
        save_golden(approved(replace(scored(locked(4, 6)), operating_point=bad)), tmp_path / "g")
