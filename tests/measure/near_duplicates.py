"""The tables of docs/near-duplicates.md, on a folder of real radiographs.

python -m tests.measure.near_duplicates copies FOLDER   recall on changed copies, false alarms
python -m tests.measure.near_duplicates index 1000000   time and memory of the search
python -m tests.measure.near_duplicates shortcuts FOLDER-OR-NPZ   associations, and planted ones
"""

import io
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from components.admission.columns import CaseColumns
from components.admission.likeness import WAYS, near_pairs
from components.admission.shortcuts import find_associations
from components.cases.images import decode, measure
from components.cases.sources import open_source
from components.cases.traits import FIGURES, perceptual_hash, traits_of
from components.records.case import Case

COPIED = 400
LIMITS = (16, 24, 32, 44, 56)
Change = Callable[[Image.Image], Image.Image]


def jpeg(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality)
        return Image.open(stream).convert("L")

    return change


def size(width: int, how: Image.Resampling = Image.Resampling.LANCZOS) -> Change:
    return lambda image: image.resize((width, round(image.height * width / image.width)), how)


def crop(left: float, top: float, right: float, bottom: float) -> Change:
    def change(image: Image.Image) -> Image.Image:
        w, h = image.size
        box = (left * w, top * h, w - right * w, h - bottom * h)
        return image.crop(tuple(round(side) for side in box))  # type: ignore[arg-type]

    return change


def gamma(power: float) -> Change:
    return lambda image: image.point([round(255 * (level / 255) ** power) for level in range(256)])


def window(low: int, high: int) -> Change:
    levels = [min(255, max(0, round((x - low) * 255 / (high - low)))) for x in range(256)]
    return lambda image: image.point(levels)


def mark(image: Image.Image) -> Image.Image:
    image = image.copy()
    image.paste(255, (5, 5, image.width // 5, image.height // 11))
    return image


CHANGES: dict[str, Change] = {
    "JPEG, quality 75": jpeg(75),
    "JPEG, quality 30": jpeg(30),
    "half the size": size(112),
    "64 pixels wide": size(64),
    "1.6 times the size": size(358),
    "150 pixels wide, nearest": size(150, Image.Resampling.NEAREST),
    "mirrored": ImageOps.mirror,
    "inverted": ImageOps.invert,
    "mirrored and inverted": lambda image: ImageOps.invert(ImageOps.mirror(image)),
    "mirrored, half the size, JPEG 50": lambda i: jpeg(50)(size(112)(ImageOps.mirror(i))),
    "gamma 0.7": gamma(0.7),
    "windowed to 20..220": window(20, 220),
    "windowed to 50..190": window(50, 190),
    "equalised": ImageOps.equalize,
    "a mark in the corner": mark,
    "cropped by 1 % on each side": crop(0.01, 0.01, 0.01, 0.01),
    "cropped by 2 % on each side": crop(0.02, 0.02, 0.02, 0.02),
    "cropped by 3 % on two sides": crop(0.03, 0, 0, 0.03),
    "cropped by 5 % on each side": crop(0.05, 0.05, 0.05, 0.05),
    "turned by 2 degrees": lambda image: image.rotate(2),
    "upside down": lambda image: image.rotate(180),
}


def hashed(image: Image.Image) -> bytes:
    return bytes.fromhex(perceptual_hash(np.asarray(image.convert("L"))))


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".jpeg", ".jpg", ".png"))


def copies(folder: Path) -> None:
    files = files_of(folder)
    known = np.frombuffer(b"".join(hashed(Image.open(path)) for path in files), np.uint8)
    known = known.reshape(-1, 64)
    print(f"{len(files)} pictures")
    pairs = near_pairs(known, limit=max(LIMITS))
    for limit in LIMITS:
        unequal = sum(0 < pair.distance <= limit for pair in pairs)
        equal = sum(pair.distance == 0 for pair in pairs)
        print(f"pairs among them within {limit}: {unequal}, and {equal} of no difference")
    once = np.unique(known, axis=0, return_counts=True)
    alone = {row.tobytes() for row, times in zip(*once) if times == 1}
    single = [place for place, row in enumerate(known) if row.tobytes() in alone]
    picked = np.random.default_rng(7).choice(single, COPIED, replace=False)
    print("| change | median bits | " + " | ".join(f"{limit}" for limit in LIMITS) + " |")
    for name, change in CHANGES.items():
        changed = b"".join(hashed(change(Image.open(files[i]).convert("L"))) for i in picked)
        whole = np.concatenate([known, np.frombuffer(changed, np.uint8).reshape(-1, 64)])
        found = {(pair.first, pair.second): pair.distance for pair in near_pairs(whole, limit=64)}
        nearest = [found.get((int(i), len(files) + n), 99) for n, i in enumerate(picked)]
        recalls = " | ".join(f"{np.mean(np.array(nearest) <= limit):.1%}" for limit in LIMITS)
        print(f"| {name} | {np.median(nearest):.0f} | {recalls} |", flush=True)


def index(count: int) -> None:
    random = np.random.default_rng(1)
    bits = random.integers(0, 2, (count, 2, 16, 16), dtype=np.uint8)
    bits[:, 0, 0, 0] = 1
    planted = bits[:4000].copy()
    for place, one in enumerate(planted):
        way = WAYS[place % 4]
        if "mirrored" in way:
            one[0, :, 1::2] ^= 1
            one[1] = one[1, :, ::-1].copy()
        one ^= "inverted" in way
        flips = random.choice(np.arange(1, 256), place // 4 % 5 * 10, replace=False)
        one.reshape(-1)[flips] ^= 1
    hashes = np.packbits(np.concatenate([bits, planted]).reshape(-1, 512), axis=1)
    del bits
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, spent = time.monotonic(), time.process_time()
    found = {(pair.first, pair.second) for pair in near_pairs(hashes)}
    print(
        f"{count:,}: {time.monotonic() - start:.1f} s, {time.process_time() - spent:.1f} s of CPU"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak {peak / 1024:.0f} MiB, {before / 1024:.0f} before; {len(found)} pairs")
    for distance in range(5):
        places = [p for p in range(len(planted)) if p // 4 % 5 == distance]
        recall = np.mean([(p, count + p) in found for p in places])
        print(f"planted at {distance * 10} bits: {recall:.1%} found")


def cases_of(spec: str, splits: tuple[str, ...]) -> Iterator[tuple[str, Case]]:
    source = open_source(spec)
    for split in splits:
        for shard in source.shards(split):
            for case in source.read(shard):
                if isinstance(case, Case):
                    yield split, case


def columns_of(rows: list[tuple[str, int, tuple[float, ...]]]) -> CaseColumns:
    figures = np.array([row[2] for row in rows])
    labels = np.array([row[1] for row in rows], bool)
    splits = np.array([row[0] for row in rows])
    empty = np.zeros((len(rows), 64), np.uint8)
    return CaseColumns(splits, labels, empty, {}, dict(zip(FIGURES, figures.T)))


def measured(samples: np.ndarray) -> tuple[float, ...]:
    return (*astuple(measure(samples)), *astuple(traits_of(samples)))


SHORTCUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a mark in the corner": lambda s: np.asarray(mark(Image.fromarray(s))),
    "12 bits in 16": lambda s: s.astype(np.uint16) * 16,
    "inverted": lambda s: 255 - s,
    "half the size": lambda s: np.asarray(size(max(16, s.shape[1] // 2))(Image.fromarray(s))),
    "JPEG, quality 30": lambda s: np.asarray(jpeg(30)(Image.fromarray(s))),
}


def shortcuts(spec: str) -> None:
    cases = list(cases_of(spec, ("train", "tune", "test")))
    samples = [decode(case.image) for _, case in cases]
    grey = [s if s.ndim == 2 else np.asarray(Image.fromarray(s).convert("L")) for s in samples]
    plain = [(split, case.label, measured(s)) for (split, case), s in zip(cases, samples)]
    show("as it is", columns_of(plain), 12)
    plain = [(split, case.label, measured(s)) for (split, case), s in zip(cases, grey)]
    for name, change in SHORTCUTS.items():
        rows = [
            (split, label, measured(change(s)) if label and split == "train" else figures)
            for (split, label, figures), s in zip(plain, grey)
        ]
        show(f"positives to train on: {name}", columns_of(rows), 6)


def show(title: str, columns: CaseColumns, most: int) -> None:
    print(f"\n{title}")
    label = [o for o in find_associations(columns, effect=0.5, alpha=0.01) if o.group == "label"]
    other = [o for o in find_associations(columns, effect=0.5, alpha=0.01) if o.group != "label"]
    for one in (*label[:most], *other[:4]):
        print("  named" if one.found else "       ", one.words, flush=True)


if __name__ == "__main__":
    kind, of = sys.argv[1:]
    {"copies": lambda: copies(Path(of)), "index": lambda: index(int(of))}.get(
        kind, lambda: shortcuts(of)
    )()
