"""Each case's picture and map on the worklist's page, and what it says where one is missing."""

from pathlib import Path

import pytest
import tensorflow as tf
from click.testing import CliRunner

from components.cases.images import pixels_sha256
from components.release.serving import Champion
from pipeline.cli import main
from pipeline.feedback import worklist_page as module
from pipeline.feedback.report import make_report
from pipeline.feedback.worklist_page import NO_MAP, NO_MODEL, NO_PICTURE, worklist_page
from tests.components.report.browser import CHROMIUM, chromium
from tests.components.scoring import making
from tests.pipeline.feedback.making import MODEL, Clinic

pytestmark = pytest.mark.tensorflow


class Why(making.Explained):
    """Has heat in each map, whatever the size of the image."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.cast(tf.strings.length(image) >= 0, tf.float32)
        heat = rows[:, None, None] * tf.eye(3)[None]
        return {**self.judged(image), "heatmap": tf.ensure_shape(heat, [None, 3, 3])}


@pytest.fixture
def release(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 3 of what the clinic serves, under the hash that its log names."""
    path = clinic.workspace.serving / "pneumonia" / "3"
    monkeypatch.setattr(
        module, "find_version", lambda *_: Champion(3, path, MODEL, path / "decision.json")
    )
    return path


def page(clinic: Clinic) -> str:
    report = make_report(clinic.places, clinic.served, readers=2)
    return worklist_page(
        report,
        clinic.places,
        clinic.served,
        released=clinic.workspace.serving / "pneumonia",
        runs=clinic.workspace.runs,
    )


def missed(clinic: Clinic, *case_ids: str, **given: object) -> None:
    for case_id in case_ids:
        image = clinic.serve(case_id, score=0.1, **given)  # type: ignore[arg-type]
        kept = clinic.places.images
        kept.mkdir(parents=True, exist_ok=True)
        (kept / f"{pixels_sha256(image.read_bytes())}.png").write_bytes(image.read_bytes())
        for by in ("Dr. One", "Dr. Two"):
            clinic.say(case_id, "positive", by)


def test_a_missed_case_has_its_picture_and_its_map_by_the_model_that_missed_it(
    clinic: Clinic, release: Path
) -> None:
    making.save(Why(), release)
    missed(clinic, "by-hash")
    missed(clinic, "by-version", model_sha256=None, model_version=3)
    shown = page(clinic)
    assert shown.count("data:image/jpeg") == 2 and shown.count("data:image/png") == 3
    assert "not where the disease is" in shown and "no random sample" in shown
    assert NO_MAP not in shown and NO_MODEL not in shown and NO_PICTURE not in shown


def test_what_is_missing_is_said_in_words(clinic: Clinic, release: Path) -> None:
    missed(clinic, "seen", "gone")
    (clinic.places.images / sorted(p.name for p in clinic.places.images.iterdir())[0]).unlink()
    assert NO_MODEL in page(clinic) and NO_PICTURE in page(clinic)
    making.save(making.Sized(), release)
    shown = page(clinic)
    assert NO_MAP in shown and NO_MODEL not in shown and "data:image/jpeg" not in shown


def test_names_and_notes_are_text_and_nothing_else(clinic: Clinic, release: Path) -> None:
    clinic.serve("<b>x</b>", score=0.1)
    clinic.say("<b>x</b>", "positive", note="<script>alert(1)</script>")
    shown = page(clinic)
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "<b>x" not in shown


def test_no_more_are_shown_than_a_person_looks_at(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHOWN", 2)
    missed(clinic, "one", "two", "three")
    shown = page(clinic)
    assert shown.count("<article") == 2 and "And 1 more" in shown and "3 to look at" in shown


def test_the_command_prints_the_page(clinic: Clinic) -> None:
    words = ["feedback", "report", "--workspace", str(clinic.workspace.root), "--format", "html"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("<!doctype html>") and "nobody disagrees" in done.stdout


@pytest.mark.process
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_and_complains_of_nothing(
    clinic: Clinic, release: Path, tmp_path: Path, width: int
) -> None:
    making.save(Why(), release)
    missed(clinic, "one", "two", "a-case-with-a-name-that-is-as-long-as-those-of-hospitals-are")
    path = tmp_path / "worklist.html"
    path.write_text(page(clinic), encoding="utf-8")
    with chromium(tmp_path / "profile") as browser:
        browser.open(path, width=width)
        assert browser.complaints == [] and browser.requests == [path.resolve().as_uri()]
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert all(browser.run("[...document.images].map(i => i.naturalWidth)"))
        assert browser.run("document.images.length") == 7
