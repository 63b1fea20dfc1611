from pathlib import Path

import numpy as np

from components.admission.columns import read_columns, seen_at
from tests.components.admission.making import case, picture, write_index


def two_folders(tmp_path: Path) -> list[Path]:
    training, judging = tmp_path / "training", tmp_path / "judging"
    first = [case("a", 1, picture(1), attributes={"site": "Ulm"}), case("b", 0, None)]
    write_index(training, "train-000000", first, [(1.0, 5.0), (2.0, 6.0)])
    last = [case("c", 1, picture(3), attributes={"view": "PA"})]
    write_index(training, "tune-000001", last, [(3.0, 7.0)])
    write_index(judging, "test-000000", [case("d", 0, picture(4))], [(4.0, 8.0)])
    return [training, judging]


def test_cases_of_all_shards_stand_in_one_order(tmp_path: Path) -> None:
    columns = read_columns(two_folders(tmp_path), ["width", "mean"])
    assert columns.texts[columns.splits].tolist() == ["train", "train", "tune", "test"]
    assert columns.in_split("train").tolist() == [True, True, False, False]
    assert columns.labels.tolist() == [True, False, True, False]
    assert columns.texts[columns.attributes["site"]].tolist() == ["Ulm", "", "", ""]
    assert columns.texts[columns.attributes["view"]].tolist() == ["", "", "PA", ""]
    assert columns.figures["mean"].tolist() == [5, 6, 7, 8]
    assert columns.hashes[0].tobytes() == picture(1).to_bytes(64, "big")
    assert columns.without_hash == 1


def test_a_place_leads_to_its_case_and_to_where_that_was_read(tmp_path: Path) -> None:
    found = seen_at(two_folders(tmp_path), {1, 3})
    told = {
        place: (one.record.case_id, one.split, one.shard, one.line) for place, one in found.items()
    }
    assert told == {1: ("b", "train", "train-000000", 1), 3: ("d", "test", "test-000000", 0)}


def test_no_case_is_no_column(tmp_path: Path) -> None:
    columns = read_columns([tmp_path], ["width"])
    assert columns.splits.size == columns.labels.size == columns.without_hash == 0
    assert columns.hashes.shape == (0, 64) and not columns.figures
    assert np.array_equal(list(seen_at([tmp_path], set())), [])
