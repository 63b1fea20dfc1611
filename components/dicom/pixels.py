"""How a DICOM picture becomes sixteen bits of grey: one pipeline, with a version.

Stored values, modality, VOI and polarity, in the order of DICOM PS3.4 N.2: a radiograph as it is
meant to be seen. What leaves a doubt is refused. docs/data.md says it in words.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from components.dicom.decoders import decode_words, require_decoder
from components.dicom.greys import Recipe, grey_table, parse_recipe
from components.dicom.header import Header, parse_header
from components.records.errors import SourceError
from components.records.text import brief

if TYPE_CHECKING:
    from pydicom import Dataset

PIPELINE = "dicom-v1"  # in every record; a change that moves one pixel is another version


def read_pixels(dataset: "Dataset") -> npt.NDArray[np.uint16]:
    """The picture of a data set, shape (rows, columns): 0 black, 65535 full scale; read-only.

    Raises:
      SourceError: why it cannot be read, in one line, without saying where it is.
    """
    header, recipe = _read(_parse, dataset)
    words = _read(decode_words, dataset, header)
    return _look_up(grey_table(recipe), words)


def why_unreadable(dataset: "Dataset") -> str | None:
    """Why `read_pixels` refuses the picture, as far as its header tells; None where it does not.

    The data set may have been read without its pixels (`stop_before_pixels`).
    """
    try:
        _read(_parse, dataset)
    except SourceError as error:
        return str(error)
    return None


def _parse(dataset: "Dataset") -> tuple[Header, Recipe]:
    header = parse_header(dataset)
    require_decoder(dataset)
    return header, parse_recipe(dataset, header.word, header.inverted)


def _read(read: Callable[..., Any], *what: Any) -> Any:
    """Calls a reader; pydicom and the decoders raise errors of many kinds, and here of one."""
    try:
        return read(*what)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"cannot be decoded: {brief(error)}") from None


def _look_up(table: npt.NDArray[np.uint16], words: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """The table's entry for each word, by Arrow: its indices may have 16 bits, NumPy's have 64."""
    from pyarrow import compute  # type: ignore[import-untyped]

    greys = compute.call_function("take", [_arrow(table), _arrow(words)])
    return np.frombuffer(greys.buffers()[1], np.uint16, words.size).reshape(words.shape)


def _arrow(numbers: npt.NDArray[Any]) -> Any:
    """An array by its memory: Arrow's own ways to and from NumPy import pandas."""
    import pyarrow

    native = np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("="))
    kind = pyarrow.uint8() if native.itemsize == 1 else pyarrow.uint16()
    return pyarrow.Array.from_buffers(kind, native.size, [None, pyarrow.py_buffer(native)])
