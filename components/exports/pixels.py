"""From an encoded picture to a network's input without TensorFlow, for artefacts in other runtimes.

The same values as in the model's own graph: `pipeline/model/preprocessing.py` says them, and
`javascript/pixels.js` says them to a browser. A test holds all against each other.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.cases.images import decode

GREY_WEIGHTS = np.array(
    [0.2989, 0.5870, 0.1140], np.float32
)  # those of TensorFlow, which are not quite 1


def prepared(picture: bytes, size: int) -> npt.NDArray[np.float32]:
    """Decodes, takes one channel, resizes and scales.

    Args:
      picture: an encoded PNG (8 or 16 bit) or JPEG, grey or RGB.
      size: the side of the network's input, in pixels.

    Returns:
      float32 (size, size, 1) in [0, 1].

    Raises:
      SourceError: the picture cannot be used.
    """
    samples = decode(picture)
    scaled = samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)
    # A grey picture is three equal channels to TensorFlow.
    grey = scaled @ GREY_WEIGHTS if scaled.ndim == 3 else scaled * GREY_WEIGHTS.sum()
    if grey.shape != (size, size):
        # Pillow's triangle is as wide as the step between two pixels of the result, or of the
        # picture where those lie further apart: TensorFlow's bilinear resizing with antialiasing.
        grey = np.asarray(Image.fromarray(grey).resize((size, size), Image.Resampling.BILINEAR))
    return np.clip(grey, 0.0, 1.0, dtype=np.float32)[..., np.newaxis]


def prepared_batch(pictures: Iterable[bytes], size: int) -> npt.NDArray[np.float32]:
    """As `prepared`, of n pictures: float32 (n, size, size, 1)."""
    blank = np.zeros((0, size, size, 1), np.float32)
    return np.stack(found) if (found := [prepared(each, size) for each in pictures]) else blank
