import sqlite3
from pathlib import Path
from typing import Any

import pytest

from components.cases.images import bytes_sha256, encode_png, pixels_sha256
from components.records.errors import ConfigError, IntegrityError, SourceError
from pipeline.evidence.answer import Answer
from pipeline.evidence.questions.impact_image import impact_of_case, impact_of_image
from pipeline.evidence.subject import Evidence
from tests.components.cases.making import picture
from tests.pipeline.evidence.spans import PLACE, Spans, digest, training
from tests.refusing import refused


@pytest.fixture
def spans(tmp_path: Path) -> Spans:
    """Runs 1 and 2 know train-3, run 3 does not; 1 and 3 released, 2 blocked, 4 failed early."""
    spans = Spans(tmp_path)
    spans.run(map(training, range(10)), version=1)
    spans.run(map(training, range(12)))
    spans.run(map(training, range(5, 15)), version=2)
    spans.run(None)
    return spans


def asked(spans: Spans, case_id: str, **options: Any) -> Answer:
    with Evidence(spans.workspace.root) as evidence:
        return impact_of_case(evidence, case_id, **options)


def column(answer: Answer, table: str, name: str) -> list[Any]:
    (found,) = (t for t in answer.tables if t.name == table)
    return [row[found.columns.index(name)] for row in found.rows]


@pytest.mark.parametrize("reread", [False, True])
def test_names_runs_models_and_releases_trained_on_the_case(spans: Spans, reread: bool) -> None:
    answer = asked(spans, "train-3", reread=reread)
    assert [run[9:15] for run in column(answer, "runs", "run")] == ["000002", "000001"]
    assert column(answer, "runs", "how") == ["trained on it"] * 2
    assert column(answer, "releases", "version") == [1]
    assert len(column(answer, "models", "model")) == 2
    assert answer.exit_code == 0


def test_says_that_what_serves_now_is_not_affected(spans: Spans) -> None:
    answer = asked(spans, "train-3")
    assert column(answer, "releases", "now") == ["replaced"]
    assert answer.facts["serving now"] == "nothing that is affected"


def test_says_that_what_serves_now_is_affected(spans: Spans) -> None:
    answer = asked(spans, "train-7")
    assert column(answer, "releases", "now") == ["serving", "replaced"]
    assert answer.facts["serving now"] == f"{PLACE} version 2 (trained on it)"


def test_tells_tuning_from_training(spans: Spans) -> None:
    assert set(column(asked(spans, "train-5"), "runs", "how")) == {"tuned on it"}


def test_the_same_picture_under_another_id_is_affected_too(spans: Spans) -> None:
    twin = training(50, case_id="twin", pixels_sha256=training(3).pixels_sha256)
    spans.run([twin, training(60)], version=3)
    answer = asked(spans, "train-3")
    assert column(answer, "releases", "version") == [3, 1]
    assert set(column(answer, "training_data", "case")) == {"train-3", "twin"}


def test_one_id_with_two_pictures_is_listed_twice(spans: Spans) -> None:
    spans.run([training(3, pixels_sha256=digest("other")), training(60)], version=3)
    answer = asked(spans, "train-3")
    assert len(set(column(answer, "training_data", "pixels_sha256"))) == 2
    assert column(answer, "releases", "version") == [3, 1]
    assert "2 different pictures have this case id" in answer.notes[0]


def test_a_case_of_the_case_set_affects_what_was_judged_on_it(spans: Spans) -> None:
    answer = asked(spans, "test-2")
    assert column(answer, "case_sets", "case_set") == ["chest@1"]
    assert column(answer, "case_sets", "decisions") == [3]
    assert set(column(answer, "runs", "how")) == {"judged on it"}
    assert len(column(answer, "runs", "run")) == 3  # not the one that failed before it was judged
    assert column(answer, "models", "model") == []
    assert answer.facts["serving now"] == f"{PLACE} version 2 (judged on it)"


def test_a_retired_case_is_found_in_the_earlier_version(spans: Spans) -> None:
    spans.retire("test-2")
    spans.run(map(training, range(5)), version=3)
    answer = asked(spans, "test-2")
    assert answer.facts["case sets"] == "in none"
    assert answer.facts["earlier versions of case sets"] == "chest@1"
    assert column(answer, "releases", "version") == [2, 1]


def test_a_case_that_leaked_is_both_trained_and_judged_on(spans: Spans) -> None:
    leaked = training(70, pixels_sha256=digest("pixels", 1002))
    spans.run([leaked, training(60)], version=3)
    answer = asked(spans, "test-2")
    assert column(answer, "releases", "how")[0] == "tuned on it, judged on it"


def test_a_case_that_nobody_knows_is_refused(spans: Spans) -> None:
    with refused(ConfigError, "--case 'train-33': "):
        asked(spans, "train-33")


@pytest.mark.parametrize("word", ["", "'; DROP TABLE Artifact; --", "a\nb", "漢", "%", "train-"])
def test_any_text_may_be_asked_for(spans: Spans, word: str) -> None:
    with refused(ConfigError, "--case "):
        asked(spans, word)
    assert asked(spans, "train-3").facts["runs affected"] == 2


def test_an_odd_case_id_is_found_as_it_is(spans: Spans) -> None:
    odd = 'a\'; DROP TABLE "x"\n漢'
    spans.run([training(80, case_id=odd)], version=3)
    assert column(asked(spans, odd), "training_data", "case") == [odd]


def test_a_missing_manifest_leaves_its_runs_unknown(spans: Spans) -> None:
    spans.run(map(training, range(90, 95)), version=3)
    (gone,) = column(asked(spans, "train-90"), "training_data", "training_data")
    (spans.workspace.training / f"{gone}.jsonl").unlink()
    answer = asked(spans, "train-3")
    assert answer.exit_code == 4
    assert "Not known for 1 runs, 20260101T000005.000000Z the first" in answer.notes[0]


def test_an_altered_manifest_is_found_when_it_is_read_again(spans: Spans) -> None:
    for path in spans.workspace.training.glob("*.jsonl"):
        path.write_bytes(path.read_bytes().replace(b"train-7", b"train-x"))
    with refused(IntegrityError, ".jsonl: ", "Merkle root"):
        asked(spans, "train-3", reread=True)


def test_a_run_hidden_in_ml_metadata_is_found_by_the_record_of_what_serves(spans: Spans) -> None:
    with sqlite3.connect(spans.workspace.root / "metadata.sqlite") as store:
        store.execute("UPDATE ArtifactProperty SET string_value='0' WHERE name='training_root'")
    answer = asked(spans, "train-7")
    assert answer.exit_code == 4
    assert any("ML Metadata says otherwise" in note for note in answer.notes)


def test_an_altered_case_set_is_an_integrity_error(spans: Spans) -> None:
    spans.lock.write_text(spans.lock.read_text().replace("patient-1003", "patient-3"))
    with refused(IntegrityError, "chest/case_set.json: ", "Merkle root"):
        asked(spans, "train-3")


def test_another_workspace_in_the_same_store_is_not_asked(spans: Spans) -> None:
    with sqlite3.connect(spans.workspace.root / "metadata.sqlite") as store:
        store.execute(
            "UPDATE ArtifactProperty SET string_value='99999999' WHERE name='workspace_id' AND "
            "artifact_id IN (SELECT artifact_id FROM ArtifactProperty WHERE "
            "name='run_id' AND string_value LIKE '%000002.%')"
        )
    assert asked(spans, "train-3").facts["runs affected"] == 1


def test_a_picture_is_known_again_in_another_encoding(spans: Spans, tmp_path: Path) -> None:
    image = encode_png(picture(1))
    row = training(3, pixels_sha256=pixels_sha256(image), case_id="encoded otherwise")
    spans.run([row, training(60)], version=3)
    (tmp_path / "picture.png").write_bytes(image)
    with Evidence(spans.workspace.root) as evidence:
        answer = impact_of_image(evidence, tmp_path / "picture.png")
    assert answer.facts["image: bytes_sha256"] == bytes_sha256(image) != row.bytes_sha256
    assert column(answer, "releases", "version") == [3]


def test_a_picture_that_was_never_used_reached_nothing(spans: Spans, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(encode_png(picture(2)))
    with Evidence(spans.workspace.root) as evidence:
        answer = impact_of_image(evidence, tmp_path / "picture.png")
    assert answer.facts["training data"] == "in none of the manifests"
    assert (answer.facts["runs affected"], answer.exit_code) == (0, 0)


def test_a_file_that_is_no_image_is_refused(spans: Spans, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with (
        Evidence(spans.workspace.root) as evidence,
        refused(SourceError, "notes.txt: "),
    ):
        impact_of_image(evidence, tmp_path / "notes.txt")
