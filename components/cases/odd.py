"""Pictures that nobody would accept among others of their kind: inverted, turned, dark, blank.

Every decoder reads them without a word, and a network learns from them that a class is dark. What
a picture should look like is what most of the others do, so a coarse grid of its grey values is
held against their mean. How often that errs: docs/pictures.md.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.cases.images import UPRIGHT, DecodedImage, Quality, Samples
from components.records.text import first_few

SIDE = 16  # of the grid
FEWEST = 8  # pictures that say what one should look like
# Correlations with the mean picture: of the middle picture, so that the mean says anything; of an
# inverted one, at most; of a turned one, when turned back, at least, and how much more than as is.
ALIKE, INVERTED, TURNED, CLEARLY = 0.5, -0.15, 0.3, 0.25
BLANK = 0.01  # standard deviation of grey values in [0, 1]
UNUSED_BITS = 2
MOST = 0.95  # share of the pictures that have one size, where the same size turned is odd

Grid = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
LOOK = np.dtype(
    [
        ("grid", f"V{SIDE**2}"),
        ("width", np.int32),
        ("height", np.int32),
        ("depth", np.uint8),  # bits of a sample, and how many of them are used
        ("used", np.uint8),
        ("deviation", np.float32),
        ("orientation", np.uint8),
    ]
)
FACTS = ("width", "height", "depth", "used", "deviation", "orientation")


@dataclass(frozen=True)
class Oddity:
    """What some pictures do that none should, and whose they are."""

    what: str
    case_ids: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"pictures that {self.what}: {first_few(self.case_ids)}"


def look_at(picture: DecodedImage, quality: Quality) -> tuple[Any, ...]:
    """What to keep of a picture: a row of an array of type LOOK."""
    samples = picture.samples
    used = int(samples.max()).bit_length()
    depth, deviation = 8 * samples.dtype.itemsize, quality.standard_deviation
    size = (quality.width, quality.height)
    # As bytes, which leave no small blocks between the large ones that a batch of pictures takes.
    return (_grid(samples).tobytes(), *size, depth, used, deviation, picture.orientation)


def find_oddities(shards: Sequence[Path], case_ids: Iterable[str]) -> list[Oddity]:
    """What is odd among the pictures of some files, of which one at a time is in memory.

    Args:
      shards: arrays of type LOOK, as `numpy.save` writes them.
      case_ids: of all their rows, in order.
    """
    ids = np.array([*case_ids], object)
    if not ids.size:
        return []
    looks = np.concatenate([np.load(shard)[list(FACTS)] for shard in shards])
    blank = looks["deviation"] < BLANK
    inverted, turned = _unlike(shards)
    turned |= _lies_alone(looks["width"], looks["height"])
    found = {"are blank": blank, "look inverted": inverted & ~blank, "look turned": turned & ~blank}
    for depth, used in sorted({*zip(looks["depth"].tolist(), looks["used"].tolist())}):
        if depth - used >= UNUSED_BITS:
            same = (looks["depth"] == depth) & (looks["used"] == used)
            found[f"are dark, with {used} of {depth} bits in use"] = same & ~blank
    return [Oddity(what, tuple(ids[rows])) for what, rows in found.items() if rows.any()]


def find_turned(shards: Sequence[Path], case_ids: Iterable[str]) -> list[Oddity]:
    """The pictures that were turned as their EXIF data say; the arguments of `find_oddities`."""
    rows = [np.load(shard)["orientation"] != UPRIGHT for shard in shards]
    ids = tuple(case_id for case_id, turned in zip(case_ids, chain(*rows), strict=True) if turned)
    return [Oddity("were turned as their EXIF data say", ids)] if ids else []


def _grid(samples: Samples) -> Grid:
    """Grey values at evenly spaced places, 8 bits of each."""
    rows, columns = _places(samples.shape[0]), _places(samples.shape[1])
    some = samples[rows[:, None], columns]
    grey = some if some.ndim == 2 else some.mean(axis=2)
    return (grey if samples.dtype == np.uint8 else grey // 256).astype(np.uint8)


@functools.lru_cache(maxsize=1024)
def _places(length: int) -> npt.NDArray[np.intp]:
    return (2 * np.arange(SIDE) + 1) * length // (2 * SIDE)


def _unlike(shards: Sequence[Path]) -> tuple[Flags, Flags]:
    """Which pictures look inverted, and which turned, beside the mean of them all."""
    total = sum(_standardized(shard).sum(axis=0) for shard in shards)
    mean = total / max(float(np.linalg.norm(total)), 1e-12)
    ways = np.stack([np.rot90(mean, turns).ravel() for turns in range(4)], axis=1)
    likeness = np.concatenate(
        [_standardized(shard).reshape(-1, SIDE**2) @ ways for shard in shards]
    )
    upright = likeness[:, 0]
    if upright.size < FEWEST or np.median(upright) < ALIKE:
        none = np.zeros(upright.size, np.bool_)
        return none, none.copy()
    best = likeness[:, (1, 3)].max(axis=1)  # a chest upside down is too much like a chest
    turned = (best >= TURNED) & (best - upright >= CLEARLY) & (best > -upright)
    return (upright <= INVERTED) & ~turned, turned


def _standardized(shard: Path) -> npt.NDArray[np.float32]:
    """The grids of a file, each of mean 0 and length 1; of length 0 where it is of one value."""
    kept = np.ascontiguousarray(np.load(shard)["grid"])
    grids = kept.view(np.uint8).reshape(-1, SIDE, SIDE).astype(np.float32)
    grids -= grids.mean(axis=(1, 2), keepdims=True)
    lengths = np.sqrt((grids * grids).sum(axis=(1, 2), keepdims=True))
    return grids / np.maximum(lengths, 1e-6)


def _lies_alone(width: npt.NDArray[np.int32], height: npt.NDArray[np.int32]) -> Flags:
    """Which pictures have the sides of nearly all others, but exchanged."""
    sizes, counts = np.unique([width, height], axis=1, return_counts=True)
    most = int(counts.argmax())
    if counts[most] < max(FEWEST, MOST * width.size) or sizes[0, most] == sizes[1, most]:
        return np.zeros(width.size, np.bool_)
    return (width == sizes[1, most]) & (height == sizes[0, most])
