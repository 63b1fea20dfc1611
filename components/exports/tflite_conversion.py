"""A program: makes a .tflite file of a SavedModel's `score_pixels`.

TensorFlow's converter can abort its process, so it has one of its own.

    python -I tflite_conversion.py SAVEDMODEL KIND SIZE OUT [PIXELS]

PIXELS is a .npy file, float32 (n, size, size, 1), which whole numbers are calibrated on.
"""

import os
import sys
from collections.abc import Iterator

os.environ["TF_USE_LEGACY_KERAS"] = "0"
# The graph is optimised and calibrated on one thread, so that sums come out the same every time.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

INT8, FLOAT16 = "tflite_int8", "tflite_float16"
# Layers stay in floats while those before them hold no more of the weights.
FIRST_LAYERS = 1 / 600


def convert(saved_model: str, kind: str, size: int, calibration: str | None) -> bytes:
    """The file's bytes.

    One picture at a time: with a free batch size the graph computes shapes while it runs, which
    few of a tablet's accelerators can.
    """
    loaded = tf.saved_model.load(saved_model)
    score = loaded.signatures["score_pixels"]
    spec = tf.TensorSpec([1, size, size, 1], tf.float32, name="pixels")
    one = tf.function(lambda pixels: score(pixels=pixels)["logit"], autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [one.get_concrete_function(spec)], loaded
    )
    if kind in (INT8, FLOAT16):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if kind == INT8:
        assert calibration
        pixels = np.load(calibration)

        def representative() -> Iterator[list[np.ndarray]]:
            for picture in pixels:
                yield [picture[np.newaxis]]

        converter.representative_dataset = representative
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=representative
        )
        debugger.options = tf.lite.experimental.QuantizationDebugOptions(
            denylisted_nodes=first_layers(debugger.calibrated_model)
        )
        return debugger.get_nondebug_quantized_model()
    return converter.convert()


def first_layers(model: bytes) -> list[str]:
    """What the layers give that stay in floats, in a .tflite file of floats.

    They cost next to no bytes, and whatever they round every later layer makes larger; a first
    convolution of one channel is not faster in whole numbers either.
    """
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = tree.subgraphs[0]
    data = [tree.buffers[tensor.buffer].data for tensor in graph.tensors]
    held = [
        sum(len(data[i]) for i in op.inputs if i >= 0 and data[i] is not None)
        for op in graph.operators
    ]
    before = np.cumsum([0, *held[:-1]])
    return [
        graph.tensors[op.outputs[0]].name.decode()
        for op, weights in zip(graph.operators, before)
        if weights <= FIRST_LAYERS * sum(held)
    ]


def main(saved_model: str, kind: str, size: str, out: str, calibration: str | None = None) -> None:
    content = convert(saved_model, kind, int(size), calibration)
    with open(out, "wb") as stream:  # noqa: PTH123 - of a program without pathlib
        stream.write(content)
    sys.stdout.write(f"\nTensorFlow {tf.__version__}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
