"""Makes a graph model for TensorFlow.js of a SavedModel: `python -I convert.py SAVED_MODEL FOLDER`.

Runs in the environment that the project file beside it locks, so it imports nothing of casegate.
The last line that it prints is JSON: `converter`, what it was; `heatmap`, whether the model gives
one; or `missing`, why there is none.
"""

import json
import sys
import types
from typing import Any


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
    import tensorflow
    from tensorflow.python.tools.saved_model_utils import get_meta_graph_def
    from tensorflowjs import __version__
    from tensorflowjs.converters.tf_saved_model_conversion_v2 import convert_tf_saved_model

    there = get_meta_graph_def(saved_model, "serve").signature_def
    if "score_pixels" not in there:
        return {"missing": "the model has no signature score_pixels; train it anew"}
    for signature in ("explain_pixels", "score_pixels"):
        if signature not in there:
            continue
        try:
            convert_tf_saved_model(saved_model, folder, signature_def=signature)
        except ValueError as error:  # with the operations that TensorFlow.js does not have
            refusal = " ".join(str(error).split())[:300]
            continue
        converter = f"tensorflowjs {__version__} (TensorFlow {tensorflow.__version__})"
        return {"converter": converter, "heatmap": signature == "explain_pixels"}
    return {"missing": f"TensorFlow.js cannot run this model: {refusal}"}


if __name__ == "__main__":
    print("\n" + json.dumps(main(*sys.argv[1:])))
