"""Ways to spoil a model that a release gate has to notice: wrong labels, too few, other pixels."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]  # shape (n, size, size, 1), in [0, 1]

FLIP_SEED = 99


def inverted(pixels: Pixels) -> Pixels:
    """White on black shown as black on white: MONOCHROME1 read as MONOCHROME2."""
    return (1.0 - pixels).astype(np.float32)


def brightened(pixels: Pixels) -> Pixels:
    """A quarter brighter, clipped: another window than the one of training."""
    return np.clip(pixels * 1.25, 0.0, 1.0).astype(np.float32)


def darkened(pixels: Pixels) -> Pixels:
    return (pixels * 0.75).astype(np.float32)


def halved(pixels: Pixels) -> Pixels:
    """Half the resolution, scaled up again: a thumbnail where the image was meant."""
    n, side = pixels.shape[0], pixels.shape[1] // 2
    means = pixels.reshape(n, side, 2, side, 2, 1).mean(axis=(2, 4))
    return means.repeat(2, axis=1).repeat(2, axis=2).astype(np.float32)


def scaled_by_half(pixels: Pixels) -> Pixels:
    """Divided by twice the full scale: a wrong bit depth."""
    return (pixels * 0.5).astype(np.float32)


SERVED: dict[str, Callable[[Pixels], Pixels]] = {
    "inverted": inverted,
    "scaled by half": scaled_by_half,
    "darkened": darkened,
    "brightened": brightened,
    "half resolution": halved,
}


def flipped(labels: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """The labels, each turned over with the probability `share`."""
    wrong = np.random.default_rng(FLIP_SEED).random(labels.size) < share
    return np.where(wrong, 1.0 - labels, labels).astype(np.float32)


def thinned(count: int, share: float) -> NDArray[np.int64]:
    """The rows, in order, of a random `share` of `count`."""
    order = np.random.default_rng(FLIP_SEED).permutation(count)
    return np.sort(order[: round(count * share)])
