"""Which model is asked about one image, what Pillow reads of it, and what is refused."""

import io
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from components.dicom.pixels import read_pixels
from components.records.errors import (
    ConfigError,
    IntegrityError,
    NothingEvaluated,
    SourceError,
    Unservable,
)
from pipeline.run import explain as module
from pipeline.run.explain import ask_maps, explain_image
from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace
from tests.components.scoring import making
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

GREY = np.linspace(0, 255, 40 * 30).reshape(40, 30).astype(np.uint8)


def written(path: Path, kind: str = "PNG") -> Path:
    Image.fromarray(GREY).save(path, format=kind)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return making.save(making.Explained(), tmp_path_factory.mktemp("models") / "7")


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def ask(image: Path, model: object, place: Workspace) -> module.Explained:
    return explain_image(image, None if model is None else str(model), load_config(None, []), place)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pillow_reads_the_picture_with_its_map(
    kind: str, model: Path, place: Workspace, tmp_path: Path
) -> None:
    made = ask(written(tmp_path / "image", kind), model, place)
    with Image.open(io.BytesIO(made.picture)) as opened:
        assert opened.format == "PNG" and opened.size == (2 * 384 + 48, 512 + 128)
    assert made.words.startswith("probability ") and "not where the disease is" in made.words


def test_the_model_gets_the_picture_as_intake_has_it(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    asked: list[bytes] = []
    explain = module.explain
    monkeypatch.setattr(
        module, "explain", lambda path, images: asked.extend(images) or explain(path, images)
    )
    image = written(tmp_path / "image.png")
    commented = tmp_path / "commented.png"
    with Image.open(image) as opened:
        opened.save(commented, format="PNG", dpi=(72, 72))
    ask(commented, model, place)
    with Image.open(io.BytesIO(asked[0])) as opened:
        assert np.array_equal(np.asarray(opened), GREY) and "dpi" not in opened.info


def dicom(name: str) -> Path:
    """A file of pydicom's own, or of pydicom-data where that is installed."""
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"no {name}: pydicom-data is not installed")
    return Path(path)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "RG1_UNCI.dcm"])
def test_a_dicom_file_is_explained_as_the_radiograph_that_it_is(
    name: str, model: Path, place: Workspace
) -> None:
    """RG1 is a chest, MONOCHROME1: shown as the network gets it, bones bright."""
    made = ask(dicom(name), model, place)
    read = Image.fromarray(read_pixels(pydicom.dcmread(dicom(name))))
    with Image.open(io.BytesIO(made.picture)) as sheet:
        side = max(512, min(1024, max(read.size)))
        width, height = (round(length * side / max(read.size)) for length in read.size)
        shown = sheet.convert("L").crop((16, 16, 16 + width, 16 + height))
    small = [np.asarray(one.resize((32, 32), Image.Resampling.BOX), float) for one in (shown, read)]
    assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.9
    assert made.words.startswith("probability ")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SC_rgb_rle_2frame.dcm", "PhotometricInterpretation RGB"),
        ("rtplan.dcm", "PhotometricInterpretation is missing"),
        ("MR_truncated.dcm", "8,130 bytes"),
        ("rtdose.dcm", "NumberOfFrames"),
    ],
)
def test_a_dicom_file_that_is_no_radiograph_is_refused_by_its_name(
    name: str, words: str, model: Path, place: Workspace
) -> None:
    with refused(SourceError, name, words):
        ask(dicom(name), model, place)


def test_a_damaged_dicom_file_is_refused_by_its_name(
    model: Path, place: Workspace, tmp_path: Path
) -> None:
    content = dicom("CT_small.dcm").read_bytes()
    for number, damaged in enumerate((content[:140], content[:5000], content[:132] + b"?" * 500)):
        path = tmp_path / f"scan-{number}.dcm"
        path.write_bytes(damaged)
        with refused(SourceError, path.name):
            ask(path, model, place)


def test_nothing_is_released(place: Workspace, tmp_path: Path) -> None:
    with refused(NothingEvaluated, str(place.root), "--model"):
        ask(written(tmp_path / "image.png"), None, place)


def test_a_version_that_is_not_there_or_was_put_there_by_hand(
    place: Workspace, tmp_path: Path, model: Path
) -> None:
    image = written(tmp_path / "image.png")
    shutil.copytree(model, place.serving / "pneumonia" / "7")
    with refused(ConfigError, "--model 8", "there: 7"):
        ask(image, 8, place)
    for named in (7, None):
        with refused(IntegrityError, "pneumonia/7"):
            ask(image, named, place)


def test_a_folder_without_a_model(place: Workspace, tmp_path: Path) -> None:
    for named in (tmp_path, tmp_path / "nowhere"):
        with refused(SourceError, str(named)):
            ask(written(tmp_path / "image.png"), named, place)


def test_a_model_released_before_models_said_why(place: Workspace, tmp_path: Path) -> None:
    old = making.save(making.Sized(), tmp_path / "old")
    with refused(ConfigError, str(old), "explain"):
        ask(written(tmp_path / "image.png"), old, place)


def test_a_model_that_cannot_be_served(place: Workspace, tmp_path: Path) -> None:
    make, words = making.UNSERVABLE["no index"]
    with refused(Unservable, words):
        ask(written(tmp_path / "image.png"), make(tmp_path / "broken"), place)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n but no more"])
def test_what_is_no_picture_is_refused_by_its_name(
    content: bytes, model: Path, place: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "image.png").write_bytes(content)
    with refused(SourceError, "image.png"):
        ask(tmp_path / "image.png", model, place)


def test_a_page_lacks_the_maps_that_there_are_not(model: Path, tmp_path: Path) -> None:
    images = {"one": b"." * 100, "other": b"." * 999}
    assert {name: one.shape for name, one in ask_maps(model, images).items()} == {
        "one": (3, 2),
        "other": (3, 2),
    }
    assert ask_maps(model, {}) == {}
    assert ask_maps(making.save(making.Sized(), tmp_path / "old"), images) == {}
    assert ask_maps(making.UNSERVABLE["no index"][0](tmp_path / "broken"), images) == {}
