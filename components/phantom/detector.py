"""Turns a synthetic chest's density into grey values, as each vendor's detector would."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.phantom.arithmetic import Array, Draws, blur, per_case, step, unit


@dataclass(frozen=True)
class Device:
    """How one vendor's detector renders.

    Attributes:
      gain, offset: the grey scale's contrast and brightness.
      blur: unsharpness, 0 to 1.
      noise: standard deviation at unit density, in parts of the grey scale.
      collimation: share of the images in which the collimator's edges are visible.
    """

    gain: float
    offset: float
    blur: float
    noise: float
    collimation: float


# Cirrus is the hard one: flat, unsharp and noisy.
DEVICES = {
    "Aster": Device(gain=1.12, offset=0.00, blur=0.2, noise=0.030, collimation=0.2),
    "Boreal": Device(gain=1.00, offset=0.04, blur=0.6, noise=0.045, collimation=0.4),
    "Cirrus": Device(gain=0.90, offset=0.09, blur=0.9, noise=0.075, collimation=0.6),
}

# A fourth vendor, whom no case set has seen: bright, flat and oversharp.
DORADO = "Dorado"
_MACHINES = {
    **DEVICES,
    DORADO: Device(gain=0.74, offset=0.21, blur=0.0, noise=0.020, collimation=0.9),
}

# A broken detector: these columns are dead, as places from left (0) to right (1); the rest is
# flat and noisy.
_DEAD_COLUMNS = (0.17, 0.19, 0.36, 0.52, 0.55, 0.71, 0.74, 0.90)
_DEAD_GREY = 0.02
_BROKEN_CONTRAST = 0.45
_BROKEN_NOISE = 0.07
# A mark in the lower left corner, as places from left or bottom (0) on.
_MARK, _MARK_GREY = (0.02, 0.14), 0.98


@dataclass(frozen=True)
class Picture:
    """What one image shows, and how it is taken.

    Attributes:
      seed, patient, row: keys of the random streams; one patient's pictures share the anatomy.
      exposure: relative to the usual; more is darker.
      broken: whether the device's detector is.
      marked: whether somebody marked a corner.
    """

    seed: int
    patient: int
    row: int
    age_band: str
    view: str
    device: str
    aetiology: str
    exposure: float = 1.0
    broken: bool = False
    marked: bool = False


_EDGES = ("edge_left", "edge_right", "edge_top", "edge_bottom")
# Values are drawn by position: inserting a name changes every case, and the generator's version.
IMAGE_DRAWS = (
    "tilt", "scale", "shift_x", "shift_y", "turn", "exposure", "low_exposure", "gain", "skin_fold",
    "fold_x", "fold_slope", "collimated", *_EDGES,
)  # fmt: skip


def detect(
    density: Array,
    pictures: Sequence[Picture],
    image: Draws,
    streams: Sequence[np.random.Generator],
) -> npt.NDArray[np.uint8]:
    """Grey images of the densities, both of shape (b, h, w).

    Args:
      streams: each image's own, from which its noise is drawn.
    """
    devices = [_MACHINES[picture.device] for picture in pictures]
    low = np.where(image.chance("low_exposure", 0.08), 0.80, 1.0)
    dose = image.uniform("exposure", 0.94, 1.07) * low
    dose = dose * per_case([picture.exposure for picture in pictures])
    gain = per_case([device.gain for device in devices]) * image.uniform("gain", 0.95, 1.05)
    offset = per_case([device.offset for device in devices])
    signal = blur(density, per_case([device.blur for device in devices]))
    signal = signal * (gain / dose) + offset / dose

    # Fewer photons pass where the body is dense, so noise grows with density and with low dose.
    amount = per_case([device.noise for device in devices]) / np.sqrt(dose)
    noise = _unit_noise(streams, density.shape[1])
    signal = signal + noise * (amount * (0.35 + 0.65 * density))
    signal = signal * _field(devices, image, density.shape[1])
    broken = [row for row, picture in enumerate(pictures) if picture.broken]
    if broken:
        signal[broken] = _through_broken(signal[broken], [streams[row] for row in broken])
    size = density.shape[1]
    near, far = (int(place * size) for place in _MARK)
    signal[[p.marked for p in pictures], size - far : size - near, near:far] = _MARK_GREY
    return np.floor(unit(signal) * 255.0 + 0.5).astype(np.uint8)


def _through_broken(signal: Array, streams: Sequence[np.random.Generator]) -> Array:
    """What a broken detector makes of images (b, h, w)."""
    size = signal.shape[1]
    flat = 0.5 + (unit(signal) - 0.5) * _BROKEN_CONTRAST
    flat = flat + _unit_noise(streams, size) * _BROKEN_NOISE
    flat[:, :, [int(place * size) for place in _DEAD_COLUMNS]] = _DEAD_GREY
    return flat


def _unit_noise(streams: Sequence[np.random.Generator], size: int) -> Array:
    """Bell-shaped noise of mean 0 and standard deviation 1: four random bytes per pixel, added."""
    bits = np.stack([stream.integers(0, 2**32, (size, size), np.uint32) for stream in streams])
    total = (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24)
    return (total.astype(np.float64) - 510.0) * (1.0 / 147.8)


def _field(devices: Sequence[Device], image: Draws, size: int) -> Array:
    """1 in the exposed field, nearly 0 behind the collimator's leaves."""
    axis = (2.0 * np.arange(size, dtype=np.float64) + 1.0) / size - 1.0
    closed = image.uniform("collimated") < per_case([device.collimation for device in devices])
    left, right, top, bottom = (1.0 - image.uniform(edge, 0.0, 0.14) * closed for edge in _EDGES)
    across = step(np.minimum(axis + left, right - axis) * 30.0 + 1.0)
    along = step(np.minimum(axis + top, bottom - axis) * 30.0 + 1.0)
    return (0.04 + 0.96 * across) * along.transpose(0, 2, 1)
