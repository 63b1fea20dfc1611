"""A program: loads a SavedModel as TensorFlow Serving does, and answers what standard input asks.

TensorFlow Serving, Java, Go and C++ load through TensorFlow's C++ loader, which restores variables
by their names; Python's goes by the graph of Python objects, and runs models that no other can. So
this calls the C++ loader through TensorFlow's C API, and imports neither TensorFlow's Python nor
Keras, and of this project what the contract says.

    python -I serving_session.py SAVEDMODEL [--strict]

Every message is a line of JSON, then the bytes that it announces. First out is {"fault", "loader"};
a model with a fault gets no further. With `--strict` its warm-up is replayed first, if it has one,
and an answer out of its range is a fault; then that line also has "replayed", the number of warm-up
requests, and "signatures", what the model takes and gives, in the form of the contract.

A request is {"signature", "alone", "spared", "sizes"} and one input after the other; the answers
come in the order of the requests, each {"fault", "milliseconds", "count"}, then probabilities
(float32) and labels (int64); of `explain` also "map", the height and width of the maps (float32)
that follow. `alone`: nothing else runs beside it. `spared`: an input that cannot be answered spoils
no other; its probability is NaN, its label -1. A model without `explain`, as they were once
released, answers it with count 0.
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
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import Queue
from typing import Any, BinaryIO

if __name__ == "__main__":  # `-I` leaves this project out
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from components.scoring.serving_terms import (
    EXPLAIN,
    HEATMAP,
    STRING,
    WARM_UP,
    Fault,
    describe,
    kept_terms,
    named,
    refuse_unservable,
    shape_of,
)

WORKERS = min(8, os.cpu_count() or 1)
TAG = "serve"
NO_LABEL = -1
STRING_BYTES = 24  # of a TF_TString


def tensorflow_folder() -> Path:
    """Where TensorFlow is installed, found without importing it."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise Fault("TensorFlow is not installed here")
    return Path(spec.submodule_search_locations[0])


def import_messages_alone(tensorflow: Path) -> None:
    """Makes this process import TensorFlow's messages, and not the rest of its Python."""
    package = types.ModuleType("tensorflow")  # the package's own `__init__` loads all the rest
    package.__path__ = [str(tensorflow)]
    sys.modules["tensorflow"] = package


def read_meta_graph(folder: Path) -> Any:
    """The MetaGraphDef that is served.

    Raises:
      Fault: there is none.
    """
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


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class ServingSession:
    """A SavedModel in TensorFlow's C++ runtime."""

    def __init__(self, folder: Path, meta: Any, tensorflow: Path, *, strict: bool = False) -> None:
        self._c = _declared(ctypes.CDLL(str(tensorflow / "libtensorflow_cc.so.2")))
        self.loader = f"TF_LoadSessionFromSavedModel, TensorFlow {self._c.TF_Version().decode()}"
        graph, options = self._c.TF_NewGraph(), self._c.TF_NewSessionOptions()
        status, tags = self._c.TF_NewStatus(), (ctypes.c_char_p * 1)(TAG.encode())
        self._session = self._c.TF_LoadSessionFromSavedModel(
            options, None, os.fsencode(folder), tags, 1, graph, None, status
        )
        self._refuse_failed(status)
        self.terms, self.strict = kept_terms(meta), strict
        self._ends, self.map = {}, [0, 0]
        for name, terms in self.terms.items():
            given = meta.signature_def[name].outputs
            inputs = meta.signature_def[name].inputs
            tensors = [inputs[terms.key], *(given[output] for output in terms.gives)]
            self._ends[name] = [self._output(graph, tensor.name) for tensor in tensors]
            if name == EXPLAIN:
                self.map = (shape_of(given[HEATMAP]) or [])[1:]

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
          Fault: TensorFlow's error, or an answer of another type or shape; of a strict session also
            one out of its range.
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
        gives = self.terms[signature].gives
        shapes = {HEATMAP: [len(inputs), *self.map]}
        parts = [
            self._taken(f"{signature} {name}", tensor, it.kind, shapes.get(name, [len(inputs)]))
            for (name, it), tensor in zip(gives.items(), answers, strict=True)
        ]
        for (name, it), content in zip(gives.items(), parts) if self.strict else ():
            it.refuse(f"{signature} {name}", content)
        return parts

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


def replay_warm_up(session: ServingSession, file: Path) -> int:
    """Asks what TensorFlow Serving will ask before it serves the model; the number of requests.

    Raises:
      Fault: the file is broken, leaves out a signature or asks for another, or an answer fails.
    """
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    asked: list[str] = []
    for content in read_records(file):
        try:
            request = PredictionLog.FromString(content).predict_log.request
        except DecodeError as error:
            raise Fault(f"{WARM_UP}: record {len(asked)} is no PredictionLog: {error}") from None
        name = request.model_spec.signature_name
        key = session.terms[name].key if name in session.terms else "nothing"
        inputs = request.inputs[key]
        images = list(inputs.string_val)
        fits = images and [dim.size for dim in inputs.tensor_shape.dim] == [len(images)]
        if set(request.inputs) != {key} or inputs.dtype != STRING or not fits:
            raise Fault(f"{WARM_UP}: record {len(asked)} asks '{name}' for no image by '{key}'")
        try:
            session.run(name, images)
        except Fault as error:
            raise Fault(f"{WARM_UP}: record {len(asked)}: {error}") from None
        asked.append(name)
    if left_out := sorted(set(session.terms) - set(asked)):
        raise Fault(f"{WARM_UP}: no request for {named(left_out)}")
    return len(asked)


def read_records(file: Path) -> Iterator[bytes]:
    """The records of a TFRecord file.

    Raises:
      Fault: it cannot be read, is cut short, or a checksum does not fit.
    """
    try:
        content, start = file.read_bytes(), 0
    except OSError as error:
        raise Fault(f"{WARM_UP} cannot be read: {error}") from None
    while start < len(content):
        head = content[start : start + 12]
        size = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
        end = start + 12 + size
        record, tail = content[start + 12 : end], content[end : end + 4]
        if len(tail) < 4:
            raise Fault(f"{WARM_UP}: cut short in the record at byte {start}")
        if head[8:] + tail != struct.pack("<II", _masked(head[:8]), _masked(record)):
            raise Fault(f"{WARM_UP}: the record at byte {start} is not as it was written")
        yield record
        start = end + 4


def _masked(content: bytes) -> int:
    """TFRecord's checksum: the CRC-32C, turned by 15 bits, and a constant added."""
    value = 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ _remainder(value & 0xFF ^ byte)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _remainder(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ 0x82F63B78 * (value & 1)
    return value


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


def main(folder: Path, *, strict: bool = False) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what TensorFlow prints stays out of the answers
    head: dict[str, Any] = {"fault": None, "loader": None}
    try:
        tensorflow = tensorflow_folder()
        import_messages_alone(tensorflow)
        meta = read_meta_graph(folder)
        refuse_unservable(meta, folder)
        session = ServingSession(folder, meta, tensorflow, strict=strict)
        if strict:
            warm_up = folder / WARM_UP
            head["replayed"] = replay_warm_up(session, warm_up) if warm_up.exists() else 0
            head["signatures"] = describe(meta)
        head["loader"] = session.loader
    except Fault as error:
        head["fault"] = str(error)
    answers.write(json.dumps(head).encode() + b"\n")
    answers.flush()
    if head["fault"] is None:
        serve(session, sys.stdin.buffer, answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), strict="--strict" in sys.argv[2:])
