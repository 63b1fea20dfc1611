"""The shift of every input that the schema limits: image quality first, then attributes."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from components.drift.findings import Shift
from components.drift.limits import Limit
from components.drift.sample import Floats, Sample
from components.drift.shifts import Dealing, shift_of_numbers, shift_of_words


def shifts_of_images(
    reference: Sample, current: Sample, limits: Mapping[str, Limit], dealing: Dealing
) -> list[Shift]:
    """Undecided, in the schema's order; features that neither sample knows are left out."""
    shifts = []
    for name, limit in limits.items():
        numbers = _numbers(reference, name), _numbers(current, name)
        if any(np.isfinite(column).any() for column in numbers):
            shifts.append(shift_of_numbers(name, "quality", *numbers, limit, dealing))
    return shifts


def shifts_of_attributes(
    reference: Sample, current: Sample, limits: Mapping[str, Limit], dealing: Dealing
) -> list[Shift]:
    """As `shifts_of_images`."""
    shifts = []
    for name, limit in limits.items():
        words = _words(reference, name), _words(current, name)
        if any(word is not None for column in words for word in column):
            shifts.append(shift_of_words(name, *words, limit, dealing))
    return shifts


def _numbers(sample: Sample, name: str) -> Floats:
    """Unknown throughout where the sample lacks the column."""
    return sample.numbers.get(name, np.full(len(sample), np.nan))


def _words(sample: Sample, name: str) -> npt.NDArray[np.object_]:
    return sample.words.get(name, np.full(len(sample), None, dtype=object))
