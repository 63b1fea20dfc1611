import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.baselines.scores import (
    Attention,
    aligned,
    decode_score,
    encode_score,
    load_scores,
    save_scores,
)
from components.records.errors import IntegrityError
from tests.components.planting import locked, scored, sha
from tests.refusing import refused

CASES = locked(4, 6)


@given(st.floats())
def test_every_float_survives_json_to_the_last_bit(value: float) -> None:
    back = decode_score(json.loads(json.dumps(encode_score(value))))
    assert np.float64(back).tobytes() == np.float64(value).tobytes() or math.isnan(value)
    assert math.isnan(back) == math.isnan(value)


def test_round_trip_keeps_nan_and_infinities(tmp_path: Path) -> None:
    scores = scored(CASES)
    scores.scores[[0, 1, 2]] = [math.nan, math.inf, -math.inf]
    save_scores(replace(scores, latency_ms={"median": 1.5}), tmp_path / "scores.json")
    back = load_scores(tmp_path / "scores.json")
    np.testing.assert_array_equal(back.scores, scores.scores)
    assert back.case_ids == scores.case_ids and back.latency_ms == {"median": 1.5}
    assert back.scores_sha256 == scores.scores_sha256


def test_hash_does_not_depend_on_the_order_of_cases() -> None:
    scores = scored(CASES)
    turned = replace(scores, case_ids=scores.case_ids[::-1], scores=scores.scores[::-1])
    assert turned.scores_sha256 == scores.scores_sha256


def test_hash_sees_the_last_bit_of_a_score_and_every_other_field() -> None:
    scores = scored(CASES)
    nudged = scores.scores.copy()
    nudged[3] = np.nextafter(nudged[3], 1)
    others = [
        replace(scores, scores=nudged),
        replace(scores, operating_point=0.51),
        replace(scores, model_sha256=sha("other")),
        replace(scores, scored_case_set=sha("other")),
    ]
    assert len({scores.scores_sha256, *(other.scores_sha256 for other in others)}) == 5


def test_an_edited_score_is_found(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    save_scores(scored(CASES), path)
    path.write_text(path.read_text().replace('["case-0000",0.8]', '["case-0000",0.9]'))
    with refused(IntegrityError, path, "edited"):
        load_scores(path)


def test_aligned_puts_scores_into_the_order_of_the_case_set() -> None:
    scores = scored(CASES)
    turned = replace(scores, case_ids=scores.case_ids[::-1], scores=scores.scores[::-1])
    np.testing.assert_array_equal(aligned(turned, CASES), scores.scores)


@pytest.mark.parametrize(
    "ids, facts",
    [
        (
            lambda ids: (*ids[:-1], "case-9999"),
            ["missing: 1 (case-0009)", "additional: 1 (case-9999)"],
        ),
        (lambda ids: (*ids[:-1], ids[0]), ["twice: 1 (case-0000)"]),
    ],
)
def test_scores_for_other_cases_are_named(ids, facts: list[str]) -> None:  # type: ignore[no-untyped-def]
    scores = scored(CASES)
    with refused(IntegrityError, *facts):
        aligned(replace(scores, case_ids=ids(scores.case_ids)), CASES)


def test_scores_of_another_case_set_are_refused() -> None:
    with refused(IntegrityError, CASES.merkle_root[:12]):
        aligned(replace(scored(CASES), scored_case_set=sha("other")), CASES)


def test_one_score_per_id_is_required() -> None:
    with refused(IntegrityError, "score"):
        replace(scored(CASES), scores=np.zeros(3))


def test_ids_given_as_a_list_are_kept_as_what_cannot_change() -> None:
    scores = scored(CASES)
    assert replace(scores, case_ids=list(scores.case_ids)).case_ids == scores.case_ids


def test_where_the_heat_lies_is_kept_and_is_no_part_of_the_scores_own_hash(tmp_path: Path) -> None:
    plain = scored(CASES)
    kept = replace(plain, attention=Attention({"case-1": (0.25, 0.1), "case-2": (None, 0.2)}))
    save_scores(kept, tmp_path / "scores.json")
    again = load_scores(tmp_path / "scores.json")
    assert again.attention == kept.attention and again.scores_sha256 == plain.scores_sha256
    save_scores(replace(plain, step_ms={"p95": 7.5}), tmp_path / "timed.json")
    assert load_scores(tmp_path / "timed.json").step_ms == {"p95": 7.5}
    save_scores(replace(plain, attention=Attention({})), tmp_path / "none.json")
    assert load_scores(tmp_path / "none.json").attention == Attention({})
    save_scores(plain, tmp_path / "plain.json")
    assert load_scores(tmp_path / "plain.json").attention is None
    assert load_scores(tmp_path / "plain.json").step_ms == {}
    assert not {"attention", "step_ms"} & json.loads((tmp_path / "plain.json").read_text()).keys()


@pytest.mark.parametrize("share", ["[1.5, 0.1]", "[0.5]", '["0.5", 0.1]', "[0.5, null]"])
def test_a_share_that_is_none_is_refused(share: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    save_scores(replace(scored(CASES), attention=Attention({"case-1": (0.25, 0.1)})), path)
    path.write_text(path.read_text().replace("[0.25,0.1]", share))
    with refused(IntegrityError, "attention"):
        load_scores(path)
