"""What workers answer in parts is what one process answers."""

from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest

from components.lineage.tfx_runner import IN_MEMORY
from components.records.errors import Unservable
from components.scoring import score, spread
from components.scoring.score import Scored, ask_model, score_model
from components.scoring.spread import (
    ScoringOptions,
    ask_workers,
    is_spread,
    read_answers,
    write_answers,
)
from tests.components.scoring.making import Sized, save
from tests.components.scoring.test_score import write
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(Sized(), tmp_path_factory.mktemp("model") / "1")


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three files that Beam may take in any order, each a part."""
    monkeypatch.setattr(spread, "FILES_PER_PART", 1)
    monkeypatch.setattr(score, "BATCH", 2)
    third = write(tmp_path / "c.gz", {"Köln": 900}, {"Köln": b"." * 800})
    second = write(tmp_path / "b.gz", {})
    return [third, second, write(tmp_path / "a.gz", {"a": 100, "b": 0, "c": 300}, {"c": b"."})]


def pipeline(*arguments: str) -> beam.Pipeline:
    return beam.Pipeline(options=ScoringOptions([f"--runner={IN_MEMORY}", *arguments]))


def by_workers(model: Path, records: list[str], folder: Path, *, check: bool) -> Scored:
    def asked() -> list[score.Answers]:
        return ask_workers(pipeline(), model, records, folder / "parts", check=check)

    return score_model(model, records, check=check, asked=asked)


@pytest.mark.parametrize("check", [True, False])
def test_workers_come_to_the_scores_of_one_process(
    check: bool, model: Path, records: list[str], tmp_path: Path
) -> None:
    here = score_model(model, records, check=check)
    there = by_workers(model, records, tmp_path, check=check)
    assert there.case_ids == here.case_ids == ("a", "b", "c", "Köln")
    assert there.scores.tobytes() == here.scores.tobytes()
    assert there.operating_point == here.operating_point
    assert there.latency_ms.keys() == here.latency_ms.keys()
    if check:
        assert here.served.agreement is not None and here.served.agreement.originals == 2
    # One by one only cases of the first part are asked.
    assert there.served == replace(here.served, alone=3 if check else 0)
    assert not (tmp_path / "parts").exists()


def test_a_model_that_workers_cannot_serve_is_scored_as_in_one_process(
    records: list[str], tmp_path: Path
) -> None:
    empty = tmp_path / "model"
    empty.mkdir()
    with refused(Unservable, str(empty)) as here:
        score_model(empty, records)
    with refused(Unservable, str(empty)) as there:
        by_workers(empty, records, tmp_path, check=True)
    assert str(there.value) == str(here.value)


def test_a_part_that_is_lost_ends_the_scoring(
    model: Path, records: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "write_answers", lambda path, answers: None)
    with pytest.raises(FileNotFoundError):
        by_workers(model, records, tmp_path, check=False)


def test_answers_are_read_as_they_were_written(
    model: Path, records: list[str], tmp_path: Path
) -> None:
    answers = ask_model(model, records, check=True, alone=True)
    write_answers(tmp_path / "part.npz", answers)
    again = read_answers(tmp_path / "part.npz")
    assert (again.ids, again.latency_ms, again.loader) == (
        answers.ids,
        answers.latency_ms,
        answers.loader,
    )
    np.testing.assert_array_equal(again.rows, answers.rows, strict=True)
    np.testing.assert_array_equal(again.others, answers.others, strict=True)
    assert list(again.outputs) == list(answers.outputs) and len(again.outputs) == 6
    for way, (probability, label) in answers.outputs.items():
        np.testing.assert_array_equal(again.outputs[way][0], probability, strict=True)
        np.testing.assert_array_equal(again.outputs[way][1], label, strict=True)


@pytest.mark.parametrize(
    "arguments, files, spreads",
    [([], 9, False), (["--score_from_files=0"], 9, False)]
    + [([f"--score_from_files={n}"], 3, n <= 3) for n in (1, 3, 4)],
)
def test_scoring_is_spread_from_so_many_files_on(
    arguments: list[str], files: int, spreads: bool
) -> None:
    assert is_spread(pipeline(*arguments), ["file"] * files) is spreads
