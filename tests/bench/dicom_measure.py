"""Reading DICOM pictures against pydicom's own decoding alone, syntax by syntax, on one core.

`python -m tests.bench.dicom_measure` prints the figures.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from components.dicom.pixels import read_pixels
from tests.dicom_files import ENCODERS, encapsulated, plant

READING_SHARE = 0.8  # of the pictures a second that pydicom decodes
ROWS, COLUMNS, STORED = 1955, 1841, 15  # of a chest radiograph of a CR of 2004
PLUGINS = {
    "1.2.840.10008.1.2.1": "",
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.5": "pylibjpeg",
}


@dataclass(frozen=True)
class DicomFigure:
    """Attributes:
    syntax: the transfer syntax's name.
    decoding: seconds that pydicom takes to decode a picture, with the same decoder.
    reading: seconds that casegate takes from the data set to sixteen bits.
    """

    syntax: str
    decoding: float
    reading: float

    @property
    def share(self) -> float:
        """Pictures a second, of those that pydicom decodes."""
        return self.decoding / self.reading


def measured_reading(repeat: int = 9) -> Iterator[DicomFigure]:
    """Medians over so many turns, in which pydicom and casegate alternate."""
    values = _chest()
    for syntax, plugin in PLUGINS.items():
        dataset = plant(values, stored=STORED, PhotometricInterpretation="MONOCHROME1")
        dataset.WindowCenter, dataset.WindowWidth = 15000, 30000
        if syntax in ENCODERS:
            frame = ENCODERS[syntax](values, STORED, False, syntax)
            dataset = encapsulated(dataset, syntax, frame)
        decoding, reading = [], []
        for _ in range(repeat):
            decoding.append(_seconds(pixel_array, dataset, decoding_plugin=plugin))
            reading.append(_seconds(read_pixels, dataset))
        yield DicomFigure(UID(syntax).name, statistics.median(decoding), statistics.median(reading))


def _chest() -> npt.NDArray[np.int64]:
    """The radiograph of pydicom-data, or as smooth and as noisy a picture where it is missing."""
    try:
        import data_store
    except ImportError:
        down, across = np.mgrid[:ROWS, :COLUMNS]
        noise = np.random.default_rng(3).normal(0, 60, (ROWS, COLUMNS))
        waves = 14000 + 7000 * np.sin(down / 260) + 5000 * np.cos(across / 170) + noise
        return np.clip(waves, 0, (1 << STORED) - 1).astype(np.int64)
    path = Path(data_store.__file__).parent / "data" / "RG1_UNCI.dcm"
    return pixel_array(dcmread(path)).astype(np.int64)


def _seconds(work: Callable[..., object], *what: object, **how: object) -> float:
    start = time.perf_counter()
    work(*what, **how)
    return time.perf_counter() - start


def main() -> None:
    for figure in measured_reading():
        print(
            f"{figure.syntax[:60]:60}  pydicom {figure.decoding * 1000:7.1f} ms  "
            f"casegate {figure.reading * 1000:7.1f} ms  {figure.share:.2f}"
        )


if __name__ == "__main__":
    main()
