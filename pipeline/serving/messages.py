"""TensorFlow Serving's messages, without TensorFlow, which takes seconds and much memory to import.

They are generated for `tensorflow.core`, whose package is TensorFlow's own. So a bare package
stands in its place while they are imported, unless TensorFlow is here already.
"""

import importlib.util
import inspect
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict


@contextmanager
def _bare_tensorflow() -> Iterator[None]:
    found = importlib.util.find_spec("tensorflow") if "tensorflow" not in sys.modules else None
    if found is not None:
        bare = types.ModuleType("tensorflow")
        bare.__path__ = list(found.submodule_search_locations or ())
        sys.modules["tensorflow"] = bare
    try:
        yield
    finally:
        if found is not None:
            del sys.modules["tensorflow"]  # whoever needs the whole of it still may


with _bare_tensorflow():
    from tensorflow.core.example import example_pb2
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2 as metadata_pb2
    from tensorflow_serving.apis import get_model_status_pb2 as status_pb2
    from tensorflow_serving.apis import predict_pb2

__all__ = [
    "as_json",
    "metadata_pb2",
    "predict_pb2",
    "read_examples",
    "read_signatures",
    "status_pb2",
]
# Protocol Buffers gave this another name in between the versions that are used here.
_NAMES = {"including_default_value_fields", "always_print_fields_with_no_presence"}
(_WITH_DEFAULTS,) = _NAMES & inspect.signature(MessageToDict).parameters.keys()


def as_json(message: Any) -> dict[str, Any]:
    """A message as TensorFlow Serving writes it in JSON: every field, by its own name."""
    return MessageToDict(message, preserving_proto_field_name=True, **{_WITH_DEFAULTS: True})


def read_signatures(model: Path) -> dict[str, Any]:
    """The SignatureDefs of a SavedModel's `serve` graph that take one input, by their names."""
    saved = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes())
    (graph,) = [graph for graph in saved.meta_graphs if "serve" in graph.meta_info_def.tags]
    found = graph.signature_def.items()
    return {name: signature for name, signature in found if len(signature.inputs) == 1}


def read_examples(inputs: list[bytes]) -> list[bytes]:
    """The image in each serialized tf.train.Example.

    Raises:
      ValueError: one is no Example, or has not one `image`.
    """
    pictures: list[bytes] = []
    for content in inputs:
        try:
            example = example_pb2.Example.FromString(content)
            (picture,) = example.features.feature["image"].bytes_list.value
        except Exception as error:  # protobuf has its own
            raise ValueError(f"input {len(pictures)}: no Example with one 'image'") from error
        pictures.append(picture)
    return pictures
