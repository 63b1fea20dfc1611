"""The page's reading of DICOM against casegate's own: the same 16 bits, or refused by both.

Of every file of pydicom's and pydicom-data's test sets, and of data sets planted with one habit.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from components.dicom.pixels import read_pixels
from components.records.errors import SourceError
from tests.components.dicom.test_pixels_dcmtk import files
from tests.components.exports.tfjs import bundled
from tests.dicom_files import ENCODERS, encapsulated, plant, save, table
from tests.foreign import answer

pytestmark = pytest.mark.process

PROGRAM = Path(__file__).with_name("pictures.js")
# What casegate reads and the page does not, and the words that say so.
BEYOND = {
    "JPEG-lossy.dcm": "lossy JPEG of 12 bits",
    "JPGExtended.dcm": "lossy JPEG of 12 bits",
}
VALUES = np.random.default_rng(5).integers(0, 4096, (40, 36))
SIGNED = VALUES - 2048


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[Path]], list[Any]]:
    """What the page makes of files, in Node."""
    program = bundled(PROGRAM.read_text(), tmp_path_factory.mktemp("program"))

    def read(paths: Sequence[Path]) -> list[Any]:
        lines = answer(*program, given="\n".join(map(str, paths)).encode())
        return [json.loads(line) for line in lines.splitlines()]

    return read


def wanted(path: Path) -> dict[str, Any]:
    """What casegate makes of the file."""
    try:
        pixels = read_pixels(pydicom.dcmread(path, force=True))
    except SourceError as error:
        return {"refused": str(error)}
    sha256 = hashlib.sha256(pixels.astype("<u2").tobytes()).hexdigest()
    return {"sha256": sha256, "width": pixels.shape[1], "height": pixels.shape[0]}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_published_file_is_read_alike(reader: Callable[..., list[Any]]) -> None:
    paths = [path for path, _ in files()]
    alike = 0
    for path, got in zip(paths, reader(paths), strict=True):
        expected = wanted(path)
        if path.name in BEYOND:
            assert BEYOND[path.name] in got["refused"]
        elif "refused" in expected:
            assert "refused" in got, path.name
        else:
            assert got == expected, path.name
            alike += 1
    assert alike >= 30


def planted() -> Iterator[tuple[str, Dataset]]:
    """Data sets with one habit each, sound ones and others."""
    for stored, signed in itertools.product((1, 7, 8, 9, 12, 15, 16), (False, True)):
        least = -(1 << (stored - 1)) if signed else 0
        values = np.linspace(least, least + (1 << stored) - 1, 35).round().reshape(5, 7)
        for photometric in ("MONOCHROME1", "MONOCHROME2"):
            made = plant(
                values, stored=stored, signed=signed, PhotometricInterpretation=photometric
            )
            yield f"{stored} bits, signed {signed}, {photometric}", made
    windows = [("LINEAR", 2000, 1), ("LINEAR", 2000, 1500.5), ("LINEAR", 900, 0.5)]
    windows += [("LINEAR_EXACT", 2000, 0.25), ("SIGMOID", 1999.5, 700), ("SIGMOID", 1, 0)]
    for function, center, width in [*windows, ("CUBIC", 1, 1)]:
        yield (
            f"window {function} {center} {width}",
            plant(VALUES, WindowCenter=center, WindowWidth=width, VOILUTFunction=function),
        )
    changes: list[dict[str, Any]] = [
        {"WindowCenter": [2000, 100], "WindowWidth": [900, 50]},
        {"WindowCenter": [2000, 100], "WindowWidth": 900},
        {"WindowCenter": 2000},
        {"RescaleSlope": 1.5, "RescaleIntercept": -1024},
        {"RescaleSlope": -2, "RescaleIntercept": 0, "WindowCenter": -3000, "WindowWidth": 4000},
        {"RescaleSlope": 0, "RescaleIntercept": 0},
        {"RescaleSlope": 2},
        {"ModalityLUTSequence": table(range(4096, 0, -1), bits=13)},
        {"ModalityLUTSequence": table(range(100, 600), first=1000, bits=10)},
        {
            "ModalityLUTSequence": table(range(256), bits=8),
            "RescaleSlope": 2,
            "RescaleIntercept": 0,
        },
        {"VOILUTSequence": table(np.arange(4096) * 16 % 65536)},
        {"VOILUTSequence": table(np.arange(300) % 256, first=700, bits=8)},
        {"VOILUTSequence": table(range(300), bits=8)},
        {"VOILUTSequence": table(range(300), bits=17)},
        {"VOILUTSequence": table(range(300), vr="SS", first=-5)},
        {"PresentationLUTShape": "IDENTITY"},
        {"PresentationLUTShape": "INVERSE"},
        {"PixelAspectRatio": ["1", "1"]},
        {"PixelAspectRatio": ["1", "2"]},
        {"NumberOfFrames": 1},
        {"NumberOfFrames": 2},
        {"SamplesPerPixel": 3},
        {"BitsAllocated": 32},
        {"BitsStored": 17},
        {"BitsStored": 11, "HighBit": 10},
        {"HighBit": 15},
        {"Rows": 39},
        {"Columns": 37},
        {"Rows": None},
        {"PixelData": None},
        {"PhotometricInterpretation": "RGB"},
        {"PhotometricInterpretation": None},
        {"PixelRepresentation": 2},
    ]
    for change in changes:
        yield str(sorted(change)), plant(VALUES, **change)
    for change in (
        {"VOILUTSequence": table(range(300), vr="US", first=0, bits=12)},
        {"VOILUTSequence": table(range(300), vr="SS", first=-100, bits=12)},
        {"WindowCenter": 0, "WindowWidth": 1000},
    ):
        yield f"signed, {sorted(change)}", plant(SIGNED, signed=True, **change)
    for syntax, encode in ENCODERS.items():
        for stored, signed in ((8, False), (12, False), (12, True), (16, False)):
            values = (SIGNED if signed else VALUES) % (1 << stored) if stored < 12 else VALUES
            values = SIGNED if signed else values
            made = plant(values, stored=stored, signed=signed)
            frame = encode(values, stored, signed, syntax)
            yield f"{syntax}, {stored} bits, signed {signed}", encapsulated(made, syntax, frame)
            made = plant(values, stored=stored, signed=signed)
            yield f"{syntax} cut, {stored} {signed}", encapsulated(made, syntax, frame[:-40])
    frame = ENCODERS["1.2.840.10008.1.2.5"](VALUES, 12, False, "1.2.840.10008.1.2.5")
    yield "two frames", encapsulated(plant(VALUES), "1.2.840.10008.1.2.5", frame, frame)
    yield "another syntax", encapsulated(plant(VALUES), "1.2.840.10008.1.2.4.70", frame)
    yield "MPEG", encapsulated(plant(VALUES), "1.2.840.10008.1.2.4.102", frame)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_habit_is_read_alike(reader: Callable[..., list[Any]], tmp_path: Path) -> None:
    found = list(planted())
    paths = [tmp_path / f"{number}.dcm" for number in range(len(found))]
    for path, (_, dataset) in zip(paths, found):
        save(dataset, path)
    alike = {"read": 0, "refused": 0}
    for path, (habit, _), got in zip(paths, found, reader(paths), strict=True):
        expected = wanted(path)
        if "refused" in expected:
            assert "refused" in got, habit
        else:
            assert got == expected, habit
        alike["refused" if "refused" in expected else "read"] += 1
    assert alike["read"] >= 50 and alike["refused"] >= 25


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize("stored", [8, 12])
def test_every_plain_syntax_is_read_alike(
    reader: Callable[..., list[Any]], tmp_path: Path, syntax: str, stored: int
) -> None:
    plain, changed = tmp_path / "plain.dcm", tmp_path / "changed.dcm"
    lut = table(range(0, 4096, 16), bits=12)
    save(plant(VALUES % (1 << stored), stored=stored, VOILUTSequence=lut), plain)
    dataset = pydicom.dcmread(plain)
    if syntax == ExplicitVRBigEndian:
        if dataset.BitsAllocated == 16:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        item = dataset.VOILUTSequence[0]
        item.LUTData = np.frombuffer(item.LUTData, "<u2").astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(
        changed,
        dataset,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    got = reader([plain, changed])
    assert got[0] == got[1] == wanted(plain) == wanted(changed)
    assert "sha256" in got[0]


def test_a_file_without_a_preamble_is_read_alike(
    reader: Callable[..., list[Any]], tmp_path: Path
) -> None:
    whole, bare = tmp_path / "whole.dcm", tmp_path / "bare.dcm"
    save(plant(VALUES), whole)
    bare.write_bytes(whole.read_bytes()[132:])
    assert reader([bare]) == [wanted(bare)] == [wanted(whole)]
