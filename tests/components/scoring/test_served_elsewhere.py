"""Released SavedModels read by others' programs, as their users read them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.components.scoring.making import POINT, Sized, save

pytestmark = pytest.mark.tensorflow

SIZES = (100, 249, 250, 999)

# A process of its own: what one session restored, another must not find.
SESSION = """
import json, sys
import tensorflow as tf
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    loaded = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    signature = loaded.signature_def["serving_default"]
    named = {name: signature.outputs[name].name for name in ("probability", "label")}
    images = [b"." * size for size in json.loads(sys.argv[2])]
    said = session.run(named, {signature.inputs["image"].name: images})
print(json.dumps({name: value.tolist() for name, value in said.items()}))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(Sized(), tmp_path_factory.mktemp("model") / "1")


def test_tensorflows_session_loader_answers(model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SESSION, str(model), json.dumps(SIZES)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["probability"] == pytest.approx([size / 1000 for size in SIZES])
    assert said["label"] == [int(size >= 1000 * POINT) for size in SIZES]


def test_saved_model_cli_runs_it(model: Path) -> None:
    command = Path(sys.executable).with_name("saved_model_cli")
    done = subprocess.run(
        [str(command), "run", "--dir", str(model), "--tag_set", "serve",
         "--signature_def", "serving_default", "--input_exprs", "image=['....', '.......']"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "[0.004 0.007]" in done.stdout and "[0 0]" in done.stdout
