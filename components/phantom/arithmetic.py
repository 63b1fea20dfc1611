"""Arithmetic whose results are the same bits on every processor and every numpy.

The phantom's case set is locked by the hash of its pixels, so each operation that reaches a pixel
must be one that IEEE 754 rounds exactly, element by element: + - * / sqrt, comparisons, floor,
minimum and maximum on float64, and integer operations. Sums over an axis, matrix products, exp,
sin, powers and filters depend on the processor's vector units, and are not used.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


_PURPOSES = ("person", "visit", "anatomy", "image")


def random_stream(seed: int, index: int, purpose: str) -> np.random.Generator:
    """The stream of one purpose for one index: keyed, so that no case needs another.

    Args:
      seed: below 2**64.
      index: below 2**62, of a patient ("person", "anatomy") or of an image ("visit", "image").
    """
    key = (seed << 64) | (index << 2) | _PURPOSES.index(purpose)
    return np.random.Generator(np.random.Philox(key=key))


class Draws:
    """Named uniform draws of a batch, one per case and name, handed out as shape (b, 1, 1)."""

    def __init__(self, names: Sequence[str], streams: Sequence[np.random.Generator]) -> None:
        self._column = {name: column for column, name in enumerate(names)}
        self._values = np.stack([stream.random(len(names)) for stream in streams])

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0) -> Array:
        """Uniform on [low, high)."""
        draws: Array = self._values[:, self._column[name], None, None]
        return draws * (high - low) + low

    def centred(self, name: str, reach: float) -> Array:
        """Uniform on [-reach, reach)."""
        return self.uniform(name, -reach, reach)

    def chance(self, name: str, probability: float) -> npt.NDArray[np.bool_]:
        """True with the probability."""
        return self.uniform(name) < probability

    def only(self, rows: Sequence[int]) -> "Draws":
        """The draws of some cases of the batch."""
        some = object.__new__(Draws)
        some._column, some._values = self._column, self._values[rows]
        return some


def per_case(values: Sequence[float]) -> Array:
    """One value per case of a batch, shape (b, 1, 1)."""
    return np.array(values, dtype=np.float64)[:, None, None]


def unit(t: Array) -> Array:
    """t limited to [0, 1]."""
    t = np.maximum(t, 0.0)
    return np.minimum(t, 1.0, out=t)


def step(t: Array) -> Array:
    """Smooth step: 0 for t <= 0, 1 for t >= 1, 3t^2 - 2t^3 between."""
    t = unit(t)
    rise = t * -2.0
    rise += 3.0
    rise *= t
    rise *= t
    return rise


def falloff(distance: Array, width: float) -> Array:
    """1 at distance 0, 1/2 at `width`, towards 0 beyond: 1 / (1 + (distance / width)^2)."""
    t = distance * (1.0 / width)
    t *= t
    t += 1.0
    return np.divide(1.0, t, out=t)


def tubes(phase: Array, thickness: float) -> Array:
    """Round profiles, 1 at each whole number of the phase and 0 from thickness / 2 on."""
    off = phase + 0.5
    np.floor(off, out=off)
    np.subtract(phase, off, out=off)
    off *= off
    off *= -4.0 / (thickness * thickness)
    off += 1.0
    return np.maximum(off, 0.0, out=off)


def smooth_texture(lattice: Array, size: int) -> Array:
    """Smoothly interpolated lattice of shape (b, g, g) as images of shape (b, size, size)."""
    cells = lattice.shape[1] - 1
    position = (np.arange(size, dtype=np.float64) + 0.5) * (cells / size)
    cell = np.floor(position).astype(np.int64)
    weight = step(position - cell)
    rows = lattice[:, cell, :]
    rows = rows + (lattice[:, cell + 1, :] - rows) * weight[:, None]
    left, right = rows.take(cell, axis=2), rows.take(cell + 1, axis=2)
    return left + (right - left) * weight


def blur(image: Array, amount: Array) -> Array:
    """Images (b, h, w) mixed with the 1-2-1 mean of their neighbours, down and then across.

    Args:
      amount: shape (b, 1, 1), 0 sharp to 1; the outermost pixels keep their value on that axis.
    """
    mixed = image.copy()
    inner = image[:, 1:-1]
    mixed[:, 1:-1] = inner + (image[:, :-2] + image[:, 2:] - 2.0 * inner) * (0.25 * amount)
    image, inner = mixed.copy(), mixed[:, :, 1:-1]
    image[:, :, 1:-1] = inner + (mixed[:, :, :-2] + mixed[:, :, 2:] - 2.0 * inner) * (0.25 * amount)
    return image
