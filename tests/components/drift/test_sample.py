import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.drift.sample import load_reference
from components.records.errors import IntegrityError, SourceError
from tests.refusing import refused


def columns(**changed: Any) -> dict[str, Any]:
    whole = {
        "case_ids": np.array(["a", "b", "c"]),
        "patient_ids": np.array(["p", "p", "q"]),
        "scores": np.array([0.1, 0.9, 0.5]),
        "positive": np.array([False, True, True]),
        "labels": np.array([0, 1, 1], dtype=np.int8),
        "number_mean": np.array([0.4, np.nan, 0.5]),
        "word_device": np.array(["Aster", "", "Boreal"]),
        "operating_point": np.array(0.5),
    }
    return {name: column for name, column in {**whole, **changed}.items() if column is not None}


def written(folder: Path, **changed: Any) -> Path:
    path = folder / "reference.npz"
    np.savez(path, **columns(**changed))
    return path


def test_reads_what_a_run_writes(tmp_path: Path) -> None:
    sample = load_reference(written(tmp_path))
    assert sample.case_ids.tolist() == ["a", "b", "c"]
    assert sample.scores.tolist() == [0.1, 0.9, 0.5]
    assert sample.positive.tolist() == [False, True, True]
    assert sample.labels.tolist() == [0, 1, 1]
    assert np.isnat(sample.at).all()
    assert set(sample.numbers) == {"mean"} and np.isnan(sample.numbers["mean"][1])
    assert {name: column.tolist() for name, column in sample.words.items()} == {
        "device": ["Aster", None, "Boreal"]
    }


@pytest.mark.parametrize(
    "changed, facts",
    [
        ({"scores": None}, ["'scores'"]),
        ({"scores": np.array([0.1, 0.9])}, ["'scores'", "float64", "(2,)"]),
        ({"scores": np.array([0.1, 0.9, np.nan])}, ["score", "[0, 1]"]),
        ({"scores": np.array([0.1, 0.9, 1.1])}, ["score", "[0, 1]"]),
        ({"labels": np.array([0, 1, 2], dtype=np.int8)}, ["label"]),
        ({"labels": np.array([0.0, 1.0, 1.0])}, ["'labels'", "float64"]),
        ({"positive": np.array([0, 1, 1])}, ["'positive'", "int64"]),
        ({"word_device": np.array([1, 2, 3])}, ["'word_device'", "int64"]),
        ({"number_mean": np.array([0.4])}, ["'number_mean'", "float64", "(1,)"]),
        ({"extra": np.array([0.4, 0.4, 0.4])}, ["'extra'", "float64"]),
        ({"case_ids": np.array(["a", "b", "a"])}, ["twice"]),
    ],
)
def test_what_no_run_writes_is_refused(
    tmp_path: Path, changed: dict[str, Any], facts: list[str]
) -> None:
    path = written(tmp_path, **changed)
    with refused(IntegrityError, f"{path}: ", *facts):
        load_reference(path)


def test_no_case_is_damage(tmp_path: Path) -> None:
    empty = {name: column[:0] for name, column in columns().items() if column.ndim}
    with refused(IntegrityError, "reference.npz: ", "no case"):
        load_reference(written(tmp_path, **empty))


@pytest.mark.parametrize("kept", [0, 10, 500, -20])
def test_a_file_cut_short_is_damage(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with refused(IntegrityError, "reference.npz: "):
        load_reference(path)


def test_every_changed_byte_is_damage_or_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    before = load_reference(path)
    for place in range(0, len(whole), 23):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            after = load_reference(path)
        except IntegrityError:
            continue
        assert np.array_equal(after.scores, before.scores), place
        assert np.array_equal(after.case_ids, before.case_ids), place


class Exploit:
    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return Path.touch, (self.made,)


def test_nothing_in_it_is_executed(tmp_path: Path) -> None:
    exploit = Exploit(tmp_path / "made")
    bare = tmp_path / "bare.npz"
    bare.write_bytes(pickle.dumps(exploit))
    inside = written(tmp_path, word_device=np.array([exploit] * 3, dtype=object))
    for path in (bare, inside):
        with pytest.raises(IntegrityError):
            load_reference(path)
    assert not exploit.made.exists()


def test_no_file_is_told_apart_from_damage(tmp_path: Path) -> None:
    with refused(SourceError, tmp_path / "reference.npz"):
        load_reference(tmp_path / "reference.npz")
