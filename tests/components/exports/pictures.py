"""Pictures of every kind that intake or a client may bring."""

import io

import numpy as np
from PIL import Image


def samples(height: int, width: int, channels: int, largest: int) -> np.ndarray:
    noise = np.random.default_rng(height * width + channels).random((height, width, channels))
    waves = np.sin(np.arange(width) / 9)[:, None] * np.cos(np.arange(height) / 7)[:, None, None]
    return np.clip((0.4 * waves + 0.5 + 0.1 * noise) * largest, 0, largest).round()


def kinds(height: int, width: int) -> dict[str, bytes]:
    """A file of each kind that intake or a client may bring, by a name for it."""
    import tensorflow as tf

    files = {}
    for channels, name in enumerate(("grey", "grey and alpha", "RGB", "RGB and alpha"), start=1):
        for bits, kind in ((8, np.uint8), (16, np.uint16)):
            shown = samples(height, width, channels, 2**bits - 1).astype(kind)
            files[f"PNG {bits} {name}"] = tf.io.encode_png(shown).numpy()
    colours = samples(height, width, 3, 255).astype(np.uint8)
    files["JPEG RGB"] = tf.io.encode_jpeg(colours, quality=90).numpy()
    files["JPEG grey"] = tf.io.encode_jpeg(colours[..., :1], quality=60).numpy()
    picture = Image.fromarray(colours)
    for name, saved, options in (
        ("PNG palette", picture.quantize(200), {"format": "PNG"}),
        ("PNG palette of 2 bits", picture.quantize(4), {"format": "PNG"}),
        ("PNG 1 bit", picture.convert("1"), {"format": "PNG"}),
        ("JPEG progressive", picture, {"format": "JPEG", "progressive": True, "subsampling": 2}),
    ):
        stream = io.BytesIO()
        saved.save(stream, **options)
        files[name] = stream.getvalue()
    return files
