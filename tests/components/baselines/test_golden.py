import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.baselines.golden import Golden, Rescoring, load_golden, save_golden
from components.records.errors import IntegrityError
from tests.components.planting import approved, locked, scored, sha

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


CARRIED = replace(
    GOLDEN.approval,
    rescored=(
        Rescoring(sha("version 1"), sha("version 2"), "A. Radiologist", "new device", "2025-04-01"),
        Rescoring(sha("version 2"), sha("version 3"), "B. Statistician", "label", "2025-05-01"),
    ),
)


def test_golden_carried_over_to_amended_case_sets_says_so(tmp_path: Path) -> None:
    save_golden(replace(GOLDEN, approval=CARRIED), tmp_path / "golden.json")
    back = load_golden(tmp_path / "golden.json")
    assert back.approval == CARRIED
    assert back.golden_sha256 != GOLDEN.golden_sha256


def test_golden_never_carried_over_is_spelled_as_before(saved: Path) -> None:
    assert set(json.loads(saved.read_text())["approval"]) == {
        "by",
        "reason",
        "date",
        "decision_sha256",
    }


def test_an_edit_of_how_golden_was_carried_over_is_found(tmp_path: Path) -> None:
    path = tmp_path / "golden.json"
    save_golden(replace(GOLDEN, approval=CARRIED), path)
    text = path.read_text()
    for old, new in (("2025-05-01", "2025-05-02"), ("B. Statistician", "C. Statistician")):
        path.write_text(text.replace(old, new))
        with pytest.raises(IntegrityError, match="the approval or the header was edited"):
            load_golden(path)
    path.write_text(text.replace('"reason":"label"', '"reason":"label","more":1'))
    with pytest.raises(IntegrityError, match="unknown key 'more'"):
        load_golden(path)
