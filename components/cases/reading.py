"""What a person says of how the names in their data are to be read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from components.cases.splits import TRAIN_TUNE, TRAIN_TUNE_TEST, assign_split
from components.dicom.admission import Admission
from components.records.errors import SourceError

_LATER = ("tune_from_train",)  # says nothing of a case set


@dataclass(frozen=True)
class Reading:
    """Says how names are read; the default takes only what everybody calls so.

    Attributes:
      labels: words to 0, 1 or None, which leaves the cases out; where there is one, all are named.
      columns: of a manifest, by role: path, label, case_id, patient or split.
      ignore: columns that are not read.
      attributes: columns to slice by whatever they are called.
      patient_pattern: see `components.cases.patients.parse_name`.
      dicom: which DICOM files become cases.
      tune_from_train: share of the training patients to tune on; a folder to tune on is then left
        out, and what a manifest gives to tune on divided along. None takes those, or a fifth.
    """

    labels: tuple[tuple[str, int | None], ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    ignore: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    patient_pattern: str | None = None
    tune_from_train: float | None = None
    dicom: Admission = field(default_factory=Admission)

    @property
    def changed(self) -> Mapping[str, Any]:
        """What differs from the default, as JSON has it."""
        plain = asdict(PLAIN)
        return {name: value for name, value in asdict(self).items() if value != plain[name]}

    def shares(self, *, test: bool = False) -> Mapping[str, float]:
        """Shares of the patients by split, with or without one to test on."""
        if self.tune_from_train is None:
            return TRAIN_TUNE_TEST if test else TRAIN_TUNE
        kept = 1 - TRAIN_TUNE_TEST["test"] if test else 1.0
        tune = kept * self.tune_from_train
        held = {"test": TRAIN_TUNE_TEST["test"]} if test else {}
        return {**held, "tune": tune, "train": kept - tune}

    def split_of(self, patient_id: str, given: str = "", *, test: bool = True) -> str:
        """The split of a patient's case.

        Args:
          given: what the data say; empty where they leave it to the patient's id.
          test: whether there is one to test on, where they do.
        """
        if not given:
            return assign_split(patient_id, self.shares(test=test))
        if given == "test" or self.tune_from_train is None:
            return given
        return assign_split(patient_id, self.shares())

    def to_json(self) -> str:
        """As `from_json` takes it; the same for the same."""
        return json.dumps(self.changed, sort_keys=True)

    @classmethod
    def of(cls, changed: Mapping[str, Any]) -> "Reading":
        """The inverse of `changed`; what is no setting of it is an error of type."""
        said = {name: _frozen(value) for name, value in changed.items()}
        if "dicom" in said:
            said["dicom"] = Admission(**said["dicom"])
        return cls(**said)

    @classmethod
    def from_json(cls, text: str) -> "Reading":
        return cls.of(json.loads(text))

    def of_case_set(self) -> "Reading":
        """What of it says how locked cases are read."""
        return Reading.of({k: v for k, v in self.changed.items() if k not in _LATER})


PLAIN = Reading()


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def refuse_reading(where: str, reading: Reading) -> None:
    """Refuses what a person said of data that have no names to read."""
    if reading.changed:
        said = ", ".join(sorted(reading.changed))
        raise SourceError(f"{where}: got {said} of `data`, which only a folder of files has")
