"""Scores are what the served model says, and contradictions are its fault."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.records.errors import Unservable
from components.scoring import score
from components.scoring.score import read_case_ids, score_model
from tests.components.scoring import making
from tests.components.scoring.making import Sized, save

pytestmark = pytest.mark.tensorflow


def feature(content: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))


def write(path: Path, cases: dict[str, int]) -> str:
    """Records whose images have the sizes of `cases`."""
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for case_id, size in cases.items():
            features = {"case_id": feature(case_id.encode()), "image": feature(b"." * size)}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(Sized(), tmp_path_factory.mktemp("model") / "1")


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(score, "BATCH", 2)
    second = write(tmp_path / "b.gz", {"d": 500, "Köln": 900})
    return [second, write(tmp_path / "a.gz", {"a": 100, "b": 0, "c": 300})]


def test_every_record_gets_the_models_score(model: Path, records: list[str]) -> None:
    scored = score_model(model, records)
    assert scored.case_ids == ("a", "b", "c", "d", "Köln") == tuple(read_case_ids(records))
    wanted = np.float32([100, 0, 300, 500, 900]) * np.float32(0.001)
    np.testing.assert_array_equal(scored.scores, wanted.astype(np.float64))
    assert scored.scores.dtype == np.float64 and scored.operating_point == 0.25
    assert 0 < scored.latency_ms["median"] <= scored.latency_ms["p95"]
    assert (scored.served.fault, scored.served.cases, scored.served.alone) == (None, 5, 5)
    assert scored.served.largest_difference == 0.0 and scored.served.loader


def test_scores_alone_are_had_without_the_checks(model: Path, records: list[str]) -> None:
    scored = score_model(model, records, check=False)
    assert scored.scores.shape == (5,) and scored.latency_ms == {} and scored.served.alone == 0


def test_no_record_gives_no_score(model: Path, tmp_path: Path) -> None:
    scored = score_model(model, [write(tmp_path / "a.gz", {})])
    assert scored.case_ids == () and scored.scores.shape == (0,) and scored.latency_ms == {}


@pytest.mark.parametrize(
    "kind, facts",
    [
        (making.Flipped, ("serve_examples", "case a", "label", "0.1", "wanted 0")),
        (making.Silent, ("serve_examples", "case c", "label", "0.3", "wanted 1")),
        (making.TwoFaced, ("serving_default", "case a", "probability", "0.101", "wanted 0.1")),
        (making.Crowded, ("one image at a time", "case a", "probability", "wanted 0.05")),
    ],
)
def test_a_model_that_contradicts_itself_cannot_be_served(
    kind: type[Sized], facts: tuple[str, ...], records: list[str], tmp_path: Path
) -> None:
    fault = score_model(save(kind(), tmp_path / "model"), records).served.fault
    assert fault is not None
    for fact in facts:
        assert fact in fault


def test_a_score_that_is_no_number_is_kept_and_is_no_contradiction(
    records: list[str], tmp_path: Path
) -> None:
    broken = Sized()
    broken.scale.assign(np.nan)
    scored = score_model(save(broken, tmp_path / "model"), records)
    assert np.isnan(scored.scores).sum() == 5 and scored.served.fault is None


def test_what_only_python_can_run_is_scored_by_python_and_says_so(
    records: list[str], tmp_path: Path, model: Path
) -> None:
    scored = score_model(save(making.OtherType(), tmp_path / "model"), records)
    np.testing.assert_array_equal(scored.scores, score_model(model, records).scores)
    assert scored.served.fault and "label" in scored.served.fault
    assert scored.served.loader is None and scored.operating_point == 0.25


def test_a_model_without_an_operating_point_is_refused(records: list[str], tmp_path: Path) -> None:
    bare = Sized()
    save(bare, tmp_path / "traced")
    bare.point = bare.operating_point
    del bare.operating_point
    with pytest.raises(Unservable, match="operating_point"):
        score_model(save(bare, tmp_path / "bare"), records)


@pytest.mark.parametrize("kind", ["no variables", "no model", "no serve_examples"])
def test_what_nothing_can_run_is_refused_with_both_reasons(
    kind: str, records: list[str], tmp_path: Path
) -> None:
    make, words = making.UNSERVABLE[kind]
    with pytest.raises(Unservable, match=f"{words}.*Python's loader"):
        score_model(make(tmp_path / "model"), records)
