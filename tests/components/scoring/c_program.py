"""A C program built against the TensorFlow that is installed, for whoever has a compiler."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).with_name("classify.c")


def build(folder: Path) -> Path:
    """The program; a C compiler is among what the README asks of every machine."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler is not None, "no cc on PATH: install a C compiler"
    spec = find_spec("tensorflow")
    assert spec is not None and spec.submodule_search_locations is not None
    tensorflow = Path(spec.submodule_search_locations[0])
    program = folder / "classify"
    subprocess.run(
        [compiler, str(SOURCE), f"-I{tensorflow / 'include'}", "-o", str(program),
         str(tensorflow / "libtensorflow_cc.so.2"),
         str(tensorflow / "libtensorflow_framework.so.2"), f"-Wl,-rpath,{tensorflow}"],
        check=True,
    )  # fmt: skip
    return program


def classify(program: Path, model: Path, images: Sequence[Path]) -> list[tuple[float, int]]:
    """Probability and label of each image, as `serving_default` gives them to the C program."""
    command = Path(sys.executable).with_name("saved_model_cli")
    shown = subprocess.run(
        [str(command), "show", "--dir", str(model), "--tag_set", "serve",
         "--signature_def", "serving_default"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    names = dict(re.findall(r"\['(\w+)'\] tensor_info:.*?name: (\S+)", shown, re.DOTALL))
    operation, probability = names["probability"].split(":")
    label = names["label"].split(":")[1]
    where = {"INPUT": names["image"].split(":")[0], "OUTPUT": operation,
             "PROBABILITY": probability, "LABEL": label}  # fmt: skip
    done = subprocess.run(
        [str(program), str(model), *map(str, images)],
        env={**os.environ, **where, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    rows = [line.split() for line in done.stdout.splitlines()]
    return [(float(p), int(call)) for p, call in rows]
