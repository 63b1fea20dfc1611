"""A TF.js artefact by hand, small enough to be reckoned on paper, and the reader that holds it.

Its logit is a straight line of the mean of the prepared pixels, and its map is the pixels.
"""

import functools
import json
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from components.exports.javascript_running import built
from components.exports.pixels import prepared
from components.exports.running import MissingRuntime
from components.records.export import ExportRecord, save_export_record
from components.records.files import sha256_file
from pipeline.reader.build import SCRIPT, Artefact, build, load_artefact

SIDE, SCALE, OFFSET, OPERATING_POINT = 16, 8.0, -4.0, 0.6
SHAPE = {"dim": [{"size": str(side)} for side in (-1, SIDE, SIDE, 1)]}
WEIGHTS: dict[str, tuple[str, npt.NDArray[Any]]] = {
    "axes": ("int32", np.array([1, 2], "<i4")),
    "scale": ("float32", np.array(SCALE, "<f4")),
    "offset": ("float32", np.array(OFFSET, "<f4")),
}


def needs_bundle() -> None:
    """Skips the test, by name, where the page's script was not made."""
    try:
        built(SCRIPT)
    except MissingRuntime as error:
        pytest.skip(str(error))


def probability(picture: bytes) -> float:
    """What the artefact says of a PNG or JPEG file, by NumPy."""
    mean = prepared(picture, SIDE).mean(dtype=np.float64)
    return float(1 / (1 + np.exp(-(SCALE * mean + OFFSET))))


def write_artefact(folder: Path, **changes: Any) -> Path:
    """The artefact's folder, with `changes` to its record."""
    folder.mkdir()
    model = {
        "format": "graph-model",
        "signature": {
            "inputs": {"pixels": {"name": "pixels:0", "dtype": "DT_FLOAT", "tensorShape": SHAPE}},
            "outputs": {"logit": {"name": "sum:0"}, "heatmap": {"name": "map:0"}},
        },
        "modelTopology": {"node": _nodes(), "versions": {}},
        "weightsManifest": [
            {
                "paths": ["weights.bin"],
                "weights": [
                    {"name": name, "dtype": kind, "shape": list(values.shape)}
                    for name, (kind, values) in WEIGHTS.items()
                ],
            }
        ],
    }
    (folder / "model.json").write_text(json.dumps(model))
    weights = b"".join(values.tobytes() for _, values in WEIGHTS.values())
    (folder / "weights.bin").write_bytes(weights)
    (folder / "labels.txt").write_text("normal\npneumonia\n")
    (folder / "release.json").write_text("{}\n")
    record = {
        "kind": "tfjs",
        "model_sha256": "ab" * 32,
        "image_size": SIDE,
        "operating_point": OPERATING_POINT,
        "runtime": "node_wasm",
        "runtime_version": "4.22.0",
        "converter": "by hand",
        "files": {name: sha256_file(folder / name) for name in ("model.json", "weights.bin")},
        "heatmap": True,
        **changes,
    }
    save_export_record(ExportRecord(**record), folder)
    return folder


def _nodes() -> list[dict[str, Any]]:
    real = {"type": "DT_FLOAT"}
    axis = {"squeeze_dims": {"list": {"i": ["3"]}}}

    def node(name: str, op: str, *given: str, **attributes: Any) -> dict[str, Any]:
        return {"name": name, "op": op, "input": list(given), "attr": attributes}

    return [
        node("pixels", "Placeholder", dtype=real, shape={"shape": SHAPE}),
        *(
            node(name, "Const", dtype=real if kind == "float32" else {"type": "DT_INT32"})
            for name, (kind, _) in WEIGHTS.items()
        ),
        node("mean", "Mean", "pixels", "axes", T=real, keep_dims={"b": False}),
        node("scaled", "Mul", "mean", "scale", T=real),
        node("sum", "AddV2", "scaled", "offset", T=real),
        node("map", "Squeeze", "pixels", T=real, **axis),
    ]


def written(folder: Path, **changes: Any) -> Path:
    """The reader of the artefact, as a folder of files below `folder`."""
    found = load_artefact(write_artefact(folder / "artefact", **changes), "chest", 7)
    return write_reader(found, folder / "page")


def write_reader(artefact: Artefact, out: Path) -> Path:
    needs_bundle()
    build(artefact, out)
    return out


class Server:
    """Any web server: the files of a folder on a loopback port.

    Attributes:
      asked: the lines of its requests.
    """

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        handler = functools.partial(_Handler, self.asked, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, asked: list[str], *given: Any, **further: Any) -> None:
        self._asked = asked
        super().__init__(*given, **further)

    def log_message(self, *_: object) -> None:
        self._asked.append(f"{self.requestline} {self.headers.get('content-length', 0)}")
