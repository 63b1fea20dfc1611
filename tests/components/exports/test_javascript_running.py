"""A graph model is asked where browsers run it, and says what the SavedModel says."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.exports import conversing, javascript_running
from components.exports.javascript_running import ask_graph_model
from components.exports.running import MissingRuntime
from components.records.errors import SourceError, Unservable
from components.records.export import NODE_WASM
from components.scoring.served import EXPLAIN, ServedRequest
from components.scoring.served import ask as ask_served
from tests.components.exports.pictures import kinds
from tests.components.exports.tfjs import JAVASCRIPT, bundled, needs_tfjs
from tests.foreign import needs
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow
SIZE = 16  # as Transform has it


def saved_model(folder: Path) -> Path:
    from pipeline.model.export import Classifier, export
    from pipeline.model.networks.small import build_small
    from pipeline.settings.sections import ModelConfig
    from tests.pipeline.model.test_export import Transform

    network = build_small(ModelConfig(image_size=SIZE, filters=(8, 16), seed=3))
    rng = np.random.default_rng(3)
    *below, kernel, bias = (rng.normal(0, 0.4, w.shape) for w in network.get_weights())
    network.set_weights([*below, abs(kernel) / 20, bias])  # > 0: each picture has a heat map
    export(Classifier(network, Transform(), 0.5), str(folder), {})
    return folder


def convert(model: Path, folder: Path) -> dict[str, Any]:
    program = JAVASCRIPT.with_name("converter") / "convert.py"
    python = needs_tfjs() / "python/bin/python"
    done = subprocess.run(
        [python, "-I", program, model, folder], capture_output=True, check=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_model(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture(scope="module")
def graph_model(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graph")
    assert convert(model, folder)["heatmap"]
    return folder


@pytest.fixture(
    params=["node_wasm", "chromium_wasm", pytest.param("chromium_webgl", marks=pytest.mark.slow)]
)
def runtime(request: pytest.FixtureRequest) -> str:
    needs_tfjs()
    needs("node", "nodejs")
    if request.param != NODE_WASM:
        needs("chromium", "chromium")
    return request.param


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [*kinds(SIZE, SIZE).values(), *kinds(97, 131).values(), *kinds(20, 17).values()]


@pytest.fixture(scope="module")
def wanted(model: Path, pictures: list[bytes]) -> np.ndarray:
    ((_, answer),) = ask_served(model, [ServedRequest("serving_default", pictures)])
    return answer.probability.astype(np.float64)


def test_each_runtime_says_of_each_kind_of_picture_what_the_saved_model_says(
    runtime: str, graph_model: Path, pictures: list[bytes], wanted: np.ndarray
) -> None:
    assert np.ptp(wanted) > 0.01  # else the order would not show
    asked = ask_graph_model(graph_model, runtime, pictures, size=SIZE)
    np.testing.assert_allclose(asked.scores, wanted, atol=1e-5, rtol=0)
    assert "TensorFlow.js 4.22.0" in asked.version
    assert asked.latency_ms["p95"] >= asked.latency_ms["median"] > 0
    assert asked.peak_memory_bytes > 1 << 24
    if runtime == "chromium_webgl":
        assert "ANGLE" in asked.version  # by what WebGL was computed


def test_scores_do_not_hang_on_the_size_of_batches(
    runtime: str,
    graph_model: Path,
    pictures: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = ask_graph_model(graph_model, runtime, pictures[:8]).scores
    monkeypatch.setattr(conversing, "BATCH", 3)
    np.testing.assert_array_equal(ask_graph_model(graph_model, runtime, pictures[:8]).scores, whole)


def test_unusable_picture_is_named_by_its_place(
    runtime: str, graph_model: Path, pictures: list[bytes]
) -> None:
    with refused(SourceError, "picture 3", "PNG or JPEG"):
        ask_graph_model(graph_model, runtime, [*pictures[:2], b"%PDF-1.7", *pictures[2:4]])


def test_same_model_gives_the_same_files(model: Path, graph_model: Path, tmp_path: Path) -> None:
    convert(model, tmp_path)
    names = sorted(path.name for path in graph_model.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        assert (tmp_path / name).read_bytes() == (graph_model / name).read_bytes(), name


def test_model_without_the_signature_is_refused_by_name(model: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))
    only = {"serving_default": loaded.signatures["serving_default"]}
    tf.saved_model.save(loaded, str(tmp_path / "older"), signatures=only)
    assert "score_pixels" in convert(tmp_path / "older", tmp_path / "graph")["missing"]


HEATMAP = """
import { readFileSync } from "node:fs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { openModel } from "casegate/model.js";
import { decodePicture, prepared } from "casegate/pixels.js";
async function main(wasm, folder, picture) {
  setWasmPaths(wasm);
  const description = JSON.parse(readFileSync(`${folder}/model.json`));
  const shard = readFileSync(`${folder}/group1-shard1of1.bin`);
  const weights = shard.buffer.slice(shard.byteOffset, shard.byteOffset + shard.length);
  const model = await openModel("wasm", description, weights);
  const pixels = prepared(await decodePicture(readFileSync(picture)), model.size);
  const { heatmap } = await model.explain(pixels);
  console.log(JSON.stringify({ shape: heatmap.shape, values: [...heatmap.values] }));
}
main(...process.argv.slice(2));
"""


def test_heat_map_is_that_of_the_saved_model(
    model: Path, graph_model: Path, pictures: list[bytes], tmp_path: Path
) -> None:
    wasm = needs_tfjs() / "node_modules/@tensorflow/tfjs-backend-wasm/dist"
    (tmp_path / "picture").write_bytes(pictures[0])
    command = [*bundled(HEATMAP, tmp_path), f"{wasm}/", graph_model, tmp_path / "picture"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    ((_, answer),) = ask_served(model, [ServedRequest(EXPLAIN, pictures[:1])])
    assert answer.heatmap.max() == 1
    got = np.reshape(found["values"], found["shape"])
    np.testing.assert_allclose(got, answer.heatmap[0], atol=1e-4, rtol=0)


def edited(graph_model: Path, folder: Path, **changes: Any) -> Path:
    copy = shutil.copytree(graph_model, folder / "edited")
    description = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps({**description, **changes}))
    return copy


def test_model_that_cannot_be_run_is_refused(
    runtime: str, graph_model: Path, pictures: list[bytes], tmp_path: Path
) -> None:
    weights = graph_model / "group1-shard1of1.bin"
    cut = shutil.copytree(graph_model, tmp_path / "cut")
    (cut / weights.name).write_bytes(weights.read_bytes()[:-4])
    with refused(Unservable, "bytes"):
        ask_graph_model(cut, runtime, pictures[:1])
    with refused(Unservable, "size", str(SIZE), str(SIZE + 1)):
        ask_graph_model(graph_model, runtime, pictures[:1], size=SIZE + 1)
    manifest = [{"paths": ["../secret.bin"], "weights": []}]
    outside = edited(graph_model, tmp_path, weightsManifest=manifest)
    with refused(Unservable, "../secret.bin"):
        ask_graph_model(outside, runtime, pictures[:1])


def test_missing_program_is_named(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if runtime != NODE_WASM:
        (tmp_path / "node").symlink_to(needs("node", "nodejs"))
    monkeypatch.setenv("PATH", str(tmp_path))
    named = "node" if runtime == NODE_WASM else "Chromium"
    with refused(MissingRuntime, runtime, named):
        ask_graph_model(tmp_path, runtime, [])


def test_chromium_that_does_not_start_is_missing(
    graph_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_tfjs()
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with refused(MissingRuntime, "chromium_wasm", str(broken), "exit code 3"):
        ask_graph_model(graph_model, "chromium_wasm", [])


def test_what_make_was_not_asked_for_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "components" / "exports" / "javascript_running.py"
    monkeypatch.setattr(javascript_running, "__file__", str(elsewhere))
    monkeypatch.setattr(shutil, "which", lambda program: sys.executable)
    with refused(MissingRuntime, "build/tfjs/ask.cjs", "make tfjs"):
        ask_graph_model(tmp_path, NODE_WASM, [])
