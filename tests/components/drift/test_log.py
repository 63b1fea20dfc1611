"""What is read of a prediction log, and what is refused."""

import gzip
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.drift import log as log_module
from components.drift.log import LISTED, Log, prediction_line, read_log
from components.drift.sample import Sample
from components.records.errors import SourceError
from components.records.files import sha256_file
from tests.refusing import refused

NOW = datetime(2026, 2, 1, tzinfo=timezone.utc)
AT = "2026-01-31T10:15:00Z"


def said(case_id: str = "a", *, at: str = AT, **keys: Any) -> bytes:
    """A sound line with other or further keys; None leaves one out."""
    line = {"at": at, "case_id": case_id, "model_version": 3, "score": 0.25, **keys}
    return json.dumps({k: v for k, v in line.items() if v is not None}).encode() + b"\n"


def written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def read(path: Path, *lines: bytes, tolerated: int = 0) -> Log:
    return read_log(written(path / "log.jsonl", *lines), tolerated=tolerated, now=NOW)


def sample_of(log: Log) -> Sample:
    return log.sample_of(3, None, operating_point=0.5)


def test_a_line_becomes_a_case(tmp_path: Path) -> None:
    quality, words = {"mean": 0.5, "sharpness": None}, {"device": "Aster", "site": None}
    log = read(tmp_path, said(positive=True, label=1, quality=quality, attributes=words))
    sample = sample_of(log)
    assert sample.case_ids.tolist() == ["a"] and sample.scores.tolist() == [0.25]
    assert sample.positive.tolist() == [True] and sample.labels.tolist() == [1]
    assert sample.at.tolist() == [datetime(2026, 1, 31, 10, 15)]
    assert sample.numbers["mean"].tolist() == [0.5] and np.isnan(sample.numbers["sharpness"][0])
    assert sample.words["device"].tolist() == ["Aster"] and sample.words["site"].tolist() == [None]


def test_features_that_some_lines_lack_are_unknown_there(tmp_path: Path) -> None:
    lines = [
        said("a", quality={"mean": 0.1}, positive=False),
        said("b", attributes={"device": "Aster", "site": ""}, positive=False),
        said("c", quality={"width": 28}, positive=False),
    ]
    sample = sample_of(read(tmp_path, *lines))
    assert sample.numbers["mean"].tolist()[0] == 0.1 and sample.numbers["width"].tolist()[2] == 28
    assert (
        np.isnan(sample.numbers["mean"][1:]).all() and np.isnan(sample.numbers["width"][:2]).all()
    )
    assert sample.words["device"].tolist() == [None, "Aster", None]
    assert sample.words["site"].tolist() == [None, None, None]


def test_the_later_prediction_of_a_case_counts_once(tmp_path: Path) -> None:
    first = said("a", at="2026-01-31T10:00:00Z", score=0.1, positive=False)
    later = said("a", at="2026-01-31T11:00:00Z", score=0.9, positive=True)
    for lines in ((first, later), (later, first)):  # by the time in the line, not by its place
        sample = sample_of(read(tmp_path, *lines))
        assert sample.scores.tolist() == [0.9] and sample.positive.tolist() == [True]


def test_of_two_at_the_same_time_the_one_written_later_counts(tmp_path: Path) -> None:
    log = read(tmp_path, said(score=0.1, positive=False), said(score=0.9, positive=False))
    assert sample_of(log).scores.tolist() == [0.9] and log.predictions == 2


def test_cases_come_in_the_order_of_time_though_a_clock_went_back(tmp_path: Path) -> None:
    times = ("2026-01-31T10:00:02Z", "2026-01-31T10:00:03Z", "2026-01-31T10:00:01Z")
    lines = [said(str(i), at=at, positive=False) for i, at in enumerate(times)]
    assert sample_of(read(tmp_path, *lines)).case_ids.tolist() == ["2", "0", "1"]


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        ("2026-01-31T10:15:00.5Z", "2026-01-31T10:15:00.500"),
        ("2026-01-31T10:15:00.123456789Z", "2026-01-31T10:15:00.123"),
        ("2026-01-31T10:15:00+05:30", "2026-01-31T04:45:00.000"),
        ("1969-12-31T23:59:59.900Z", "1969-12-31T23:59:59.900"),
    ],
)
def test_times_are_read_with_their_zone_and_fraction(tmp_path: Path, at: str, wanted: str) -> None:
    assert str(sample_of(read(tmp_path, said(at=at, positive=False))).at[0]) == wanted


def test_models_are_kept_apart(tmp_path: Path) -> None:
    sha256 = "ab" * 32
    lines = [
        said("a", model_version=3),
        said("b", model_version=2),
        said("c", model_version=None, model_sha256=sha256),
        said("d", model_version=3, model_sha256="cd" * 32),  # the hash decides
        said("a", model_version=2, score=0.75, at="2026-01-31T12:00:00Z"),
    ]
    log = read(tmp_path, *lines)
    sample = log.sample_of(3, sha256, operating_point=0.5)
    assert sample.case_ids.tolist() == ["a", "c"] and sample.scores.tolist() == [0.25, 0.25]
    assert log.sample_of(2, None, operating_point=0.5).case_ids.tolist() == ["b", "a"]
    wanted = {"version 2": 2, "version 3": 1, "version 3 cdcdcdcdcdcd": 1, "abababababab": 1}
    assert log.models == wanted


def test_a_score_at_the_operating_point_is_positive_where_nobody_says(tmp_path: Path) -> None:
    lines = [said("a", score=0.5), said("b", score=0.49), said("c", score=0.9, positive=False)]
    log = read(tmp_path, *lines)
    assert sample_of(log).positive.tolist() == [True, False, False]


def test_a_label_that_arrives_later_is_joined_to_its_case(tmp_path: Path) -> None:
    lines = [
        said("a", positive=True),
        said("b", positive=True, label=1),
        b'{"at": "2026-01-31T18:00:00Z", "case_id": "a", "label": 1}\n',
        b'{"at": "2026-01-31T17:00:00Z", "case_id": "a", "label": 0}\n',  # older
        b'{"at": "2026-01-31T17:00:00Z", "case_id": "b", "label": 0}\n',  # corrects the line
        b'{"at": "2026-01-31T17:00:00Z", "case_id": "nobody", "label": 0}\n',
    ]
    log = read(tmp_path, *lines)
    assert sample_of(log).labels.tolist() == [1, 0]
    assert (log.predictions, log.label_lines, log.unlinked_labels) == (2, 4, 1)


def test_of_two_labels_at_the_same_time_the_one_written_later_counts(tmp_path: Path) -> None:
    labels = [b'{"at": "2026-01-31T18:00:00Z", "case_id": "a", "label": %d}\n' % x for x in (0, 1)]
    assert sample_of(read(tmp_path, said(positive=True), *labels)).labels.tolist() == [1]


def test_a_label_before_its_prediction_is_joined_too(tmp_path: Path) -> None:
    label = b'{"at": "2026-01-30T00:00:00Z", "case_id": "a", "label": 1}\n'
    assert sample_of(read(tmp_path, label, said("a", positive=True))).labels.tolist() == [1]


def test_a_case_can_be_found(tmp_path: Path) -> None:
    further = {"patient_id": "p", "image": "images/a.png", "pixels_sha256": "ab" * 32}
    earlier = said("a", at="2026-01-30T00:00:00Z", score=0.75, image="old.png")
    words = {"device": "Aster", "site": None}
    log = read(tmp_path, said("a", attributes=words, **further), earlier, said("b"))
    found = log.find("a")
    assert found is not None and found.score == 0.25 and found.at == "2026-01-31T10:15:00.000Z"
    assert (found.patient_id, found.image) == ("p", "images/a.png")
    assert (found.pixels_sha256, found.model) == ("ab" * 32, "version 3")
    assert (found.positive, found.attributes) == (None, {"device": "Aster"})
    assert log.find("c") is None


# What cannot be used


def test_a_malformed_line_is_an_error_that_names_it(tmp_path: Path) -> None:
    with refused(SourceError, "got 1", "tolerated 0", "log.jsonl:2: ", "JSON"):
        read(tmp_path, said(), b"{not json\n", said("b"))


def test_tolerated_lines_are_listed_and_the_rest_counts(tmp_path: Path) -> None:
    log = read(tmp_path, said(positive=False), b"{\n", b"[]\n", tolerated=2)
    assert log.problems == ["log.jsonl:2: not JSON", "log.jsonl:3: got no JSON object"]
    assert log.unusable == 2 and len(sample_of(log)) == 1
    with refused(SourceError, "got 2", "tolerated 1"):
        read_log(tmp_path / "log.jsonl", tolerated=1, now=NOW)


def test_of_very_many_the_first_are_listed_and_all_counted(tmp_path: Path) -> None:
    log = read(tmp_path, *[b"{\n"] * (LISTED + 20), tolerated=1000)
    assert len(log.problems) == LISTED and log.unusable == LISTED + 20


def test_unknown_keys_are_counted_and_nothing_worse(tmp_path: Path) -> None:
    log = read(tmp_path, said(latency_ms=3, positive=False), said("b", latency_ms=4))
    assert log.unknown_keys == {"latency_ms": 2} and log.predictions == 2


def test_a_line_being_written_is_left_for_the_next_time(tmp_path: Path) -> None:
    log = read(tmp_path, said(positive=False), said("b")[:-1])
    assert len(sample_of(log)) == 1 and log.files[0].unfinished and log.unusable == 0
    assert log.files[0].sha256 == read(tmp_path, said(positive=False)).files[0].sha256


def test_empty_lines_and_an_empty_file_say_nothing(tmp_path: Path) -> None:
    log = read(tmp_path, b"\n", b" \r\n", said(positive=False))
    assert log.predictions == 1 and log.unusable == 0
    assert len(sample_of(read(tmp_path))) == 0


def test_a_line_that_holds_pixels_is_refused_without_being_kept(tmp_path: Path) -> None:
    long = said(note="x" * (1 << 22))
    with refused(SourceError, "log.jsonl:1: ", "65,536 bytes"):
        read(tmp_path, long, said("b"))
    log = read(tmp_path, long, said("b", positive=False), tolerated=1)
    assert sample_of(log).case_ids.tolist() == ["b"] and log.files[0].lines == 2


def test_too_many_names_are_not_read_and_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "MOST_FEATURES", 3)
    lines = [said(str(i), quality={f"q{i}": 0.5}, positive=False) for i in range(5)]
    log = read(tmp_path, *lines)
    assert set(sample_of(log).numbers) == {"q0", "q1", "q2"} and log.columns.left_out == {
        "q3",
        "q4",
    }


# Files


def test_a_folder_is_read_by_name_packed_files_too(tmp_path: Path) -> None:
    written(tmp_path / "2026-01-30.jsonl.gz", gzip.compress(said("a", positive=False)))
    written(tmp_path / "2026-01-31.jsonl", said("b", positive=False))
    written(tmp_path / "readme.txt", b"not a log")
    log = read_log(tmp_path, tolerated=0, now=NOW)
    assert [file.name for file in log.files] == ["2026-01-30.jsonl.gz", "2026-01-31.jsonl"]
    assert sample_of(log).case_ids.tolist() == ["a", "b"]


def test_packing_a_file_changes_no_hash(tmp_path: Path) -> None:
    plain = written(tmp_path / "a.jsonl", said(), said("b"))
    file = read_log(plain, tolerated=0, now=NOW).files[0]
    assert file.sha256 == sha256_file(plain) and file.lines == 2
    packed = written(tmp_path / "b.jsonl.gz", gzip.compress(plain.read_bytes()))
    hashes = {read_log(path, tolerated=0, now=NOW).sha256 for path in (plain, packed)}
    assert len(hashes) == 1


def test_a_file_that_is_being_packed_is_read_unpacked(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl", said(positive=False))
    written(tmp_path / "a.jsonl.gz", gzip.compress(said())[:20])
    log = read_log(tmp_path, tolerated=0, now=NOW)
    assert [file.name for file in log.files] == ["a.jsonl"]


def test_a_link_to_a_file_of_the_folder_is_not_read_twice(tmp_path: Path) -> None:
    written(tmp_path / "2026-01.jsonl", said(positive=False))
    (tmp_path / "current.jsonl").symlink_to("2026-01.jsonl")
    assert read_log(tmp_path, tolerated=0, now=NOW).predictions == 1


@pytest.mark.parametrize("content", [gzip.compress(said() * 50)[:-9], b"\x1f\x8b\x08 no", b"{}\n"])
def test_a_damaged_packed_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path / "a.jsonl.gz", content)
    with refused(SourceError, "a.jsonl.gz:", "nothing was compared"):
        read_log(path, tolerated=1000, now=NOW)


def test_no_log_is_an_error(tmp_path: Path) -> None:
    with refused(SourceError, tmp_path / "absent"):
        read_log(tmp_path / "absent", tolerated=0)
    with refused(SourceError, tmp_path, ".jsonl.gz"):
        read_log(tmp_path, tolerated=0)


def test_a_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", deny)
    with refused(SourceError, tmp_path, "Permission denied"):
        read_log(tmp_path, tolerated=0)


# Writing


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    line = prediction_line(
        "a", at=AT, score=0.25, model_version=3, positive=True, attributes={"device": "Aster"}
    )
    label = prediction_line("a", at=AT, label=1)
    sample = sample_of(read(tmp_path, line, label))
    assert sample.positive.tolist() == [True] and sample.labels.tolist() == [1]
    assert sample.words["device"].tolist() == ["Aster"]


@pytest.mark.parametrize(
    ("keys", "facts"),
    [
        ({"score": float("nan"), "model_version": 1}, ["score: ", "null"]),
        ({"score": 0.5}, ["model"]),
        ({"score": 0.5, "model_version": 1, "scor": 1}, ["'scor'"]),
        ({}, ["'score'"]),
    ],
)
def test_no_line_is_written_that_could_not_be_read(keys: dict[str, Any], facts: list[str]) -> None:
    with refused(SourceError, *facts):
        prediction_line("a", at=AT, **keys)


def test_five_thousand_lines_are_all_read(tmp_path: Path) -> None:
    count = 5_000
    quality = {name: 0.5 for name in ("width", "height", "mean", "sharpness", "entropy_bits")}
    words = {"device": "Aster", "site": "north", "sex": "f"}
    lines = [said(f"c{i}", quality=quality, attributes=words, positive=True) for i in range(count)]
    path = written(tmp_path / "log.jsonl", *lines)
    assert len(sample_of(read_log(path, tolerated=0, now=NOW))) == count
