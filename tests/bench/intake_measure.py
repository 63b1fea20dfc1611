"""What reading pictures costs: DICOM against pydicom's own decoding, JPEG against Pillow's."""

import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from components.cases.component import WriteShard
from components.cases.reading import Reading
from components.cases.sources import open_source
from components.dicom.admission import Admission
from components.dicom.pixels import read_pixels
from tests.bench.figures import Setting
from tests.bench.page import machine_lines, table
from tests.bench.processes import python, run_fresh
from tests.dicom_files import ENCODERS, encapsulated, plant, save

TEMPLATE = Path(__file__).with_name("intake.md.template")
READING_SHARE = 0.8  # of the pictures a second that pydicom decodes
MEMORY_RATIO = 1.25  # ten times the files over once
REPEAT = 5
ROWS, COLUMNS, STORED = 1955, 1841, 15  # of a chest radiograph of a CR of 2004
PLUGINS = {
    "1.2.840.10008.1.2.1": "",
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.5": "pylibjpeg",
}
HEADER = {
    "PatientID": "P1",
    "StudyInstanceUID": "1.2.4",
    "BodyPartExamined": "CHEST",
    "ViewPosition": "PA",
}
# Opens a folder of DICOM twice and reads every case of it.
READ_ALL = """
import sys, time
from components.cases.sources import open_source
def seconds(work):
    start = time.monotonic()
    found = work()
    return time.monotonic() - start, found
first, source = seconds(lambda: open_source(sys.argv[1]))
checked, _ = seconds(source.fingerprint)
read, count = seconds(lambda: sum(
    1 for split in ("train", "tune", "test")
    for shard in source.shards(split) for _ in source.read(shard)
))
with open("/proc/self/status") as status:  # of this program; getrusage knows what forked it, too
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
print([first, checked, read, count, peak])
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class SyntaxFigure:
    """Pictures a second of one transfer syntax.

    Attributes:
      decoded: by pydicom with the same decoder, from a parsed data set, on one core.
      read: by `read_pixels`, from the same to sixteen bits of grey, on one core.
      files_decoded: by pydicom from files, on all cores.
      cases: by casegate from files to hashed and written cases, on all cores.
    """

    syntax: str
    decoded: float
    read: float
    files_decoded: float
    cases: float


@dataclass(frozen=True)
class FolderFigure:
    """A folder of small files: seconds to open it, to hash it again, and to read it; the peak."""

    files: int
    opened: float
    hashed: float
    read: float
    mib: float


@dataclass(frozen=True)
class Intake:
    """Attributes:
    jpegs: how many, for pictures a second that Pillow decodes and that are taken in.
    """

    syntaxes: tuple[SyntaxFigure, ...]
    folders: tuple[FolderFigure, ...]
    jpegs: int
    jpegs_decoded: float
    jpegs_taken_in: float


def measured_intake(pictures: int, folders: Sequence[int], jpegs: int, say: Say) -> Intake:
    """The figures.

    Args:
      pictures: of each transfer syntax.
      folders: how many files each has.
    """
    with tempfile.TemporaryDirectory(prefix="casegate-bench-") as name:
        root = Path(name)
        with patch.dict(os.environ, CASEGATE_CACHE=f"{root}/cache", CASEGATE_SITE_SECRET=64 * "0"):
            syntaxes = tuple(_syntax(root / UID(uid), uid, pictures, say) for uid in PLUGINS)
            small = tuple(_folder(root / str(files), files, say) for files in folders)
            say(f"{jpegs:,} JPEG files ...")
            return Intake(syntaxes, small, jpegs, *_jpegs(root / "jpegs", jpegs))


def _syntax(root: Path, uid: str, pictures: int, say: Say) -> SyntaxFigure:
    say(f"{UID(uid).name} ...")
    dataset, plugin = _radiograph(uid), PLUGINS[uid]
    write_folder(root, dataset, pictures)
    paths = sorted(root.glob("*.dcm"))

    def decode(path: Path) -> None:
        pixel_array(dcmread(path), decoding_plugin=plugin)

    def decode_all() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(decode, paths))

    source = open_source(str(root), Reading(dicom=Admission(body_parts=("CHEST",))))
    shards = [shard for split in ("train", "tune", "test") for shard in source.shards(split)]

    def read_all() -> None:
        assert sum(1 for shard in shards for _ in source.read(shard)) == pictures

    decoded, read = _in_turns(
        lambda: pixel_array(dataset, decoding_plugin=plugin), lambda: read_pixels(dataset)
    )
    files, cases = _in_turns(decode_all, read_all)
    return SyntaxFigure(UID(uid).keyword, 1 / decoded, 1 / read, pictures / files, pictures / cases)


def _radiograph(uid: str) -> Dataset:
    values = _chest()
    dataset = plant(values, stored=STORED, PhotometricInterpretation="MONOCHROME1", **HEADER)
    dataset.WindowCenter, dataset.WindowWidth = 15000, 30000
    if uid in ENCODERS:
        return encapsulated(dataset, uid, ENCODERS[uid](values, STORED, False, uid))
    return dataset


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


def write_folder(root: Path, dataset: Dataset, files: int) -> None:
    """So many copies under UIDs of their own, with a table of labels that gives each split both."""
    root.mkdir(parents=True)
    dataset.SOPInstanceUID = "1.2.3.1000000000"
    stream = io.BytesIO()
    save(dataset, stream)
    rows = ["SOPInstanceUID,label,split,patient_id"]
    for number in range(files):
        uid = f"1.2.3.{1_000_000_000 + number}"
        content = stream.getvalue().replace(b"1.2.3.1000000000", uid.encode())
        (root / f"{number:06d}.dcm").write_bytes(content)
        split = ("train", "train", "tune", "test")[number // 2 % 4]
        rows.append(f"{uid},{number % 2},{split},{uid}")
    (root / "labels.csv").write_text("\n".join(rows))


def _folder(root: Path, files: int, say: Say) -> FolderFigure:
    say(f"{files:,} DICOM files ...")
    rng = np.random.default_rng(5)
    write_folder(root, plant(rng.integers(0, 4096, (64, 64)), **HEADER), files)
    finished = run_fresh(python("-c", READ_ALL, str(root)))
    opened, hashed, read, count, peak = finished.last_json()
    assert count == files
    return FolderFigure(files, opened, hashed, read, peak)


def _jpegs(root: Path, count: int) -> tuple[float, float]:
    """JPEG files of 224 pixels a second: decoded alone, and written as Examples and an index."""
    rng, paths = np.random.default_rng(7), []
    coarse = rng.integers(0, 256, (count, 14, 14), np.uint8)
    for number, grey in enumerate(coarse):
        split = ("train", "test")[number // 2 % 2]
        paths.append(root / split / ("NORMAL", "PNEUMONIA")[number % 2] / f"{number}.jpeg")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        smooth = Image.fromarray(grey).resize((224, 224), Image.Resampling.BICUBIC)
        smooth.save(paths[-1], quality=90)
    source = open_source(str(root))
    examples, index = root.with_suffix(".examples"), root.with_suffix(".index")
    index.mkdir()
    for split in ("train", "tune", "test"):
        (examples / f"Split-{split}").mkdir(parents=True)
    writer = WriteShard(source, str(examples), str(index))
    shards = [shard for split in ("train", "tune", "test") for shard in source.shards(split)]

    def take_in() -> None:
        for numbered in enumerate(shards):
            writer.process(numbered)

    def decode() -> None:
        for path in paths:
            Image.open(io.BytesIO(path.read_bytes())).load()

    decoded, taken_in = _in_turns(decode, take_in)
    return count / decoded, count / taken_in


def _in_turns(*works: Callable[[], Any]) -> Iterator[float]:
    """Median seconds of each, the one after the other, again and again."""
    took: list[list[float]] = [[] for _ in works]
    for turn in range(1 + REPEAT):
        for work, seconds in zip(works, took, strict=True):
            start = time.perf_counter()
            work()
            if turn:  # the first one imports and fills caches
                seconds.append(time.perf_counter() - start)
    return map(statistics.median, took)


def section(found: Intake, setting: Setting) -> str:
    """The section, its heading included."""
    syntaxes = [
        [
            one.syntax,
            f"{one.decoded:.1f}",
            f"{one.read:.1f}",
            f"{one.read / one.decoded:.2f} x",
            f"{one.files_decoded:.1f}",
            f"{one.cases:.1f}",
            f"{one.cases / one.files_decoded:.2f} x",
            "**met**" if one.cases >= READING_SHARE * one.files_decoded else "**missed**",
        ]
        for one in found.syntaxes
    ]
    folders = [
        [
            f"{one.files:,}",
            *(f"{seconds:.1f}" for seconds in (one.opened, one.hashed, one.read)),
            f"{one.mib:,.0f}",
        ]
        for one in found.folders
    ]
    first, last = found.folders[0], found.folders[-1]
    held = "**met**" if last.mib <= MEMORY_RATIO * first.mib else "**missed**"
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        setting=machine_lines(setting),
        syntaxes=table(
            [
                *("transfer syntax", "pydicom", "read_pixels", "over pydicom"),
                *("pydicom, files", "cases", "over pydicom", f"at least {READING_SHARE:g}"),
            ],
            syntaxes,
        ),
        folders=table(["files", "open", "hash again", "read", "peak MiB"], folders, texts=0),
        target=f"{last.files:,} files over {first.files:,}: {last.mib / first.mib:.2f} x, "
        f"wanted at most {MEMORY_RATIO:g}: {held}",
        a_file=f"{(last.mib - first.mib) * 2**20 / (last.files - first.files):,.0f}",
        jpegs=f"{found.jpegs:,}",
        decoded=f"{found.jpegs_decoded:,.0f}",
        taken_in=f"{found.jpegs_taken_in:,.0f}",
        share=f"{found.jpegs_taken_in / found.jpegs_decoded:.2f}",
    )
