"""Whether maps mean anything: where the heat lies, and what becomes of it as a network is spoilt.

On the phantom's case set, the places of whose lesions the generator knows.
`python -m tests.measure.explanations` prints the figures of docs/explanations.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.measure.training import HeldRecords, read_split, scores_of, train  # isort: skip

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from components.phantom.source import (
    CASE_SET_CASES,
    CASE_SET_SEED,
    PhantomOptions,
    draft,
    lesions,
)
from components.scoring.attention import shares_of
from pipeline.model.explanation import GradCam
from tests.measure.jobs import HONEST, Job

HONESTLY, SHORTCUT = "phantom", "phantom:mark=1"
SEEDS = (20, 21, 22)
BATCH = 250

Maps = NDArray[np.float32]


@dataclass(frozen=True)
class MeanShares:
    """Over n maps that are not 0 all over: shares of the heat and of the area inside the lesion."""

    n: int
    heat: float
    area: float


def drawn_lesions(rows: Sequence[int], size: int) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Kinds and places of the findings in these cases of the case set, (n,) and (n, size, size)."""
    options = PhantomOptions(n=CASE_SET_CASES, seed=CASE_SET_SEED)
    pictures = [draft(options, row).picture for row in rows]
    return np.array([p.aetiology for p in pictures]), lesions(pictures, size)


def maps_of(network: keras.Model, pixels: NDArray[np.float32], layer: str | None = None) -> Maps:
    explain = GradCam(network, layer).heatmap
    parts = [explain(keras.ops.convert_to_tensor(part)).numpy() for part in _batches(pixels)]
    return np.concatenate(parts)


def _batches(pixels: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(pixels), BATCH):
        yield pixels[start : start + BATCH]


def attention(maps: Maps, places: NDArray[np.bool_]) -> MeanShares:
    """Args: places: of the lesions, at any size; each case must have one."""
    heat, area = shares_of(maps, places)
    hot = ~np.isnan(heat)
    return MeanShares(int(hot.sum()), float(heat[hot].mean()), float(area[hot].mean()))


def rank_correlation(one: Maps, other: Maps) -> float:
    """Spearman's, case by case and then averaged; cases with a map of one value are left out."""
    pairs = [(rankdata(a), rankdata(b)) for a, b in zip(one, other) if np.ptp(a) and np.ptp(b)]
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))


def randomized_from_the_top(network: keras.Model, seed: int) -> Iterator[tuple[str, keras.Model]]:
    """The network with its last layer's weights shuffled, then those of the one below too, ..."""
    spoilt = keras.models.clone_model(network)
    spoilt.set_weights(network.get_weights())
    draws = np.random.default_rng(seed)
    for layer in reversed([layer for layer in spoilt.layers if layer.get_weights()]):
        layer.set_weights([draws.permuted(w.ravel()).reshape(w.shape) for w in layer.get_weights()])
        yield layer.name, spoilt


def trained(source: str, seed: int) -> keras.Model:
    training, tuning = (read_split(source, split, 64).records for split in ("train", "tune"))
    return train(Job("phantom", HONEST, "", source, seed), training, tuning)[0]


def main() -> None:
    judged: HeldRecords = read_split("phantom", "test", 64).records
    kinds, places = drawn_lesions(range(CASE_SET_CASES), 64)
    for source in (HONESTLY, SHORTCUT):
        for seed in SEEDS:
            network = trained(source, seed)
            scores = scores_of(network, judged.pixels)
            order = rankdata(scores)[judged.labels == 1]
            n, m = len(order), CASE_SET_CASES - len(order)
            print(f"{source} seed {seed}: AUC {(order.sum() - n * (n + 1) / 2) / (n * m):.3f}")
            for layer in [la.name for la in network.layers if "conv" in la.name][-2:]:
                maps = maps_of(network, judged.pixels, layer)
                for kind in (*sorted(set(kinds) - {"none"}), "any"):
                    these = (kinds == kind) | ((kind == "any") & (kinds != "none"))
                    these &= places.any(axis=(1, 2))
                    print(f"  {layer} {kind}: {attention(maps[these], places[these])}")
                blank = ~maps.any(axis=(1, 2))
                ill = blank[kinds != "none"].mean()
                print(f"  {layer} blank: {blank.mean():.3f}, of the ill {ill:.3f}")
            if source == HONESTLY:
                maps = maps_of(network, judged.pixels)
                for name, spoilt in randomized_from_the_top(network, seed):
                    again = maps_of(spoilt, judged.pixels)
                    print(f"  randomized down to {name}: {rank_correlation(maps, again):+.3f}")


if __name__ == "__main__":
    main()
