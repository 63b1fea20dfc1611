"""Where the workspace keeps feedback."""

from dataclasses import dataclass
from pathlib import Path

from components.feedback.record import Record


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
