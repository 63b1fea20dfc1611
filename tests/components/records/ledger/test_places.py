from pathlib import Path

from components.records.ledger.places import recorded_name


def test_a_folder_elsewhere_is_named_by_its_whole_path(tmp_path: Path) -> None:
    assert recorded_name(tmp_path / "serving" / "chest", tmp_path) == "serving/chest"
    assert recorded_name(Path("/srv/models/chest"), tmp_path) == "/srv/models/chest"
