"""Training data against the case set that judged: each way of sharing, planted and found."""

from pathlib import Path

import pytest

from pipeline.evidence.questions.impact import impact_of_commit, impact_of_package
from pipeline.evidence.questions.independence import independence
from pipeline.evidence.subject import Evidence
from tests.pipeline.evidence.spans import COMMIT, Spans, digest, looks, training


@pytest.fixture
def spans(tmp_path: Path) -> Spans:
    return Spans(tmp_path)


def asked(spans: Spans, run_id: str):
    with Evidence(spans.workspace.root) as evidence:
        return independence(evidence, evidence.subject(run_id))


def test_nothing_shared_is_independent(spans: Spans) -> None:
    found = asked(spans, spans.run([training(i) for i in range(20)]))
    assert (found.facts["verdict"], found.exit_code, found.tables) == ("independent", 0, ())


@pytest.mark.parametrize(
    "planted, words",
    [
        ({"bytes_sha256": digest("bytes", 1003)}, "same file"),
        ({"pixels_sha256": digest("pixels", 1003)}, "same picture"),
        ({"patient_id": "patient-1003"}, "same patient"),
    ],
)
def test_one_shared_thing_is_found_and_named(
    spans: Spans, planted: dict[str, str], words: str
) -> None:
    rows = [*(training(i) for i in range(20)), training(30, **planted)]
    found = asked(spans, spans.run(rows))
    assert (found.facts["verdict"], found.exit_code) == ("not independent", 1)
    (row,) = found.tables[0].rows
    assert "test-3" in row and "train-30" in row and words in row


def test_an_altered_manifest_is_not_known_and_never_independent(spans: Spans) -> None:
    run_id = spans.run([training(i) for i in range(5)])
    (path,) = spans.workspace.training.glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b"patient-3", b"patient-9"))
    found = asked(spans, run_id)
    assert (found.facts["verdict"], found.exit_code) == ("not known", 4)


def test_a_missing_manifest_is_not_known(spans: Spans) -> None:
    run_id = spans.run([training(1)])
    for path in spans.workspace.training.glob("*.jsonl"):
        path.unlink()
    assert asked(spans, run_id).facts["verdict"] == "not known"


def test_a_run_that_read_no_data_is_not_known(spans: Spans) -> None:
    assert asked(spans, spans.run(None)).facts["verdict"] == "not known"


def test_a_package_and_a_commit_lead_to_their_releases(spans: Spans) -> None:
    bad = spans.run([training(1)], version=1, packages={"numpy": "1.0"})
    good = spans.run([training(2)], version=2, packages={"numpy": "2.0"}, commit="f" * 40)
    with Evidence(spans.workspace.root) as evidence:
        package = impact_of_package(evidence, "numpy==1.0")
        commit = impact_of_commit(evidence, COMMIT[:8])
    for found in (package, commit):
        told = str(found.tables)
        assert bad in told and good not in told
        assert found.facts["releases affected"] == 1


def near(picture: int, flipped: int) -> str:
    """The perceptual hash of a picture with some signs turned."""
    return f"{int(looks(picture), 16) ^ ((2**flipped - 1) << 256):0128x}"


def test_a_nearly_equal_picture_is_found_where_both_lists_have_hashes(tmp_path: Path) -> None:
    spans = Spans(tmp_path, hashed=True)
    rows = [training(i, perceptual_hash=looks(i)) for i in range(20)]
    planted = training(30, perceptual_hash=near(1003, 9))
    found = asked(spans, spans.run([*rows, planted]))
    assert (found.facts["verdict"], found.exit_code) == ("not independent", 1)
    assert found.facts["shared: nearly equal pictures"] == 1
    assert found.tables[0].rows == (("test-3", "train-30", "tune", "as it is, 9 of 256 bits"),)


def test_hashes_that_are_unlike_leave_it_independent_and_say_so(tmp_path: Path) -> None:
    spans = Spans(tmp_path, hashed=True)
    rows = [training(i, perceptual_hash=looks(i)) for i in range(20)]
    found = asked(spans, spans.run(rows))
    assert (found.facts["verdict"], found.exit_code) == ("independent", 0)
    assert found.facts["shared: nearly equal pictures"] == 0
    assert any("perceptual hash" in note for note in found.notes)


def test_pictures_without_a_hash_are_counted(tmp_path: Path) -> None:
    spans = Spans(tmp_path, hashed=True)
    rows = [training(1, perceptual_hash=looks(1)), training(2), training(3)]
    notes = asked(spans, spans.run(rows)).notes
    assert any(note.startswith("2 pictures have no perceptual hash") for note in notes)


def test_a_release_of_before_was_compared_exactly_alone(spans: Spans) -> None:
    found = asked(spans, spans.run([training(i) for i in range(20)]))
    assert found.facts["shared: nearly equal pictures"] is None
    assert any("exactly: " in note and "No perceptual hashes" in note for note in found.notes)


FOUND_BY_RUN = {
    "near_duplicates": [
        {
            "cases": [
                {"case_id": "train-7", "split": "train"},
                {"case_id": "test-2", "split": "test"},
            ],
            "distance": 12,
            "way": "mirrored",
        },
        {
            "cases": [
                {"case_id": "train-7", "split": "train"},
                {"case_id": "train-8", "split": "train"},
            ],
            "distance": 2,
            "way": "as it is",
        },
    ],
    "compared": {"without_hash": 0},
}


def test_what_the_run_found_counts_where_the_lock_is_of_before(spans: Spans) -> None:
    rows = [training(i, perceptual_hash=looks(i)) for i in range(20)]
    found = asked(spans, spans.run(rows, admission=FOUND_BY_RUN))
    assert found.facts["verdict"] == "not independent"
    assert found.facts["compared by perceptual hash"] == "by the run"
    assert found.tables[0].rows == (("test-2", "train-7", "train", "mirrored, 12 of 256 bits"),)


def test_what_is_not_as_the_run_recorded_it_counts_for_nothing(spans: Spans) -> None:
    run_id = spans.run([training(1)], admission=FOUND_BY_RUN)
    path = spans.workspace.run_folder(run_id) / "admission.json"
    path.write_text(path.read_text().replace("test-2", "test-9"))
    found = asked(spans, run_id)
    assert found.facts["shared: nearly equal pictures"] is None
    assert found.facts["verdict"] == "independent"
