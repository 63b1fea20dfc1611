"""From stored values to grey: modality, window or look-up table, polarity, sixteen bits.

The recipe is computed once for every word that can be stored, at most 65,536 of them, and a picture
is then looked up in the result: exact, and as quick as one pass over its pixels.
"""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from components.dicom.header import Word, numbers, text
from components.records.errors import SourceError

if TYPE_CHECKING:
    from pydicom import Dataset

Values = npt.NDArray[np.float64]

FULL_SCALE = 65535
_LUT_BITS = range(8, 17)
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True)
class Lut:
    """A look-up table; inputs below and above it take its first and its last entry.

    Attributes:
      first: the input that has the first entry.
      bits: of an entry; the output has the range 0 to 2**bits - 1.
      entries: uint16 in the machine's byte order, as bytes, so that tables can be compared.
    """

    first: int
    bits: int
    entries: bytes

    @property
    def highest(self) -> int:
        """The greatest output that the table declares."""
        return (1 << self.bits) - 1

    def apply(self, values: Values) -> Values:
        """The entries for these inputs; fractions, which a rescale can leave, are rounded."""
        entries = np.frombuffer(self.entries, np.uint16)
        index = np.floor(values + 0.5) - self.first
        return entries[np.clip(index, 0, len(entries) - 1).astype(np.intp)].astype(np.float64)


@dataclass(frozen=True)
class Rescale:
    """The modality's straight line; slope 1 and intercept 0 leave values as they are."""

    slope: float
    intercept: float

    def apply(self, values: Values) -> Values:
        """The values in the modality's unit."""
        return values * self.slope + self.intercept


@dataclass(frozen=True)
class Window:
    """Center, width and function of a VOI window."""

    center: float
    width: float
    function: str

    def apply(self, values: Values) -> Values:
        """The share of full brightness, in [0, 1].

        Source: DICOM PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID) and C.11.2.1.3.2
        (LINEAR_EXACT).
        """
        if self.function == "SIGMOID":
            exponent = np.clip(-4 * (values - self.center) / self.width, -700, 700)
            return 1 / (1 + np.exp(exponent))
        shrunk = 1 if self.function == "LINEAR" else 0
        center, width = self.center - shrunk / 2, self.width - shrunk
        if width == 0:  # a window of width 1 is a threshold
            return (values > center).astype(np.float64)
        return np.clip((values - center) / width + 0.5, 0, 1)


@dataclass(frozen=True)
class Recipe:
    """Everything that turns a word into grey; equal chains have equal tables.

    Attributes:
      voi: None where the full declared range is shown.
      inverted: low values are bright.
    """

    word: Word
    modality: Lut | Rescale
    voi: Lut | Window | None
    inverted: bool


def parse_recipe(dataset: "Dataset", word: Word, inverted: bool) -> Recipe:
    """The recipe of a header: the first VOI look-up table, else the first window, else neither.

    Raises:
      SourceError: a part is incomplete, contradictory or unknown.
    """
    modality = _modality(dataset, word)
    lowest, _ = _declared(word, modality)
    return Recipe(word, modality, _voi(dataset, lowest), inverted)


@functools.lru_cache(maxsize=16)  # one X-ray device writes few chains; a table is 128 KiB
def grey_table(recipe: Recipe) -> npt.NDArray[np.uint16]:
    """The grey of every word, shape (2**allocated,): 0 black, 65535 full scale; read-only."""
    word = recipe.word
    values: Values = np.arange(1 << word.allocated, dtype=np.float64)
    values = np.floor(values / (1 << word.shift)) % (1 << word.stored)
    if word.signed:
        values[values > word.highest] -= 1 << word.stored
    values = recipe.modality.apply(values)
    lowest, highest = _declared(word, recipe.modality)
    if recipe.voi is None:
        shares = (values - lowest) / (highest - lowest)
    else:
        shares = recipe.voi.apply(values)
        if isinstance(recipe.voi, Lut):
            shares /= recipe.voi.highest
    if recipe.inverted:
        shares = 1 - shares
    table = np.floor(shares * FULL_SCALE + 0.5).astype(np.uint16)
    table.flags.writeable = False
    return table


def _declared(word: Word, modality: Lut | Rescale) -> tuple[float, float]:
    """The range of what the modality can give: declared by the header, whatever the picture has."""
    if isinstance(modality, Lut):
        return 0, modality.highest
    ends = modality.apply(np.array([word.lowest, word.highest], np.float64))
    return float(ends.min()), float(ends.max())


def _modality(dataset: "Dataset", word: Word) -> Lut | Rescale:
    slope, intercept = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    if len(slope) != len(intercept) or len(slope) > 1:
        raise SourceError(
            f"RescaleSlope has {len(slope)} values and RescaleIntercept {len(intercept)}; "
            "wanted one of each or none"
        )
    rescale = Rescale(slope[0], intercept[0]) if slope else Rescale(1, 0)
    if rescale.slope == 0:
        raise SourceError("RescaleSlope 0: every pixel would be the same")
    lut = _first_lut(dataset, "ModalityLUTSequence", word.lowest)
    if lut and rescale != Rescale(1, 0):
        raise SourceError("both a ModalityLUTSequence and a RescaleSlope; wanted one of them")
    return lut or rescale


def _voi(dataset: "Dataset", lowest: float) -> Lut | Window | None:
    lut = _first_lut(dataset, "VOILUTSequence", lowest)
    if lut:
        return lut
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if not centers and not widths:
        return None
    if len(centers) != len(widths):
        raise SourceError(
            f"WindowCenter has {len(centers)} values and WindowWidth {len(widths)}; "
            "wanted one width for each center"
        )
    function = text(dataset, "VOILUTFunction") or "LINEAR"
    if function not in _FUNCTIONS:
        raise SourceError(f"VOILUTFunction {function}; wanted one of {', '.join(_FUNCTIONS)}")
    window = Window(centers[0], widths[0], function)
    if window.width <= 0 or (function == "LINEAR" and window.width < 1):
        least = "at least 1" if function == "LINEAR" else "more than 0"
        raise SourceError(f"WindowWidth {window.width:g}; wanted {least} for {function}")
    return window


def _first_lut(dataset: "Dataset", keyword: str, lowest: float) -> Lut | None:
    """The first table of a sequence, for inputs from `lowest` on; None where there is none."""
    sequence: Any = dataset.get(keyword)
    if not sequence:
        return None
    item = sequence[0]
    descriptor, data = item.get("LUTDescriptor"), item.get("LUTData")
    if data is None or not hasattr(descriptor, "__len__") or len(descriptor) != 3:
        raise SourceError(f"{keyword} without LUTDescriptor of three numbers or without LUTData")
    count, first, bits = (int(part) for part in descriptor)
    if bits not in _LUT_BITS:
        raise SourceError(f"{keyword}: entries of {bits} bits; wanted 8 to 16")
    first = _signed_as_inputs(dataset, keyword, item["LUTDescriptor"].VR, first, lowest)
    entries = _entries(data, count % 65536 or 65536, bits, _order(dataset))
    if entries is None or int(entries.max()) >= 1 << bits:
        raise SourceError(f"{keyword}: LUTData is not the {count} entries of {bits} bits declared")
    return Lut(first, bits, entries.tobytes())


def _signed_as_inputs(dataset: "Dataset", keyword: str, vr: str, first: int, lowest: float) -> int:
    """The first input, read with the sign of the inputs: PS3.3 C.11.1.1 and C.11.2.1.1."""
    implicit = dataset.original_encoding[0]  # then the header does not say which of the two it is
    if not implicit and vr == "US" and lowest < 0:
        raise SourceError(f"{keyword} is for unsigned values, but the values are signed")
    if not implicit and vr == "SS" and first < 0 <= lowest:
        raise SourceError(f"{keyword} is for signed values, but the values are unsigned")
    first %= 65536
    return first - 65536 if lowest < 0 and first > 32767 else first


def _order(dataset: "Dataset") -> str:
    syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    return "<" if syntax is None or syntax.is_little_endian else ">"


def _entries(data: Any, count: int, bits: int, order: str) -> npt.NDArray[np.uint16] | None:
    """`count` entries, one a word or, of 8 bits, maybe two a word; None for another count."""
    if isinstance(data, bytes):
        words = np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2")
    else:
        words = np.atleast_1d(np.asarray(data, np.int64))
    if len(words) == count:
        return words.astype(np.uint16)
    if bits == 8 and len(words) == (count + 1) // 2:
        return words.astype("<u2").view(np.uint8)[:count].astype(np.uint16)
    return None
