"""A program: loads a SavedModel as TensorFlow Serving does, and answers what standard input asks.

TensorFlow Serving, Java, Go and C++ load through TensorFlow's C++ loader, which restores variables
by their names; Python's goes by the graph of Python objects, and runs models that no other can. So
this calls the C++ loader through TensorFlow's C API, and imports neither TensorFlow's Python nor
Keras nor this project.

    python -I serving_session.py SAVEDMODEL

Every message is a line of JSON, then the bytes that it announces. First out is {"fault", "loader"};
a model with a fault gets no further. A request is {"signature", "alone", "spared", "sizes"} and one
input after the other; the answers come in the order of the requests, each {"fault", "milliseconds",
"count"}, then probabilities (float32) and labels (int64); of `explain` also "map", the height and
width of the maps (float32) that follow. `alone`: nothing else runs beside it. `spared`: an input
that cannot be answered spoils no other; its probability is NaN, its label -1. A model without
`explain`, as they were once released, answers it with count 0.
"""

import ctypes
import importlib.util
import json
import math
import os
import struct
import sys
import threading
import time
import traceback
import types
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any, BinaryIO

WORKERS = min(8, os.cpu_count() or 1)
TAG = "serve"
INPUTS = {"serving_default": "image", "serve_examples": "examples"}
EXPLAIN, HEATMAP = "explain", "heatmap"  # takes what serving_default takes, and gives a map too
FLOAT, STRING, INT64 = 1, 7, 9  # as TensorFlow numbers its types
OUTPUTS = {"probability": FLOAT, "label": INT64}
WORDS = {FLOAT: "float32", STRING: "string", INT64: "int64"}
NO_LABEL = -1
STRING_BYTES = 24  # of a TF_TString
VARIABLES = {"VarHandleOp", "VariableV2"}


class Fault(Exception):
    """Why the model cannot be served, in one line."""


def tensorflow_folder() -> Path:
    """Where TensorFlow is installed, found without importing it."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise Fault("TensorFlow is not installed here")
    return Path(spec.submodule_search_locations[0])


def read_meta_graph(folder: Path, tensorflow: Path) -> Any:
    """The MetaGraphDef that is served.

    Raises:
      Fault: there is none.
    """
    # Of TensorFlow's Python only the messages: the package's own `__init__` loads all the rest.
    package = types.ModuleType("tensorflow")
    package.__path__ = [str(tensorflow)]
    sys.modules["tensorflow"] = package
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    try:
        saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise Fault(f"saved_model.pb cannot be read: {error}") from None
    graphs = [graph for graph in saved.meta_graphs if TAG in graph.meta_info_def.tags]
    if len(graphs) != 1:
        raise Fault(f"{len(graphs)} graphs have the tag '{TAG}', wanted one")
    return graphs[0]


def inputs_of(meta: Any) -> dict[str, str]:
    """The signatures that are asked, each with the name of its input."""
    return {**INPUTS, **({EXPLAIN: "image"} if EXPLAIN in meta.signature_def else {})}


def outputs_of(signature: str) -> dict[str, int]:
    """What a signature gives, each with its type."""
    return {**OUTPUTS, **({HEATMAP: FLOAT} if signature == EXPLAIN else {})}


def refuse_unservable(meta: Any, folder: Path) -> None:
    """Raises Fault for what can be seen without running: signatures, types, unfilled variables."""
    for name, key in inputs_of(meta).items():
        if name not in meta.signature_def:
            raise Fault(f"no signature {name}")
        signature = meta.signature_def[name]
        if set(signature.inputs) != {key}:
            raise Fault(f"{name} takes {_named(signature.inputs)}, wanted '{key}' alone")
        _refuse_other(f"{name} input {key}", signature.inputs[key], STRING)
        for output, kind in outputs_of(name).items():
            if output not in signature.outputs:
                raise Fault(f"{name} gives {_named(signature.outputs)}, wanted '{output}' too")
            found = signature.outputs[output]
            _refuse_other(f"{name} output {output}", found, kind, is_map=output == HEATMAP)
    nodes = {node.name: node for node in meta.graph_def.node}
    filled = _variables(nodes, [meta.saver_def.restore_op_name])
    for name in inputs_of(meta):
        read = _variables(nodes, [o.name for o in meta.signature_def[name].outputs.values()])
        if unfilled := sorted(read - filled):
            raise Fault(
                f"{name} reads variables that the restore operation does not fill: "
                f"{', '.join(unfilled[:3])}"
                + (f" and {len(unfilled) - 3} more" if len(unfilled) > 3 else "")
            )
    if filled and not (folder / "variables" / "variables.index").is_file():
        raise Fault("variables/variables.index is missing")  # the loader would go on without


def _refuse_other(what: str, tensor: Any, kind: int, *, is_map: bool = False) -> None:
    if tensor.dtype != kind:
        raise Fault(f"{what} has type {tensor.dtype}, wanted {kind} ({WORDS[kind]})")
    sizes = _shape(tensor)
    first, *map_size = sizes or [0]
    # An input of another rank ends TensorFlow's process.
    if first != -1 or len(map_size) != 2 * is_map or min(map_size, default=1) < 1:
        one = "[-1, height, width]: one map a case" if is_map else "[-1]: one value a case"
        raise Fault(f"{what} has shape {'unknown' if sizes is None else sizes}, wanted {one}")


def _shape(tensor: Any) -> list[int] | None:
    shape = tensor.tensor_shape
    return None if shape.unknown_rank else [dim.size for dim in shape.dim]


def _named(keys: Sequence[str]) -> str:
    return ", ".join(f"'{key}'" for key in sorted(keys)) or "nothing"


def _variables(nodes: dict[str, Any], outputs: list[str]) -> set[str]:
    """Names of the variables that these tensors or operations depend on."""
    waiting, seen = list(outputs), set()
    while waiting:
        name = waiting.pop().removeprefix("^").split(":")[0]
        if name in nodes and name not in seen:
            seen.add(name)
            waiting += nodes[name].input
    return {name for name in seen if nodes[name].op in VARIABLES}


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class ServingSession:
    """A SavedModel in TensorFlow's C++ runtime."""

    def __init__(self, folder: Path, meta: Any, tensorflow: Path) -> None:
        self._c = _declared(ctypes.CDLL(str(tensorflow / "libtensorflow_cc.so.2")))
        self.loader = f"TF_LoadSessionFromSavedModel, TensorFlow {self._c.TF_Version().decode()}"
        graph, options = self._c.TF_NewGraph(), self._c.TF_NewSessionOptions()
        status, tags = self._c.TF_NewStatus(), (ctypes.c_char_p * 1)(TAG.encode())
        self._session = self._c.TF_LoadSessionFromSavedModel(
            options, None, os.fsencode(folder), tags, 1, graph, None, status
        )
        self._refuse_failed(status)
        self._ends, self.map = {}, [0, 0]
        for name, key in inputs_of(meta).items():
            given = meta.signature_def[name].outputs
            tensors = [meta.signature_def[name].inputs[key], *(given[o] for o in outputs_of(name))]
            self._ends[name] = [self._output(graph, tensor.name) for tensor in tensors]
            if name == EXPLAIN:
                self.map = (_shape(given[HEATMAP]) or [])[1:]

    def _output(self, graph: int, tensor: str) -> _Output:
        operation, _, index = tensor.rpartition(":")
        found = self._c.TF_GraphOperationByName(graph, operation.encode())
        if not found:
            raise Fault(f"no operation {operation} in the graph")
        return _Output(found, int(index))

    def run(self, signature: str, inputs: Sequence[bytes]) -> list[bytes]:
        """Probabilities, labels and, of EXPLAIN, maps as they lie in memory, of one input each.

        Nothing, where the model has no such signature.

        Raises:
          Fault: TensorFlow's error, or an answer of another type or shape.
        """
        if signature not in self._ends:
            return []
        asked, *wanted = self._ends[signature]
        given = self._strings(inputs)
        answers, status = (ctypes.c_void_p * len(wanted))(), self._c.TF_NewStatus()
        try:
            self._c.TF_SessionRun(
                self._session, None,
                ctypes.byref(asked), ctypes.byref(ctypes.c_void_p(given)), 1,
                (_Output * len(wanted))(*wanted), answers, len(wanted),
                None, 0, None, status,
            )  # fmt: skip
        finally:
            self._c.TF_DeleteTensor(given)
        self._refuse_failed(status)
        taken = zip(outputs_of(signature).items(), answers, strict=True)
        shapes = {HEATMAP: [len(inputs), *self.map]}
        return [
            self._taken(f"{signature} {name}", tensor, kind, shapes.get(name, [len(inputs)]))
            for (name, kind), tensor in taken
        ]

    def _strings(self, inputs: Sequence[bytes]) -> int:
        dims = (ctypes.c_int64 * 1)(len(inputs))
        tensor = self._c.TF_AllocateTensor(STRING, dims, 1, STRING_BYTES * len(inputs))
        place = self._c.TF_TensorData(tensor)
        for content in inputs:
            self._c.TF_StringInit(place)
            self._c.TF_StringCopy(place, content, len(content))
            place += STRING_BYTES
        return int(tensor)

    def _taken(self, what: str, tensor: int, kind: int, wanted: list[int]) -> bytes:
        """The content of a tensor, which is given back."""
        try:
            got = self._c.TF_TensorType(tensor)
            shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
            if got != kind or shape != wanted:
                raise Fault(
                    f"{what} came as type {got}, shape {shape}; wanted type {kind}, shape {wanted}"
                )
            size = self._c.TF_TensorByteSize(tensor)
            return ctypes.string_at(self._c.TF_TensorData(tensor), size)
        finally:
            self._c.TF_DeleteTensor(tensor)

    def _refuse_failed(self, status: int) -> None:
        code, message = self._c.TF_GetCode(status), self._c.TF_Message(status)
        self._c.TF_DeleteStatus(status)
        if code:
            raise Fault(" ".join(message.decode("utf-8", "replace").split())[:300])


def _declared(c: Any) -> Any:
    """The functions that are used, as tensorflow/c/c_api.h declares them."""
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    size, integer = ctypes.c_size_t, ctypes.c_int
    for name, result, arguments in (
        ("TF_Version", text, ()),
        ("TF_NewStatus", pointer, ()),
        ("TF_GetCode", integer, (pointer,)),
        ("TF_Message", text, (pointer,)),
        ("TF_DeleteStatus", None, (pointer,)),
        ("TF_NewGraph", pointer, ()),
        ("TF_NewSessionOptions", pointer, ()),
        ("TF_LoadSessionFromSavedModel", pointer,
         (pointer, pointer, text, pointer, integer, pointer, pointer, pointer)),
        ("TF_GraphOperationByName", pointer, (pointer, text)),
        ("TF_AllocateTensor", pointer, (integer, pointer, integer, size)),
        ("TF_DeleteTensor", None, (pointer,)),
        ("TF_TensorData", pointer, (pointer,)),
        ("TF_TensorByteSize", size, (pointer,)),
        ("TF_TensorType", integer, (pointer,)),
        ("TF_NumDims", integer, (pointer,)),
        ("TF_Dim", ctypes.c_int64, (pointer, integer)),
        ("TF_StringInit", None, (pointer,)),
        ("TF_StringCopy", None, (pointer, text, size)),
        ("TF_SessionRun", None,
         (pointer, pointer, pointer, pointer, integer, pointer, pointer, integer,
          pointer, integer, pointer, pointer)),
    ):  # fmt: skip
        function = getattr(c, name)
        function.restype, function.argtypes = result, arguments
    return c


def answer(
    session: ServingSession, signature: str, inputs: Sequence[bytes], *, spared: bool = False
) -> bytes:
    """The message that answers one request."""
    start = time.perf_counter()
    try:
        asked = run_spared(session, signature, inputs) if spared else session.run(signature, inputs)
        parts, fault = asked, None
    except Fault as error:
        parts, fault = [], str(error)
    milliseconds = 1000 * (time.perf_counter() - start)
    count = len(inputs) if parts else 0
    head: dict[str, Any] = {"fault": fault, "milliseconds": milliseconds, "count": count}
    if signature == EXPLAIN:
        head["map"] = session.map
    return b"".join([json.dumps(head).encode(), b"\n", *parts])


def run_spared(session: ServingSession, signature: str, inputs: Sequence[bytes]) -> list[bytes]:
    """As `ServingSession.run`, with an answer of its own for each input that has none."""
    try:
        return session.run(signature, inputs)
    except Fault:
        if len(inputs) == 1:
            blank = [bytes(4 * math.prod(session.map))] if signature == EXPLAIN else []
            return [struct.pack("<f", math.nan), struct.pack("<q", NO_LABEL), *blank]
    middle = len(inputs) // 2
    halves = (run_spared(session, signature, part) for part in (inputs[:middle], inputs[middle:]))
    return [b"".join(parts) for parts in zip(*halves, strict=True)]


def serve(session: ServingSession, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers until the requests end; several at once, but in their order, each when it is ready.

    Who asks may wait for an answer before asking again, so none is kept back until others come.
    """
    waiting: Queue[Future[bytes] | None] = Queue(2 * WORKERS)

    def hand_over() -> None:
        while (asked := waiting.get()) is not None:
            answers.write(asked.result())
            answers.flush()
            waiting.task_done()

    with ThreadPoolExecutor(WORKERS) as pool:
        writer = _Ending(target=hand_over)
        writer.start()
        for line in requests:
            request = json.loads(line)
            inputs = [requests.read(size) for size in request["sizes"]]
            if request["alone"]:
                waiting.join()
            waiting.put(
                pool.submit(answer, session, request["signature"], inputs, spared=request["spared"])
            )
            if request["alone"]:
                waiting.join()
        waiting.put(None)
        writer.join()


class _Ending(threading.Thread):
    """A thread that nobody waits for in vain: where it fails, the whole process does."""

    def run(self) -> None:
        try:
            super().run()
        except BaseException:
            traceback.print_exc()
            os._exit(1)


def main(folder: Path) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what TensorFlow prints stays out of the answers
    try:
        tensorflow = tensorflow_folder()
        meta = read_meta_graph(folder, tensorflow)
        refuse_unservable(meta, folder)
        session = ServingSession(folder, meta, tensorflow)
        head = {"fault": None, "loader": session.loader}
    except Fault as error:
        head = {"fault": str(error), "loader": None}
    answers.write(json.dumps(head).encode() + b"\n")
    answers.flush()
    if head["fault"] is None:
        serve(session, sys.stdin.buffer, answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
