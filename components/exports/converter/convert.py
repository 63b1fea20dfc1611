"""Makes a graph model for TensorFlow.js of a SavedModel: `python -I convert.py SAVED_MODEL FOLDER`.

Runs in the environment that the project file beside it locks, so it imports nothing of casegate.
The last line that it prints is JSON: `converter`, what it was; `heatmap`, whether the model gives
one; or `missing`, why there is none.
"""

import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

PIXELS, SCORE, EXPLAIN = "pixels", "score_pixels", "explain_pixels"


class _Absent(types.ModuleType):
    """A module that is only named, and never called: it would read models of other kinds."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent(name)


def main(saved_model: str, folder: str) -> dict[str, Any]:
    """Writes `model.json` and its shards; with a heat map, if the converter can take it along."""
    for name in ("jax", "jax.experimental", "tensorflow_decision_forests"):
        sys.modules[name] = _Absent(name)
    import tensorflow as tf
    from tensorflowjs import __version__

    _correct_converter()
    loaded = tf.saved_model.load(saved_model)
    if SCORE not in loaded.signatures:
        return {"missing": f"the model has no signature {SCORE}; train it anew"}
    for name in (EXPLAIN, SCORE):
        if name in loaded.signatures:
            unknown = _convert(loaded, name, folder)
            if not unknown:
                converter = f"tensorflowjs {__version__} (TensorFlow {tf.__version__})"
                return {"converter": converter, "heatmap": name == EXPLAIN}
    return {"missing": f"TensorFlow.js does not know the operations {', '.join(sorted(unknown))}"}


def _correct_converter() -> None:
    """Lets it merge what is equal, and not fuse what TensorFlow.js then refuses."""
    from tensorflowjs.converters import tf_saved_model_conversion_v2 as conversion

    optimize = conversion._run_grappler

    def merge_and_optimize(config: Any, graph: Any, *others: Any) -> Any:
        # The logit and the heat map are made of the same features, by one set of weights.
        config.graph_options.rewrite_options.optimizers.insert(0, "common_subgraph_elimination")
        for node in graph.node:
            if node.op == "MatMul":
                # A device asks for fusing. Of one picture any addend looks like a bias, and
                # TensorFlow.js takes none of two dimensions.
                node.device = ""
        return optimize(config, graph, *others)

    conversion._run_grappler = merge_and_optimize


def _convert(loaded: Any, name: str, folder: str) -> set[str]:
    """Of one picture at a time; the operations that TensorFlow.js does not know, if any."""
    import tensorflow as tf
    from tensorflowjs import resource_loader
    from tensorflowjs.converters.tf_saved_model_conversion_v2 import convert_tf_saved_model

    signature = loaded.signatures[name]
    (size,) = {*signature.structured_input_signature[1][PIXELS].shape[1:3]}
    shape = (1, size, size, 1)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=PIXELS)])
    def of_one(pixels: Any) -> Any:
        # Said inside once more, which lets the converter fold every shape: it distrusts inputs, and
        # a heat map of any number of pictures needs operations that TensorFlow.js does not have.
        return signature(**{PIXELS: tf.reshape(pixels, shape)})

    module = tf.Module()
    module.loaded = loaded  # with its variables
    with tempfile.TemporaryDirectory() as one:
        tf.saved_model.save(module, one, signatures={"one": of_one})
        # What can be folded is no reason to refuse, so the check comes after.
        convert_tf_saved_model(one, folder, signature_def="one", skip_op_check=True)
    known = set()
    for listing in resource_loader.list_dir("op_list"):
        with resource_loader.open_file(f"op_list/{listing}") as listed:
            known |= {operation["tfOpName"] for operation in json.load(listed)}
    path = Path(folder) / "model.json"
    model = json.loads(path.read_bytes())
    # Protocol buffers keep no order of a node's attributes.
    path.write_text(json.dumps(model, sort_keys=True))
    return {node["op"] for node in model["modelTopology"]["node"]} - known


if __name__ == "__main__":
    print("\n" + json.dumps(main(*sys.argv[1:])))
