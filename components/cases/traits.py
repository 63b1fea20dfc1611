"""What else is noted of a picture: a hash that survives small changes, and how it was made, which a
network could learn instead of the disease.

Both are of the decoded samples, so they are taken where a case is read and never need the picture
again.
"""

from dataclasses import dataclass, fields

import numpy as np
from PIL import Image

from components.cases.images import Quality, Samples, grey_samples

HASH_SIDE = 16  # 8 is too few: chest radiographs of different people have nearly equal hashes
LEAST_SIDE = 64  # pixels; see docs/near-duplicates.md
LEAST_CONTRAST = 0.01  # standard deviation; the frequencies of an empty picture are noise


@dataclass(frozen=True)
class Traits:
    """How a picture was made, beside its quality; grey values are scaled to [0, 1].

    Attributes:
      bits: that the largest sample needs: 12 of a detector's 12 in a file of 16.
      colour: 1 where the three channels differ anywhere, else 0.
      aspect: width divided by height.
      frame: mean of the outermost sixteenth less that of the middle; an inverted chest turns its
        sign.
      top_left, top_right, bottom_left, bottom_right: mean of the corner, an eighth wide and high,
        where marks stand.
    """

    bits: int
    colour: int
    aspect: float
    frame: float
    top_left: float
    top_right: float
    bottom_left: float
    bottom_right: float


FIGURES = tuple(field.name for field in (*fields(Quality), *fields(Traits)))


def traits_of(samples: Samples) -> Traits:
    """The traits of decoded samples, shape (h, w) or (h, w, 3)."""
    grey = grey_samples(samples)
    height, width = grey.shape
    full_scale = np.iinfo(grey.dtype).max
    edge, down, across = max(1, min(grey.shape) // 16), max(1, height // 8), max(1, width // 8)
    middle = grey[edge:-edge, edge:-edge]
    inner, whole = int(middle.sum(dtype=np.int64)), int(grey.sum(dtype=np.int64))
    around = (whole - inner) / (grey.size - middle.size)
    tops, bottoms = grey[:down], grey[-down:]
    corners = (tops[:, :across], tops[:, -across:], bottoms[:, :across], bottoms[:, -across:])
    return Traits(
        int(grey.max()).bit_length(),
        int(samples.ndim == 3),
        width / height,
        (around - inner / middle.size) / full_scale,
        *(float(corner.mean(dtype=np.float64)) / full_scale for corner in corners),
    )


def perceptual_hash(samples: Samples) -> str:
    """128 hex digits: the signs of 16 x 16 frequencies, then which of 16 x 16 spots are brighter
    than those above them, by `imagehash`; "" where the picture has none.

    Two pictures are nearly the same where few of the bits differ: see
    `components.admission.likeness`. Samples of 16 bits are stretched over 8 first, so that a
    detector's 12 bits are not black.
    """
    grey = grey_samples(samples)
    if min(grey.shape) < LEAST_SIDE:
        return ""
    if grey.dtype == np.uint16:
        low, high = int(grey.min()), int(grey.max())
        grey = ((grey - low) * (255.0 / max(1, high - low)) + 0.5).astype(np.uint8)
    small = Image.fromarray(grey).resize((4 * HASH_SIDE, 4 * HASH_SIDE), Image.Resampling.LANCZOS)
    if np.asarray(small).std() < 255 * LEAST_CONTRAST:
        return ""
    import imagehash

    halves = (
        imagehash.phash(small, hash_size=HASH_SIDE),
        imagehash.dhash_vertical(small, hash_size=HASH_SIDE),
    )
    # The same digits as imagehash writes, which takes as long for them as for the hash.
    return "".join(np.packbits(half.hash).tobytes().hex() for half in halves)
