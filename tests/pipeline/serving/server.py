"""`casegate serve` as a process of its own, and clients of it; the model may be a pretended one."""

import base64
import json
import os
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from pipeline.serving.messages import metadata_pb2, predict_pb2, status_pb2
from tests.components.scoring import pretending

NAME = "pneumonia"
PRETENDED = f"""
from pathlib import Path
from components.scoring import served
served.PROGRAM = Path({pretending.__file__!r})
"""
COMMAND = "from pipeline.cli import main; main()"


def picture(size: int = 100, word: bytes = b"", side: int = 64) -> bytes:
    """The header of a PNG, and nothing of a picture; the pretended model scores its size."""
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", side, side) + word
    return header.ljust(size, b".")


def instances(*pictures: bytes, **more: Any) -> dict[str, Any]:
    return {"instances": [{"b64": base64.b64encode(each).decode()} for each in pictures], **more}


def prediction(*pictures: bytes, signature: str = "", version: int | None = None) -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = NAME, signature
    if version is not None:
        request.model_spec.version.value = version
    tensor = request.inputs["image"]
    tensor.dtype = 7
    tensor.tensor_shape.dim.add().size = len(pictures)
    tensor.string_val.extend(pictures)
    return request


class Server:
    def __init__(self, process: "subprocess.Popen[str]", rest: str, address: str) -> None:
        self.process, self.rest, self.address = process, rest, address
        self.channel = grpc.insecure_channel(address)

    def get(self, path: str = "") -> tuple[int, Any]:
        return self.send(f"{self.rest}{path}", None)

    def ask(self, body: Any, path: str = ":predict", **headers: str) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(f"{self.rest}{path}", content, **headers)

    def send(self, url: str, content: bytes | None, **headers: str) -> tuple[int, Any]:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, content, named), timeout=30
            ) as found:
                code, text = found.status, found.read()
        except urllib.error.HTTPError as error:
            code, text = error.code, error.read()
        return code, json.loads(text) if text[:1] == b"{" else text

    @property
    def root(self) -> str:
        return self.rest.partition("/v1/")[0]

    def metrics(self) -> dict[str, float]:
        _, text = self.send(f"{self.root}/metrics", None)
        lines = [line.rsplit(" ", 1) for line in text.decode().splitlines() if line[0] != "#"]
        return {name.removeprefix("casegate_serving_"): float(value) for name, value in lines}

    def version(self) -> int:
        code, found = self.get()
        states = found.get("model_version_status", []) if code == 200 else []
        return next((int(s["version"]) for s in states if s["state"] == "AVAILABLE"), 0)

    def predict(self, request: Any, *, timeout: float = 30, metadata: Any = ()) -> Any:
        method = "/tensorflow.serving.PredictionService/Predict"
        kinds = (type(request).SerializeToString, predict_pb2.PredictResponse.FromString)
        return self.channel.unary_unary(method, *kinds)(request, timeout=timeout, metadata=metadata)

    def get_metadata(self, request: Any) -> Any:
        method = "/tensorflow.serving.PredictionService/GetModelMetadata"
        kinds = (type(request).SerializeToString, metadata_pb2.GetModelMetadataResponse.FromString)
        return self.channel.unary_unary(method, *kinds)(request, timeout=30)

    def get_status(self, request: Any) -> Any:
        method = "/tensorflow.serving.ModelService/GetModelStatus"
        kinds = (type(request).SerializeToString, status_pb2.GetModelStatusResponse.FromString)
        return self.channel.unary_unary(method, *kinds)(request, timeout=30)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def wait_for(done: Callable[[], Any], *, at_most_s: float = 60) -> Any:
    deadline = time.monotonic() + at_most_s
    while not (found := done()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


@contextmanager
def serving(root: Path, *options: str, pretended: bool = True) -> Iterator[Server]:
    """A server of the workspace `root`, on ports of its own, which is ended whatever happens."""
    program = (PRETENDED if pretended else "") + COMMAND
    arguments = ["serve", "--workspace", str(root), "--port=0", "--grpc-port=0"]
    arguments += ["--set", "signing.unsigned=true", *options]
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=(root / "journal.jsonl").open("ab"),
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().split() for _ in range(2)]
            yield Server(process, lines[0][1], lines[1][1])
        finally:
            process.kill()


def journal(root: Path) -> list[dict[str, Any]]:
    lines = (root / "journal.jsonl").read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line[:1] == "{"]  # the rest is of C++
