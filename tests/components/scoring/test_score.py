"""Scores are what the served model says, and contradictions are its fault."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.baselines.scores import OriginalsAgreement, Servability
from components.records.errors import Unservable
from components.records.files import sha256_tree
from components.records.run_files import RELEASE_RECORD
from components.scoring import score
from components.scoring.score import Scored, read_case_ids, read_columns, score_model
from components.scoring.served import EXPLAIN, ServedAnswer, ServedRequest
from tests.components.scoring import making
from tests.components.scoring.making import Picky, Sized, save
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


def feature(content: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))


def write(path: Path, cases: dict[str, int], originals: dict[str, bytes] | None = None) -> str:
    """Records whose images have the sizes of `cases`, some with other bytes of the source."""
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for case_id, size in cases.items():
            features = {"case_id": feature(case_id.encode()), "image": feature(b"." * size)}
            if case_id in (originals or {}):
                features["original"] = feature(originals[case_id])
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
    kept = scored.of_model(model, "root")
    assert (kept.case_ids, kept.operating_point) == (scored.case_ids, scored.operating_point)
    np.testing.assert_array_equal(kept.scores, scored.scores)
    assert (kept.model_sha256, kept.scored_case_set) == (sha256_tree(model), "root")
    assert (kept.latency_ms, kept.served) == (scored.latency_ms, scored.served)


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ('{"step_ms": {"p50": 3, "p95": 7.5}}', {"p50": 3, "p95": 7.5}),
        ('{"step_ms": {"p95": -1}}', {}),
        ('{"step_ms": {"p95": "fast"}}', {}),
        ('{"step_ms": {"p95": NaN}}', {}),
        ('{"step_ms": 7}', {}),
        ("{}", {}),
        ("[1]", {}),
        ("no JSON", {}),
        (None, {}),
    ],
)
def test_what_a_model_says_of_its_training_is_kept_where_it_is_a_time(
    tmp_path: Path, record: str | None, wanted: dict[str, float]
) -> None:
    (tmp_path / "saved_model.pb").touch()
    if record is not None:
        (tmp_path / RELEASE_RECORD).parent.mkdir()
        (tmp_path / RELEASE_RECORD).write_text(record)
    scored = Scored(("a",), np.zeros(1), 0.5, {}, Servability(None))
    assert scored.of_model(tmp_path, "root").step_ms == wanted


def test_scores_alone_are_had_without_the_checks(model: Path, records: list[str]) -> None:
    scored = score_model(model, records, check=False)
    assert scored.scores.shape == (5,) and scored.latency_ms == {} and scored.served.alone == 0


def test_no_record_gives_no_score(model: Path, tmp_path: Path) -> None:
    scored = score_model(model, [write(tmp_path / "a.gz", {})])
    assert scored.case_ids == () and scored.scores.shape == (0,) and scored.latency_ms == {}


def test_other_bytes_are_asked_and_held_against_the_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "BATCH", 2)
    model = save(Picky(), tmp_path / "model")
    first = write(tmp_path / "a.gz", {"a": 100, "b": 200, "c": 300}, {"b": b"." * 260})
    others = {"d": b"!" * 400, "f": b"." * 610}
    second = write(tmp_path / "b.gz", {"d": 400, "e": 500, "f": 600}, others)
    scored = score_model(model, [first, second])
    assert scored.case_ids == tuple("abcdef") and scored.served.fault is None
    found = scored.served.agreement
    assert found is not None and (found.originals, found.unreadable) == (3, 1)
    assert found.largest_difference == pytest.approx(0.06, abs=1e-6) and found.case_id == "b"
    assert found.recalled == 1  # .20 and .26 lie on both sides of the operating point
    assert scored.served.largest_difference == 0.0


def test_where_no_case_has_other_bytes_all_agree(model: Path, records: list[str]) -> None:
    assert score_model(model, records).served.agreement == OriginalsAgreement()
    assert score_model(model, records, check=False).served.agreement is None


def test_an_answer_that_is_no_number_is_far_apart() -> None:
    scores = np.float32([0.2, np.nan, 0.4, 0.9])
    answers = np.float32([np.nan, np.nan, 0.4, np.nan]), np.array([0, 0, 0, -1])
    found = score._agreement(list("abcd"), scores, np.arange(4), answers, np.float32(0.5))
    assert found == OriginalsAgreement(4, 1, 1.0, "a", 0)


def asked_of(
    model: Path, records: list[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Scored, list[ServedRequest]]:
    """The scores, and what was asked for them, of a server that says .5 of every case."""
    asked: list[ServedRequest] = []

    def ask(path: Path, requests: Iterable[ServedRequest]) -> Iterator[tuple]:
        for request in requests:
            asked.append(request)
            half, one = np.full(len(request.inputs), 0.5, np.float32), np.ones(len(request.inputs))
            yield request, ServedAnswer("planted", half, one, float(len(asked)))

    monkeypatch.setattr(score, "ask", ask)
    return score_model(model, records), asked


@pytest.mark.parametrize("cases, calls", [(1, 20), (3, 21), (5, 20), (20, 20), (21, 21)])
def test_each_case_is_asked_alone_in_rounds_until_there_are_twenty_calls(
    cases: int, calls: int, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "BATCH", 7)
    path = write(tmp_path / "a.gz", {f"case-{i:02d}": i for i in range(cases)})
    scored, asked = asked_of(model, [path], monkeypatch)
    alone = [request for request in asked if request.alone]
    why = alone[2 * calls :]
    assert [(r.signature, r.inputs) for r in why] == [(EXPLAIN, [b"." * i]) for i in range(cases)]
    del alone[2 * calls :]
    assert scored.served.alone == cases
    # The planted server takes a millisecond more each time; the first image alone warms up.
    assert scored.latency_ms["median"] == asked.index(alone[0]) + 2 + calls
    assert [request.signature for request in alone] == [score.EXAMPLES, score.IMAGES] * calls
    images = [request.inputs for request in alone[1::2]]
    assert images == [[b"." * (i % cases)] for i in range(calls)]
    assert all(request.inputs[0] in alone[2 * i].inputs[0] for i, request in enumerate(alone[1::2]))


def test_a_few_cases_of_each_batch_are_asked_alone_until_there_are_enough(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.gz", {f"case-{i:03d}": i for i in range(160)})
    scored, asked = asked_of(model, [path], monkeypatch)
    images = [r.inputs[0] for r in asked if r.alone and r.signature == score.IMAGES]
    assert images == [b"." * i for i in range(0, 160, 20)] * 3  # 8 of a batch of 160
    monkeypatch.setattr(score, "BATCH", 16)
    scored, asked = asked_of(model, [path], monkeypatch)
    assert scored.served.alone == 32  # of four batches
    images = [r.inputs[0] for r in asked if r.alone and r.signature == score.IMAGES]
    assert images == [b"." * i for i in range(0, 64, 2)]


@pytest.mark.parametrize("apart, fault", [(0.9e-5, False), (1.1e-5, True)])
def test_answers_may_lie_a_hundred_thousandth_apart(apart: float, fault: bool) -> None:
    scores = np.float32([0.25, 0.75])
    batch, alone = scores.copy(), np.float32([0.75 + apart, 0.25, 0.75])
    told = {
        (score.IMAGES, False): (batch, np.array([0, 1])),
        (score.IMAGES, True): (alone, np.array([1, 0, 1])),
    }
    # The second case was asked alone first, then the first, then the second again.
    rows = np.array([1, 0])
    found, largest = score._contradiction(["a", "b"], scores, rows, np.float32(0.5), told)
    assert largest == pytest.approx(apart, rel=0.01)
    assert (found is not None) is fault
    if found:
        assert "one image at a time" in found and "case b" in found and "(1 such" in found


def test_a_label_at_the_operating_point_is_positive() -> None:
    scores = np.float32([0.5, np.nextafter(np.float32(0.5), np.float32(0))])
    told = {(score.EXAMPLES, False): (scores, np.array([1, 0]))}
    given = (["a", "b"], scores, np.zeros(0, np.int64), np.float32(0.5))
    assert score._contradiction(*given, told) == (None, 0.0)
    told = {(score.EXAMPLES, False): (scores, np.array([1, 1]))}
    fault, _ = score._contradiction(*given, told)
    assert fault is not None and "case b" in fault and "label" in fault
    told = {(score.EXAMPLES, False): (scores, np.array([0, 0]))}
    fault, _ = score._contradiction(*given, told)
    assert fault is not None and "case a the label at probability 0.5 0, wanted 1" in fault


def test_an_answer_that_is_no_number_counts_in_no_distance() -> None:
    scores = np.float32([np.nan, 0.5])
    told = {(score.EXAMPLES, False): (scores.copy(), np.array([0, 1]))}
    rows = np.zeros(0, np.int64)
    assert score._contradiction(["a", "b"], scores, rows, np.float32(0.5), told) == (None, 0.0)


def test_how_far_answers_lie_apart_is_told_of_those_that_are_numbers() -> None:
    scores, rows = np.float32([0.5, np.nan, 0.75]), np.zeros(0, np.int64)
    told = {(score.IMAGES, False): (np.float32([np.nan, 0.5, 0.875]), np.array([0, 1, 1]))}
    fault, largest = score._contradiction(["a", "b", "c"], scores, rows, np.float32(0.5), told)
    assert largest == 0.125
    assert fault is not None and "case a the probability nan" in fault and "(3 such" in fault


def test_a_latency_is_that_of_the_calls_after_the_first_to_a_microsecond() -> None:
    nothing = np.zeros(0, np.float32)
    answers = [ServedAnswer("", nothing, nothing, ms) for ms in (99.0, 3.12345, 1.00049, 2.00061)]
    # The 95th percentile of three lies nine tenths of the way from the second to the third.
    assert score._latency(answers) == {"median": 2.001, "p95": 3.011}
    assert score._latency(answers[:1]) == {}


@pytest.mark.parametrize(
    "kind, facts",
    [
        (making.Flipped, ("serve_examples gives case a", "label", "0.1", "wanted 0")),
        (making.Silent, ("serve_examples gives case c", "label", "0.3", "wanted 1")),
        (making.TwoFaced, ("serving_default gives case a", "the probability 0.101", "wanted 0.1")),
        (making.OtherwiseExplained, ("explain, one image at a time, gives case a", "0.101")),
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
    by_the_session = score_model(model, records)
    np.testing.assert_array_equal(scored.scores, by_the_session.scores)
    assert scored.case_ids == by_the_session.case_ids
    assert scored.served.fault and "label" in scored.served.fault
    assert str(tmp_path) not in scored.served.fault
    assert scored.served.loader is None and scored.operating_point == 0.25


def test_a_model_without_an_operating_point_is_refused(records: list[str], tmp_path: Path) -> None:
    bare = Sized()
    save(bare, tmp_path / "traced")
    bare.point = bare.operating_point
    del bare.operating_point
    with refused(Unservable, "operating_point"):
        score_model(save(bare, tmp_path / "bare"), records)


def test_why_python_had_to_score_is_cut_to_a_hundred_letters(
    model: Path, records: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("x" * 500)

    monkeypatch.setattr(tf.train, "load_variable", fails)
    fault = score_model(model, records).served.fault
    assert fault is not None and fault.endswith(f" operating_point: {'x' * 100}")
    monkeypatch.setattr(tf.saved_model, "load", fails)
    with refused(Unservable, fault) as caught:
        score_model(model, records)
    assert str(caught.value).endswith(f" ValueError: {'x' * 200}")


def test_what_the_records_say_beside_the_image(tmp_path: Path) -> None:
    texts = {"case_id": "b", "patient_id": "p", "device": "Köln", "image": "..."}
    features = {name: feature(text.encode()) for name, text in texts.items()}
    features["label"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
    features["mean"] = tf.train.Feature(float_list=tf.train.FloatList(value=[0.5]))
    example = tf.train.Example(features=tf.train.Features(feature=features))
    with tf.io.TFRecordWriter(str(tmp_path / "b.gz"), "GZIP") as writer:
        writer.write(example.SerializeToString())
    (found,) = read_columns([str(tmp_path / "b.gz")])
    assert found == {
        "case_id": "b",
        "patient_id": "p",
        "label": 1,
        "numbers": {"mean": 0.5},
        "words": {"device": "Köln"},
    }


@pytest.mark.parametrize("kind", ["no variables", "no model", "no serve_examples"])
def test_what_nothing_can_run_is_refused_with_both_reasons(
    kind: str, records: list[str], tmp_path: Path
) -> None:
    make, words = making.UNSERVABLE[kind]
    with refused(Unservable, words, "Python's loader"):
        score_model(make(tmp_path / "model"), records)
