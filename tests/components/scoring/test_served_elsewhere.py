"""Released SavedModels read by programs of others, as their users read them: a C program too."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.components.scoring.c_program import build, classify
from tests.components.scoring.making import POINT, UNSERVABLE, Explained, Sized, save

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


def test_saved_model_cli_gets_the_map_of_a_model_that_says_why(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("saved_model_cli")
    done = subprocess.run(
        [str(command), "run", "--dir", str(save(Explained(), tmp_path / "model")),
         "--tag_set", "serve", "--signature_def", "explain", "--input_exprs", "image=['....']"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "[[[1. 1.]\n  [0. 0.]\n  [0. 0.]]]" in done.stdout and "[0.004]" in done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("c"))


def test_a_c_program_answers(program: Path, tmp_path: Path) -> None:
    sizes = (100, 250, 999)
    for size in sizes:
        (tmp_path / str(size)).write_bytes(b"." * size)
    model = save(Sized(), tmp_path / "model")
    said = classify(program, model, [tmp_path / str(size) for size in sizes])
    assert [p for p, _ in said] == pytest.approx([size / 1000 for size in sizes])
    assert [label for _, label in said] == [0, 1, 1]


def test_a_c_program_refuses_what_we_call_unservable(program: Path, tmp_path: Path) -> None:
    make, _ = UNSERVABLE["Python inside"]
    (tmp_path / "image").write_bytes(b"...")
    with pytest.raises(RuntimeError, match="EagerPyFunc"):
        classify(program, make(tmp_path / "model"), [tmp_path / "image"])
