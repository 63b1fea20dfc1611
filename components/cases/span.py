"""One span: a folder with a manifest, a folder with class folders, or an .npz file.

Unlike a source of its own, a span has no test split and may lack a class: it is a week's cases,
and what is trained on is a window of them.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from components.cases.files import ImageFile, file_sha256, files_sha256, read_image_file
from components.cases.folder import list_class_folders
from components.cases.manifest import MANIFEST, list_manifest
from components.cases.npz import NpzRow, list_npz, read_npz_row
from components.records.case import BadCase, Case
from components.records.errors import SourceError

SPLITS = ("train", "tune")


class SpanRow(Protocol):
    """A case before its image is read; see `ImageFile` and `NpzRow`."""

    @property
    def path(self) -> str: ...

    @property
    def case_id(self) -> str: ...

    @property
    def patient_id(self) -> str: ...

    @property
    def label(self) -> int: ...

    @property
    def is_image(self) -> bool: ...


@dataclass(frozen=True)
class Span:
    """Where a span is.

    Attributes:
      name: of the folder, or of the file without its suffix; every case has it as `span`.
    """

    number: int
    name: str
    path: Path

    @property
    def _is_file(self) -> bool:
        return self.path.suffix.lower() == ".npz"

    def rows(self) -> Mapping[str, Sequence[SpanRow]]:
        """The rows of train and of tune, in the order in which they are read.

        Raises:
          SourceError: the span cannot be used, or has test cases.
        """
        listed = self._listed()
        if listed["test"]:
            raise SourceError(
                f"{self.path}: {len(listed['test'])} cases in split 'test', the first "
                f"{listed['test'][0].path}; wanted train and tune, the case set stands elsewhere"
            )
        return listed

    def _listed(self) -> Mapping[str, Sequence[SpanRow]]:
        if self._is_file:
            return list_npz(self.path, self.name)
        if (self.path / MANIFEST).is_file():
            return list_manifest(self.path, self.name)
        if (self.path / "train").is_dir():
            return list_class_folders(self.path, self.name)
        raise SourceError(
            f"{self.path}: wanted a folder with {MANIFEST} or with train/, or an .npz"
        )

    def read(self, split: str, start: int, stop: int) -> Iterator[Case | BadCase]:
        """The cases of some rows of a split, each with the span as an attribute."""
        for row in self.rows()[split][start:stop]:
            if isinstance(row, ImageFile):
                case = read_image_file(self.path, row)
            else:
                assert isinstance(row, NpzRow)
                case = read_npz_row(self.path, row)
            if isinstance(case, BadCase):
                yield replace(case, where=f"{self.name}/{case.where}")
            else:
                yield replace(case, attributes={"span": self.name, **case.attributes})

    def fingerprint(self) -> str:
        """SHA-256 (hex) of its name and of every byte in its files; none is taken on trust."""
        if self._is_file:
            content = file_sha256(self.path)
        else:
            paths = {row.path for rows in self.rows().values() for row in rows}
            manifest = {MANIFEST} if (self.path / MANIFEST).is_file() else set()
            content = files_sha256(self.path, paths | manifest)
        return hashlib.sha256(f"{self.number}\0{self.name}\0{content}".encode()).hexdigest()
