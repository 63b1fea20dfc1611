"""The program that serves a model, called in this process: what it refuses and how it answers."""

import importlib.util
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from importlib.machinery import ModuleSpec
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from components.scoring import serving_session
from components.scoring.serving_session import (
    Fault,
    ServingSession,
    answer,
    serve,
    tensorflow_folder,
)
from tests.components.scoring.making import Column, Sized, save

pytestmark = pytest.mark.tensorflow

IMAGES = [b"." * 100, b"." * 250]
Meta = Any


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(Sized(), tmp_path_factory.mktemp("model") / "1")


@pytest.fixture(scope="module")
def meta(model: Path) -> Meta:
    return read(model)


def read(folder: Path) -> Meta:
    return serving_session.read_meta_graph(folder)


IMAGE = "serving_default"


def fault_of(call: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(Fault) as caught:
        call(*arguments)
    return str(caught.value)


def test_tensorflow_is_found_where_it_is_installed() -> None:
    assert tensorflow_folder() == Path(str(tf.__file__)).parent


def test_the_program_takes_tensorflows_own_package_out_of_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", tf)
    serving_session.import_messages_alone(Path("somewhere"))
    bare = sys.modules["tensorflow"]
    assert (bare.__name__, bare.__path__) == ("tensorflow", ["somewhere"])
    assert not hasattr(bare, "constant")


@pytest.mark.parametrize("spec", [None, ModuleSpec("tensorflow", None)])
def test_a_machine_without_tensorflow(spec: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", {"tensorflow": spec}.get)
    assert "not installed" in fault_of(tensorflow_folder)


@pytest.mark.parametrize(("graphs", "tag"), [(2, "serve"), (0, "serve"), (1, "train")])
def test_one_graph_is_served(graphs: int, tag: str, model: Path, tmp_path: Path) -> None:
    saved = SavedModel.FromString((model / "saved_model.pb").read_bytes())
    one = saved.meta_graphs.pop()
    one.meta_info_def.tags[:] = [tag]
    saved.meta_graphs.extend([one] * graphs)
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    served = graphs if tag == "serve" else 0
    assert fault_of(read, tmp_path).startswith(f"{served} graphs have the tag 'serve'")


@pytest.mark.parametrize("number", [1, 2, 7, 64])
def test_an_input_that_is_spared_spoils_no_other(number: int) -> None:
    class Picky:
        calls = 0

        def run(self, signature: str, inputs: Sequence[bytes]) -> list[bytes]:
            self.calls += 1
            if b"bad" in inputs:
                raise Fault("cannot be decoded")
            return [np.float32([len(i) for i in inputs]).tobytes(), bytes(8 * len(inputs))]

    for place in (0, number // 2, number - 1):
        session, inputs = Picky(), [b"." * i for i in range(number)]
        inputs[place] = b"bad"
        head, rest = answer(session, "s", inputs, spared=True).split(b"\n", 1)  # type: ignore[arg-type]
        assert json.loads(head)["fault"] is None and json.loads(head)["count"] == number
        probability = np.frombuffer(rest[: 4 * number], "<f4")
        label = np.frombuffer(rest[4 * number :], "<i8")
        wanted = np.arange(number, dtype=np.float32)
        wanted[place] = np.nan
        np.testing.assert_array_equal(probability, wanted)
        assert label[place] == serving_session.NO_LABEL and (np.delete(label, place) == 0).all()
        assert session.calls <= 2 * number.bit_length() + 1


@pytest.fixture(scope="module")
def session(model: Path, meta: Meta) -> ServingSession:
    return ServingSession(model, meta, tensorflow_folder())


def test_a_session_answers_in_the_order_of_the_inputs(session: ServingSession) -> None:
    assert session.loader == f"TF_LoadSessionFromSavedModel, TensorFlow {tf.__version__}"
    probability, label = session.run("serving_default", IMAGES)
    np.testing.assert_allclose(np.frombuffer(probability, "<f4"), [0.1, 0.25], rtol=1e-6)
    assert np.frombuffer(label, "<i8").tolist() == [0, 1]


def test_tensorflows_error_is_cut_to_one_line(meta: Meta, tmp_path: Path) -> None:
    folder = tmp_path.joinpath(os.fsdecode(b"a\xff"), "x" * 200, "y" * 200)
    fault = fault_of(ServingSession, folder, meta, tensorflow_folder())
    assert len(fault) == 300 and "a\ufffd/xxx" in fault


def test_a_tensor_that_is_not_in_the_graph(model: Path, meta: Meta) -> None:
    other = deepcopy(meta)
    other.signature_def[IMAGE].outputs["label"].name = "nowhere:0"
    fault = fault_of(ServingSession, model, other, tensorflow_folder())
    assert "no operation nowhere " in fault


def test_an_answer_of_another_type_or_shape(model: Path, meta: Meta, tmp_path: Path) -> None:
    swapped = deepcopy(meta)
    outputs = swapped.signature_def[IMAGE].outputs
    outputs["probability"].name = outputs["label"].name
    session = ServingSession(model, swapped, tensorflow_folder())
    assert fault_of(session.run, IMAGE, IMAGES) == (
        "serving_default probability came as type 9, shape [2]; wanted type 1, shape [2]"
    )
    folder = save(Column(), tmp_path / "column")
    session = ServingSession(folder, read(folder), tensorflow_folder())
    assert "type 1, shape [2, 1]; wanted type 1, shape [2]" in fault_of(session.run, IMAGE, IMAGES)


class Planted:
    """A session that answers with its inputs, and notes when it began and ended."""

    def __init__(self, meanwhile: Callable[[bytes], object] = len) -> None:
        self.noted: list[str] = []
        self.meanwhile = meanwhile

    def run(self, signature: str, inputs: Sequence[bytes]) -> list[bytes]:
        if signature == "broken":
            raise Fault("no such luck")
        self.noted.append(f"{inputs[0].decode()} begins")
        self.meanwhile(inputs[0])
        self.noted.append(f"{inputs[0].decode()} ends")
        return list(inputs)


def test_an_answer_says_how_long_it_took_and_how_many_follow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(perf_counter=iter([1.0, 1.25, 2.0, 2.5]).__next__)
    monkeypatch.setattr(serving_session, "time", clock)
    head, rest = answer(Planted(), "s", [b"one", b"two"]).split(b"\n")
    assert json.loads(head) == {"fault": None, "milliseconds": 250.0, "count": 2}
    assert rest == b"onetwo"
    head, rest = answer(Planted(), "broken", [b"one"]).split(b"\n")
    assert json.loads(head) == {"fault": "no such luck", "milliseconds": 500.0, "count": 0}
    assert rest == b""


def asked(*inputs: bytes, alone: bool = False) -> bytes:
    head = {
        "signature": "s",
        "alone": alone,
        "spared": False,
        "sizes": [len(one) for one in inputs],
    }
    return json.dumps(head).encode() + b"\n" + b"".join(inputs)


def test_what_is_asked_alone_runs_alone_and_answers_come_in_order() -> None:
    both = Barrier(2, timeout=30)

    def meanwhile(name: bytes) -> None:
        if name in b"ab":
            both.wait()  # neither goes on without the other
        time.sleep({b"b": 0.2, b"c": 0.1}.get(name, 0))

    session, answers = Planted(meanwhile), io.BytesIO()
    requests = (
        asked(b"a") + asked(b"b") + asked(b"c", b"\n", alone=True) + asked(b"d") + asked(b"e")
    )
    serve(session, io.BytesIO(requests), answers)
    assert re.sub(rb"{.*?}", b"", answers.getvalue()) == b"\na\nb\nc\n\nd\ne"
    assert session.noted[4:6] == ["c begins", "c ends"]


class Counted(io.BytesIO):
    lines = 0

    def __next__(self) -> bytes:
        self.lines += 1
        return super().__next__()


def test_two_requests_for_each_worker_are_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_session, "WORKERS", 2)
    requests, seen = Counted(asked(b"a") * 20), list[int]()

    def meanwhile(name: bytes) -> None:
        deadline = time.monotonic() + 5
        while requests.lines < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        seen.append(requests.lines)

    serve(Planted(meanwhile), requests, io.BytesIO())
    assert seen[0] == 6  # five were handed over, of which more than four may not wait


def test_the_program_answers_what_standard_input_asks(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = {"signature": IMAGE, "alone": True, "spared": False, "sizes": [100, 250]}
    asked = json.dumps(request).encode() + b"\n" + b"".join(IMAGES)
    said = run_main(model, asked, tmp_path / "answers", monkeypatch)
    head, answered, content = said.split(b"\n", 2)
    loader = f"TF_LoadSessionFromSavedModel, TensorFlow {tf.__version__}"
    assert json.loads(head) == {"fault": None, "loader": loader}
    assert json.loads(answered)["count"] == 2
    assert content[8:] == np.array([0, 1], "<i8").tobytes()


def test_a_fault_is_the_programs_only_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run_main(tmp_path, b"not read", tmp_path / "answers", monkeypatch)
    head = json.loads(said)
    assert head.keys() == {"fault", "loader"} and head["loader"] is None
    assert head["fault"].startswith("saved_model.pb cannot be read: ")


def run_main(folder: Path, asked: bytes, to: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What the program writes where its standard output was, which from then on is for errors."""
    moved: list[tuple[int, int]] = []
    outputs = {1: os.open(to, os.O_WRONLY | os.O_CREAT)}
    monkeypatch.setitem(sys.modules, "tensorflow", tf)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(asked)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", outputs.__getitem__)
        patch.setattr(os, "dup2", lambda *descriptors: moved.append(descriptors))
        serving_session.main(folder)
    assert moved == [(2, 1)]
    return to.read_bytes()
