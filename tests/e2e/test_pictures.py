"""The same radiograph under another name, and a shortcut, through the real graph."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from components.records.errors import AnomaliesFound, LeakageFound
from components.records.run_files import ADMISSION
from pipeline.evidence.questions.independence import independence
from pipeline.evidence.subject import Evidence
from tests.e2e.making import POLICY, SmallData, Watched, make_small_data, watched_run
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

QUICK = ("model.epochs=1", "model.image_size=16", "model.filters=[4]")


def changed(data: SmallData, row: dict[str, str], name: str, how) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """A row for a changed copy of a picture, which is written; of another patient, to train on."""
    with Image.open(data.folder / row["path"]) as opened:
        image = how(opened.convert("L"))
    path = f"train/{name}.png"
    image.save(data.folder / path)
    return {**row, "path": path, "case_id": name, "patient_id": name, "split": "train"}


def compressed(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.resize((100, 100)).save(stream, "JPEG", quality=60)
    return Image.open(stream)


def marked(data: SmallData) -> None:
    """A white mark in the corner of every positive to train on."""
    for row in data.of_split("train"):
        if row["label"] == "1":
            with Image.open(data.folder / row["path"]) as opened:
                samples = np.array(opened)
            samples[2:12, 2:20] = 250
            Image.fromarray(samples).save(data.folder / row["path"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SmallData:
    made = make_small_data(tmp_path_factory.mktemp("pictures") / "small", training=240, judged=120)
    judged = made.of_split("test")
    planted = [
        changed(made, judged[0], "mirrored", ImageOps.mirror),
        changed(made, judged[1], "inverted", ImageOps.invert),
        changed(made, judged[2], "compressed", compressed),
    ]
    planted[2]["label"] = str(1 - int(planted[2]["label"]))
    again = {**judged[3], "path": "test/again.png", "case_id": "again", "patient_id": "again"}
    (made.folder / again["path"]).write_bytes((made.folder / judged[3]["path"]).read_bytes())
    made.write_rows([*made.rows(), *planted, again])
    return made


def workspace_of(folder: Path, policy: str) -> Path:
    path = folder / "baselines" / "small" / "policy.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(policy)
    return folder


@pytest.fixture(scope="module")
def reported(data: SmallData, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    folder = workspace_of(tmp_path_factory.mktemp("reported"), POLICY)
    return watched_run(data.config(*QUICK), folder)


def test_each_changed_copy_is_found_with_both_names(data: SmallData, reported: Watched) -> None:
    found = json.loads((reported.outcome.report.parent / ADMISSION).read_text())
    pairs = {
        (pair["cases"][0]["case_id"], pair["cases"][1]["case_id"]): pair["way"]
        for pair in found["near_duplicates"]
    }
    judged = [row["case_id"] for row in data.of_split("test")]
    assert pairs == {
        ("mirrored", judged[0]): "mirrored",
        ("inverted", judged[1]): "inverted",
        ("compressed", judged[2]): "as it is",
    }


def test_the_decision_says_so_and_the_report_shows_both_pictures(reported: Watched) -> None:
    findings = reported.outcome.decision.findings
    assert any("3 pairs of nearly equal pictures between training" in each for each in findings)
    assert any("under both labels: compressed and " in each for each in findings)
    assert "case set: 1 cases repeat the picture of another" in findings, findings
    assert len(set(findings)) == len(findings), findings
    page = reported.outcome.report.with_suffix(".html").read_text()
    for name in ("mirrored", "inverted", "compressed"):
        assert f'alt="case {name}"' in page
    assert "the labels differ" in page and "not shown" not in page


def test_the_release_knows_its_case_set(reported: Watched) -> None:
    folder = reported.outcome.report.parent
    with Evidence(folder.parent.parent) as evidence:
        found = independence(evidence, evidence.subject(folder.name))
    assert found.facts["verdict"] == "not independent"
    assert found.facts["shared: nearly equal pictures"] == 3


def test_a_policy_can_stop_at_near_duplicates(data: SmallData, tmp_path: Path) -> None:
    folder = workspace_of(tmp_path / "w", POLICY + "near_duplicates: stop\n")
    with refused(LeakageFound, "3 pairs of nearly equal pictures", "compressed"):
        watched_run(data.config(*QUICK), folder)


def test_a_policy_can_stop_at_a_mark_in_the_corner_of_positives(tmp_path: Path) -> None:
    data = make_small_data(tmp_path / "small", training=240, judged=120)
    marked(data)
    stop = POLICY + "shortcuts: {action: stop, rationale: a mark is no finding}\n"
    with refused(AnomaliesFound, "top_left goes with the label"):
        watched_run(data.config(*QUICK), workspace_of(tmp_path / "w", stop))
