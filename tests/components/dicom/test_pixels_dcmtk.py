"""Every file of pydicom's and pydicom-data's test sets, against what dcmtk's dcmj2pnm makes of it.

dcmj2pnm is given the same VOI rule: the first look-up table, else the first window, else a window
as wide as the declared range. It cuts fractions off where we round, so one grey level in 65,536 may
lie between the two. What is refused here and shown there is listed with its reason. It reads no
JPEG 2000; such a file is decoded by pydicom with Pillow for it.
"""

import io
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset

from components.dicom.greys import Rescale, Window, parse_recipe
from components.dicom.header import parse_header
from components.dicom.pixels import read_pixels
from components.records.errors import SourceError
from tests.foreign import needs

pytestmark = pytest.mark.process

MANY = "NumberOfFrames"
COLOUR = "PhotometricInterpretation"
DOSE = "BitsAllocated 32"
# What dcmj2pnm shows and we refuse, and the words that say why.
REFUSED = {
    "MR_small_padded.dcm": "8,320 bytes; one frame has 8,192",
    "badVR.dcm": MANY,  # 1A
    "liver_1frame.dcm": "functional groups",  # a mask and no picture
    "liver_expb_1frame.dcm": "functional groups",
    "rtdose_1frame.dcm": DOSE,
    "rtdose_expb_1frame.dcm": DOSE,
    "rtdose_rle_1frame.dcm": DOSE,
    **dict.fromkeys(("rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm"), MANY),
    **dict.fromkeys(("liver.dcm", "liver_expb.dcm", "eCT_Supplemental.dcm"), MANY),
    **dict.fromkeys(("emri_small.dcm", "emri_small_RLE.dcm", "emri_small_big_endian.dcm"), MANY),
    **dict.fromkeys(("emri_small_jpeg_ls_lossless.dcm", "emri_small_jpeg_2k_lossless.dcm"), MANY),
    "693_J2KR.dcm": "16 in the header, but 14 bits",
}


def folders() -> list[Path]:
    """The installed test sets: pydicom fetches the rest of its own, and no test may."""
    import data_store  # pydicom-data

    return [Path(pydicom.__file__).parent / "data", Path(data_store.__file__).parent]


def files() -> Iterator[tuple[Path, Dataset]]:
    for folder in folders():
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                try:
                    yield path, pydicom.dcmread(path)
                except Exception:  # no DICOM file: text, tables, programs
                    continue


def shown(program: str, path: Path, dataset: Dataset, folder: Path) -> npt.NDArray[np.int64] | None:
    """What dcmj2pnm makes of a file, in 16 bits; None where it makes nothing of it."""
    picture = folder / "picture.png"
    source = path
    syntax = dataset.file_meta.get("TransferSyntaxUID", pydicom.uid.UID("")).name
    if "JPEG-LS" in syntax:
        program = needs("dcml2pnm", "dcmtk")
    if "JPEG 2000" in syntax:
        source = folder / "decoded.dcm"
        copy = pydicom.dcmread(path)
        try:
            copy.decompress(decoding_plugin="pillow", as_rgb=False)
            copy.save_as(source)
        except Exception:  # Pillow decodes neither
            return None
    if dataset.get("VOILUTSequence"):
        voi = ["+Wl", "1"]
    elif dataset.get("WindowWidth") is not None:
        voi = ["+Wi", "1"]
    else:
        voi = ["+Ww", *declared(dataset)]
    command = [program, "-q", "-O", "+on2", *voi, str(source), str(picture)]
    if os.spawnv(os.P_WAIT, program, command):
        return None
    with Image.open(picture) as opened:
        return np.array(opened).astype(np.int64)


def declared(dataset: Dataset) -> tuple[str, str]:
    """Center and width of the LINEAR window that shows all that the header declares."""
    bits, signed = int(dataset.get("BitsStored", 8)), bool(dataset.get("PixelRepresentation"))
    lowest, width = -(1 << bits - 1) if signed else 0, 1 << bits
    lowest += int(dataset.get("RescaleIntercept", 0))  # with slope 1, where there is no window
    if dataset.get("ModalityLUTSequence"):
        lowest, width = 0, 1 << dataset.ModalityLUTSequence[0].LUTDescriptor[2]
    return str(lowest + width / 2), str(width)


def tolerance(dataset: Dataset) -> int:
    """One level; where a rescale gives fractions, which dcmtk cuts off, one value more."""
    header = parse_header(dataset)
    recipe = parse_recipe(dataset, header.word, header.inverted)
    if not isinstance(recipe.modality, Rescale) or not isinstance(recipe.voi, Window):
        return 1
    fractions = recipe.modality.slope % 1 or recipe.modality.intercept % 1
    return 1 + math.ceil(65535 / (recipe.voi.width - 1)) if fractions else 1


def difference(path: Path, dataset: Dataset, theirs: npt.NDArray[np.int64]) -> str | None:
    """What is not as dcmj2pnm has it, in words."""
    try:
        ours = read_pixels(dataset)
    except SourceError as error:
        if dataset.get("SamplesPerPixel") == 3 or COLOUR in str(error):
            return None  # colour is refused by name: see test_header.py
        known = REFUSED.get(path.name)
        return None if known is not None and known in str(error) else f"refused: {error}"
    if path.name in REFUSED:
        return "is read, and listed as refused"
    if ours.shape != theirs.shape:
        return f"{ours.shape} and not {theirs.shape}"
    apart = int(np.abs(ours - theirs).max())
    return None if apart <= tolerance(dataset) else f"{apart} levels apart"


def test_every_file_that_dcmtk_shows_is_shown_alike_or_refused_for_a_listed_reason(
    tmp_path: Path,
) -> None:
    program = needs("dcmj2pnm", "dcmtk")
    compared, different = set(), {}
    for path, dataset in files():
        theirs = shown(program, path, dataset, tmp_path)
        if theirs is not None:
            compared.add(path.name)
            different[path.name] = difference(path, dataset, theirs)
    assert {name: words for name, words in different.items() if words} == {}
    assert set(REFUSED) <= compared
    assert len(compared) > 100


@pytest.mark.parametrize("name", ["RG1_UNCI.dcm", "RG3_UNCI.dcm"])
def test_bones_are_brighter_than_the_air_beside_them(name: str) -> None:
    """RG1 is a chest, RG3 a leg, both MONOCHROME1 without a shape."""
    path = next(path for folder in folders() for path in folder.rglob(name))
    picture = read_pixels(pydicom.dcmread(path)).astype(np.int64)
    rows, columns = picture.shape
    middle = slice(rows // 3, rows // 2)
    if name.startswith("RG1"):
        bone, air = (
            slice(int(columns * share), int(columns * (share + 0.04))) for share in (0.47, 0.65)
        )
    else:
        bone, air = (
            slice(int(columns * share), int(columns * (share + 0.02))) for share in (0.48, 0.28)
        )
    assert np.median(picture[middle, bone]) > 1.2 * np.median(picture[middle, air])


def test_lossless_copies_of_one_picture_are_the_same_picture() -> None:
    stores = {path.name: path for folder in folders() for path in folder.rglob("*.dcm")}
    for plain, packed in (("RG1_UNCR.dcm", "RG1_J2KR.dcm"), ("RG3_UNCR.dcm", "RG3_J2KR.dcm")):
        one, other = (read_pixels(pydicom.dcmread(stores[name])) for name in (plain, packed))
        assert (one == other).all()
    several = [
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
    ]
    several += ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"]
    pictures = [read_pixels(pydicom.dcmread(stores[name])) for name in several]
    assert all((picture == pictures[0]).all() for picture in pictures)


def test_reading_leaves_the_data_set_as_it_was() -> None:
    for path, dataset in files():
        if path.name == "MR_small_RLE.dcm":
            before = io.BytesIO()
            dataset.save_as(before)
            read_pixels(dataset)
            after = io.BytesIO()
            dataset.save_as(after)
            assert before.getvalue() == after.getvalue()
