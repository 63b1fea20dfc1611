"""A graph model of TensorFlow.js, asked in Node or in Chromium, by what `make tfjs` makes.

The program is `javascript/ask.js`; in the browser it uses neither a server nor a port.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.exports.conversing import converse
from components.exports.running import BROWSERS, Asked, MissingRuntime
from components.records.export import NODE_WASM, TFJS_MODEL, load_export_record


def built(part: str) -> Path:
    """Where `make tfjs` puts a part: `build/tfjs` of the checkout.

    Raises:
      MissingRuntime: it is not there.
    """
    path = Path(__file__).parents[2] / "build" / "tfjs" / part
    if not path.exists():
        raise MissingRuntime(f"{path}: not there; `make tfjs` in the checkout makes it")
    return path


def ask_tfjs(folder: Path, runtime: str, pictures: Iterable[bytes]) -> Asked:
    """See `components.exports.running.ask`."""
    record = load_export_record(folder)
    return ask_graph_model(folder, runtime, pictures, size=record.image_size)


def ask_graph_model(
    folder: Path, runtime: str, pictures: Iterable[bytes], *, size: int | None = None
) -> Asked:
    """As `ask_tfjs`, of a folder without a record.

    Args:
      size: the side of its input, in pixels; None for any.
    """
    command = [_program("node", runtime), str(built("ask.cjs")), runtime, str(folder.resolve())]
    if runtime != NODE_WASM:
        built("ask_page.js")
        command.append(_program("Chromium", runtime, *BROWSERS))
    # Chromium's profile goes with it.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        return converse(
            command,
            pictures,
            _request,
            model=folder / TFJS_MODEL,
            runtime=runtime,
            wanted={"size": size},
            environment={**os.environ, "TMPDIR": scratch},
        )


def _request(some: Sequence[bytes], _: Mapping[str, Any]) -> bytes:
    sizes = json.dumps({"sizes": [len(picture) for picture in some]}).encode()
    return b"".join([sizes, b"\n", *some])


def _program(name: str, runtime: str, *commands: str) -> str:
    for command in commands or (name,):
        if path := shutil.which(command):
            return path
    raise MissingRuntime(f"{runtime}: no {name} on this machine; install it")
