"""Where the workspace keeps feedback, and what of the configuration decides on it."""

from dataclasses import dataclass
from pathlib import Path

from components.feedback.record import Record
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class FeedbackPlaces:
    """Attributes:
    workspace: its folder, absolute.
    """

    workspace: Path

    @property
    def record(self) -> Record:
        return Record(self.workspace / "feedback.jsonl")

    @property
    def images(self) -> Path:
        """Images that a person gave with an opinion; no others are ever kept."""
        return self.workspace / "feedback" / "images"

    @property
    def proposals(self) -> Path:
        return self.workspace / "feedback" / "proposals"

    @property
    def promotions(self) -> Path:
        """What each promotion sent where, by its id."""
        return self.workspace / "feedback" / "promotions"

    @property
    def lock(self) -> Path:
        """Held while cases are promoted."""
        return self.workspace / "feedback" / ".lock"


def prediction_log(config: Config, workspace: Workspace, given: Path | None) -> Path:
    """The log of what was served: the one given, the configured one, or the workspace's own."""
    if given is not None:
        return given
    named = config.monitoring.log
    return Path(named) if named else workspace.root / "predictions"
