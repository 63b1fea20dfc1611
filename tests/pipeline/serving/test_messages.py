"""TensorFlow Serving's messages come without TensorFlow, and leave it importable."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pipeline.serving import server, messages
heavy = {"tensorflow", "tensorflow.python", "keras", "tfx", "ml_metadata.metadata_store"}
print(sorted(heavy & set(sys.modules)))
request = messages.predict_pb2.PredictRequest()
request.inputs["image"].dtype = 7
request.inputs["image"].string_val.append(b"a picture")
print(messages.as_json(request.model_spec))
"""
FURTHER = """
import tensorflow as tf
request.inputs["label"].CopyFrom(tf.make_tensor_proto([1, 2]))
print(tf.make_ndarray(request.inputs["image"]), tf.__version__ > "2")
"""


def said(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.process
def test_the_server_imports_no_tensorflow() -> None:
    spec = "{'name': '', 'signature_name': ''}"
    assert said(PROGRAM) == ["[]", spec]


@pytest.mark.tensorflow
def test_whoever_needs_tensorflow_afterwards_gets_it() -> None:
    assert said(PROGRAM + FURTHER)[-1] == "b'a picture' True"
