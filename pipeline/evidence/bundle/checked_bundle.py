"""A bundle while it is checked: its files, and the list of what was found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.bundle.manifest import Manifest
from components.bundle.member import as_path
from components.records.errors import IntegrityError

FITS, AGAIN, SIGNED, OPEN = "fits", "recomputed", "verified", "not checked"


@dataclass
class Bundle:
    """Attributes:
    where: the archive, for errors.
    found: (what, result, detail) of each thing that was checked, in order.
    undecided: why the bundle cannot be relied on although nothing in it contradicts anything.
    """

    where: str
    files: Mapping[str, bytes]
    manifest: Manifest
    found: list[tuple[str, str, str]] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def path(self, name: str) -> Path:
        """A file as readers want it.

        Raises:
          IntegrityError: it is missing.
        """
        if name not in self.files:
            raise IntegrityError(f"{self.where}: {name} is missing, which every such bundle holds")
        return as_path(f"{self.where}: {name}", self.files[name])

    def note(self, what: str, result: str, detail: str = "") -> None:
        self.found.append((what, result, detail))

    def leave_open(self, what: str, why: str) -> None:
        """Something that an auditor has to rely on, and that could not be checked."""
        self.note(what, OPEN, why)
        self.undecided.append(f"{what}: {why}")

    def same(self, what: str, got: object, wanted: object, says: str) -> None:
        """Raises IntegrityError where two things that have to be the same are not."""
        if got != wanted:
            raise IntegrityError(f"{self.where}: {what} is {_short(got)}, {says} {_short(wanted)}")


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 else text[:80]
