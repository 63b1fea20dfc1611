"""From data to a served release, and everything that must not become one."""

import json
import random
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.baselines.scores import load_scores
from components.cases.images import decode, encode_png
from components.decision import Verdict
from components.records.errors import AnomaliesFound, IntegrityError, LeakageFound, SourceError
from tests.e2e.conftest import Released
from tests.e2e.making import (
    released_sha256,
    rewrite_keeping_times,
    watched_connections,
    watched_run,
)
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


def test_first_run_is_inconclusive_and_releases_nothing(honest: Released) -> None:
    first = honest.first.outcome
    assert first.decision.verdict is Verdict.INCONCLUSIVE
    assert first.exit_code == 3
    assert first.release is None


def test_a_run_connects_to_nothing_that_nobody_asked_for(honest: Released) -> None:
    with watched_connections() as seen, socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    assert len(seen) >= 1  # it would have been seen
    assert honest.connections == []


def test_candidate_is_released_once_golden_is_approved(honest: Released) -> None:
    second = honest.second.outcome
    assert (second.decision.verdict, second.exit_code) == (Verdict.PASS, 0)
    assert second.release is not None
    assert second.release.sha256 == second.decision.hashes["candidate"]
    assert second.release.path.parent == honest.workspace / "serving" / "pneumonia"
    # Approving golden changes nothing that training depends on.
    kinds = honest.second.kinds()
    assert kinds["Trainer"] == "cached"
    assert kinds["RegressionGate"] == "finished"


def test_released_model_serves_encoded_images_with_the_scores_it_was_judged_on(
    honest: Released,
) -> None:
    release = honest.second.outcome.release
    assert release is not None
    model = tf.saved_model.load(str(release.path))
    rows = honest.data.of_split("test")[:40]
    images = [(honest.data.folder / row["path"]).read_bytes() for row in rows]
    answer = model.signatures["serving_default"](image=tf.constant(images))
    judged = load_scores(release.decision.parent / "scores.json")
    known = dict(zip(judged.case_ids, judged.scores))
    wanted = np.array([known[row["case_id"]] for row in rows])
    np.testing.assert_allclose(answer["probability"].numpy(), wanted, atol=1e-5)
    called = (answer["probability"].numpy() >= np.float32(judged.operating_point)).astype(int)
    assert answer["label"].numpy().tolist() == called.tolist()


def test_release_record_travels_with_the_model(honest: Released) -> None:
    release = honest.second.outcome.release
    assert release is not None
    record = json.loads((release.path / "assets.extra" / "release.json").read_text())
    wanted = {
        "tensorflow",
        "tfx",
        "git_commit",
        "git_dirty",
        "lock_file_sha256",
        "data_sha256",
        "case_set_merkle_root",
        "config_sha256",
        "seed",
        "trained",
        "owner",
        "tuning_auc",
        "operating_point",
    }
    assert wanted <= record.keys()
    assert record["tensorflow"] == tf.__version__
    assert record["seed"] == 20
    assert 0.5 < record["tuning_auc"] <= 1.0
    root = honest.second.outcome.decision.hashes["case_set"]
    assert record["case_set_merkle_root"] == root
    assert 0 < record["step_ms"]["p50"] <= record["step_ms"]["p95"]
    judged = load_scores(release.decision.parent / "scores.json")
    assert judged.step_ms == record["step_ms"]


def test_a_run_leaves_event_files_of_the_training_and_of_each_model(honest: Released) -> None:
    for watched, models in (
        (honest.first, {"candidate"}),
        (honest.second, {"candidate", "golden"}),
    ):
        board = watched.outcome.report.parent / "board"
        assert {path.name for path in board.iterdir()} == models | {"training"}
        for folder in board.iterdir():
            assert [*folder.glob("events.out.tfevents.*")], folder


def test_model_trained_on_shuffled_labels_is_blocked(released: Released) -> None:
    rows = released.data.rows()
    training = [row for row in rows if row["split"] != "test"]
    labels = [row["label"] for row in training]
    random.Random(3).shuffle(labels)
    for row, label in zip(training, labels):
        row["label"] = label
    released.data.write_rows(rows)
    before = released_sha256(released.workspace)

    outcome = watched_run(released.data.config(), released.workspace).outcome

    assert (outcome.decision.verdict, outcome.exit_code) == (Verdict.FAIL, 1)
    failed = {c.check for c in outcome.decision.checks if c.verdict is Verdict.FAIL}
    assert "auc[overall].floor" in failed
    assert "evaluator" in failed
    assert released_sha256(released.workspace) == before
    assert len(list((released.workspace / "serving" / "pneumonia").iterdir())) == 1


def test_a_model_that_was_trained_elsewhere_is_judged_and_released_as_it_is(
    released: Released, tmp_path: Path
) -> None:
    champion = released.second.outcome.release
    assert champion is not None
    elsewhere = tmp_path / "bought"
    shutil.copytree(champion.path, elsewhere)
    shutil.rmtree(elsewhere / "assets.extra")
    config = released.data.config(f"model.saved_model={elsewhere}")

    watched = watched_run(config, released.workspace)

    release = watched.outcome.release
    assert watched.outcome.exit_code == 0 and release is not None
    assert watched.kinds()["Trainer"] == "finished"
    judged, before = (
        load_scores(each.decision.parent / "scores.json") for each in (release, champion)
    )
    np.testing.assert_array_equal(judged.scores, before.scores)
    for file in ("saved_model.pb", "variables/variables.data-00000-of-00001"):
        assert (release.path / file).read_bytes() == (elsewhere / file).read_bytes()
    record = json.loads((release.path / "assets.extra" / "release.json").read_text())
    assert record["saved_model"] == str(elsewhere)
    assert "not used" in record["training_data"] and not {"epochs", "step_ms"} & record.keys()
    assert judged.step_ms == {}
    assert "not used" in " ".join(watched.outcome.decision.findings)
    assert watched_run(config, released.workspace).outcome.served_from_cache


def test_unchanged_run_is_served_from_the_last_decision(released: Released) -> None:
    watched = watched_run(released.data.config(), released.workspace)
    assert watched.outcome.served_from_cache
    assert watched.outcome.exit_code == 0
    assert set(watched.kinds()) == {"inputs"}
    assert len(list((released.workspace / "serving" / "pneumonia").iterdir())) == 1


def test_edited_policy_is_judged_anew_without_training(released: Released) -> None:
    policy = released.policy
    before = policy.stat()
    text = policy.read_text().replace("floor: 0.70", "floor: 0.97")
    rewrite_keeping_times(policy, text.encode())
    assert policy.stat().st_mtime_ns == before.st_mtime_ns

    watched = watched_run(released.data.config(), released.workspace)

    assert not watched.outcome.served_from_cache
    assert watched.kinds()["Trainer"] == "cached"
    assert watched.kinds()["Evaluator"] == "finished"
    assert watched.outcome.exit_code == 1
    failed = [c.check for c in watched.outcome.decision.checks if c.verdict is Verdict.FAIL]
    assert "sensitivity[overall].floor" in failed


def test_one_changed_training_image_with_its_old_time_trains_anew(released: Released) -> None:
    path = released.data.folder / released.data.of_split("train")[0]["path"]
    before = path.read_bytes()
    pixels = decode(before).copy()
    for value in range(256):
        pixels[5, 5] = value
        changed = encode_png(pixels)
        if changed != before and len(changed) == len(before):
            break
    rewrite_keeping_times(path, changed)
    assert decode(path.read_bytes())[5, 5] != decode(before)[5, 5]

    kinds = watched_run(released.data.config(), released.workspace).kinds()

    assert kinds["TrainingCases"] == "finished"
    assert kinds["Trainer"] == "finished"


@pytest.mark.parametrize("fault", ["pixel", "label", "id"])
def test_tampered_case_set_stops_before_training(released: Released, fault: str) -> None:
    rows = released.data.rows()
    row = next(row for row in rows if row["split"] == "test")
    if fault == "pixel":
        path = released.data.folder / row["path"]
        pixels = decode(path.read_bytes()).copy()
        pixels[0, 0] ^= 1
        path.write_bytes(encode_png(pixels))
    elif fault == "label":
        row["label"] = str(1 - int(row["label"]))
    else:
        row["case_id"] = "someone-else"
    released.data.write_rows(rows)
    before = released_sha256(released.workspace)
    events: list = []
    with pytest.raises(IntegrityError) as caught:
        watched_run(released.data.config(), released.workspace, events)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    assert row["case_id"] in str(caught.value)
    assert "Trainer" not in {event.component for event in events}
    assert released_sha256(released.workspace) == before


def test_anomalous_training_image_stops_before_training(released: Released) -> None:
    path = released.data.folder / released.data.of_split("train")[0]["path"]
    path.write_bytes(encode_png(np.zeros((64, 64), np.uint8)))
    events: list = []
    with refused(AnomaliesFound, "mean") as caught:
        watched_run(released.data.config(), released.workspace, events)
    assert caught.value.exit_code == 1
    assert "Trainer" not in {event.component for event in events}


def test_training_data_that_drifted_from_the_released_models_stops(released: Released) -> None:
    for split in ("train", "tune"):
        for row in released.data.of_split(split):
            path = released.data.folder / row["path"]
            darker = (decode(path.read_bytes()).astype(np.uint16) * 6 // 10).astype(np.uint8)
            path.write_bytes(encode_png(darker))
    with refused(AnomaliesFound, "mean"):
        watched_run(released.data.config(), released.workspace)


def spoil_one_image(released: Released) -> Path:
    path = released.data.folder / released.data.of_split("train")[0]["path"]
    path.write_bytes(path.read_bytes()[:200])
    return path


def train_on_one_judged_case(released: Released) -> str:
    judged = released.data.of_split("test")[0]
    trained = released.data.of_split("train")[1]
    pixels = decode((released.data.folder / judged["path"]).read_bytes())
    (released.data.folder / trained["path"]).write_bytes(encode_png(pixels))
    return judged["case_id"]


def test_case_of_the_case_set_in_the_training_data_stops(released: Released) -> None:
    judged = train_on_one_judged_case(released)
    with refused(LeakageFound, judged) as caught:
        watched_run(released.data.config(), released.workspace)
    assert caught.value.exit_code == 1


def test_unreadable_image_is_named(released: Released) -> None:
    image = spoil_one_image(released)
    with refused(SourceError, image.name) as caught:
        watched_run(released.data.config(), released.workspace)
    assert caught.value.exit_code == 2


def test_what_may_be_wrong_when_told_is_a_finding(released: Released) -> None:
    """An image that is skipped, and a judged case that is trained on."""
    image, judged = spoil_one_image(released), train_on_one_judged_case(released)
    policy = released.policy.read_text()
    released.policy.write_text(policy.replace("leakage: stop", "leakage: report"))
    config = released.data.config("data.skip_bad_cases=1")
    findings = watched_run(config, released.workspace).outcome.decision.findings
    assert any(image.name in finding for finding in findings)
    assert any(judged in finding for finding in findings)
