"""Why a released model says what it says of one image."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.cases.container import write_png
from components.cases.files import read_limited
from components.cases.images import canonical_png
from components.dicom.facts import parse_dataset
from components.dicom.pixels import read_pixels
from components.pages.heat import MEANING, read_shown, with_scale
from components.records.errors import ConfigError, NothingEvaluated, SourceError, Unservable
from components.release.serving import find_champion, find_version, versions
from components.scoring.served import explain
from components.scoring.serving_session import NO_LABEL
from pipeline.run.score_gate import is_saved_model
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace

LARGEST = 1024  # pixels along a side of the picture


@dataclass(frozen=True)
class Explained:
    """Attributes:
    picture: a PNG: the image, the image under its map, and the scale.
    words: what the model said.
    """

    picture: bytes
    words: str


def explain_image(
    image: Path, model: str | None, config: Config, workspace: Workspace
) -> Explained:
    """Asks a model for one image, in the loader that serves it.

    Args:
      image: a PNG, JPEG or DICOM file.
      model: a released version, or the folder of a SavedModel; None takes the champion.

    Raises:
      SourceError: the image cannot be used, or the folder holds no model.
      ConfigError: no such version, or it was released before models said why.
      NothingEvaluated: nothing is released.
      IntegrityError: the version's files are not those of a model that passed here.
      Unservable: the model cannot be loaded or cannot read the image.
    """
    path, content = _model(model, config, workspace), _read(image)
    answer = next(explain(path, [content]), None)
    if answer is None:
        raise ConfigError(
            f"{path}: released before models said why: it has no signature 'explain'; train and "
            "release it again"
        )
    called = "positive" if answer.label[0] else "negative"
    who = f"{path.parent.name} {path.name}"
    words = f"probability {answer.probability[0]:.4f}, called {called} by {who}"
    shown = read_shown(content, LARGEST)
    assert shown is not None  # it was decoded when it was read
    return Explained(with_scale(shown, answer.heatmap[0], words), f"{words}; {MEANING}")


def ask_maps(model: Path, images: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """Where a model's score of each encoded image came from, float32 (h, w) by the image's name.

    Nothing of an image that it cannot read, and of none where it gives no maps or cannot be
    served: a page without maps is better than none.
    """
    try:
        answers = list(explain(model, list(images.values()), spared=True)) if images else []
    except Unservable:
        return {}
    return {
        name: answer.heatmap[0]
        for name, answer in zip(images, answers)
        if answer.label[0] != NO_LABEL
    }


def _model(named: str | None, config: Config, workspace: Workspace) -> Path:
    if named is not None and not named.isdecimal():
        path = Path(named)
        if not is_saved_model(path):
            raise SourceError(f"--model {named}: no such folder; wanted a version or a SavedModel")
        return path.resolve()
    destination = workspace.destination(config.serving.model_name, config.serving.directory)
    if named is None:
        champion = find_champion(destination, workspace.runs)
        if champion is None:
            raise NothingEvaluated(
                f"{destination}: nothing is released, so there is nothing to ask; release a model "
                "first, or name one with --model"
            )
        return champion.path
    if int(named) not in versions(destination):
        known = ", ".join(map(str, versions(destination))) or "none"
        raise ConfigError(f"--model {named}: no such version in {destination}; there: {known}")
    return find_version(destination, int(named), workspace.runs).path


def _read(path: Path) -> bytes:
    """The picture in a file as intake has it: a PNG of nothing else."""
    try:
        content = read_limited(path)
        dataset = parse_dataset(io.BytesIO(content), pixels=True)
        return canonical_png(content) if dataset is None else write_png(read_pixels(dataset))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None
