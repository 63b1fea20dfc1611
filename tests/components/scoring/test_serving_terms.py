"""The contract as it stands in schemas/, and what of a model can be held to it without running."""

import struct
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from components.scoring.serving_session import read_meta_graph
from components.scoring.serving_terms import (
    Fault,
    TensorTerms,
    describe,
    read_contract,
    refuse_unservable,
)
from tests.components.scoring.making import Explained, Sized, save

pytestmark = pytest.mark.tensorflow

Meta = Any


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(Sized(), tmp_path_factory.mktemp("model") / "1")


@pytest.fixture(scope="module")
def meta(model: Path) -> Meta:
    return read_meta_graph(model)


def fault_of(call: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(Fault) as caught:
        call(*arguments)
    return str(caught.value)


def test_the_contract_is_what_clients_rely_on() -> None:
    floats, strings = TensorTerms(1, 1, (0, 1)), TensorTerms(7, 1, None)
    said = {"probability": floats, "label": TensorTerms(9, 1, (0, 1))}
    found = {
        name: (one.key, one.takes, one.gives, one.required) for name, one in read_contract().items()
    }
    assert found == {
        "serving_default": ("image", strings, said, True),
        "serve_examples": ("examples", strings, said, True),
        "explain": ("image", strings, {**said, "heatmap": TensorTerms(1, 3, (0, 1))}, False),
    }
    # The bytes of an answer come in this order.
    assert list(read_contract()["explain"].gives) == ["probability", "label", "heatmap"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e-7, 1.0000001])
def test_a_value_out_of_its_range(value: float) -> None:
    terms = read_contract()["serving_default"].gives["probability"]
    terms.refuse("it", struct.pack("<3f", 0.0, 0.5, 1.0))
    assert fault_of(terms.refuse, "it", struct.pack("<2f", 0.5, value)).startswith("it is ")


@pytest.mark.parametrize("value", [-1, 2])
def test_a_label_of_no_class(value: int) -> None:
    terms = read_contract()["serving_default"].gives["label"]
    terms.refuse("it", struct.pack("<2q", 0, 1))
    assert str(value) in fault_of(terms.refuse, "it", struct.pack("<2q", 0, value))


def test_a_model_is_described_in_the_form_of_the_contract(meta: Meta, tmp_path: Path) -> None:
    image, examples = {"dtype": "string", "shape": [-1]}, {"dtype": "string", "shape": [-1]}
    outputs = {
        "probability": {"dtype": "float32", "shape": [-1]},
        "label": {"dtype": "int64", "shape": [-1]},
    }
    known = {
        "serving_default": {"inputs": {"image": image}, "outputs": outputs},
        "serve_examples": {"inputs": {"examples": examples}, "outputs": outputs},
    }
    assert describe(meta) == known
    explained = describe(read_meta_graph(save(Explained(), tmp_path / "model")))
    heat = {"dtype": "float32", "shape": [-1, 3, 2]}
    assert explained["explain"]["outputs"] == {**outputs, "heatmap": heat}


def test_what_can_be_served_is_not_refused(model: Path, meta: Meta) -> None:
    refuse_unservable(meta, model)


IMAGE, EXAMPLES = "serving_default", "serve_examples"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda s: s.pop(IMAGE), "no signature serving_default"),
        (lambda s: s[IMAGE].inputs["b"], "serving_default takes 'b', 'image', wanted 'image' "),
        (lambda s: s[EXAMPLES].inputs.clear(), "serve_examples takes nothing, wanted 'examples' "),
        (lambda s: s[IMAGE].outputs.pop("label"), "gives 'probability', wanted 'label' too"),
        (
            lambda s: setattr(s[IMAGE].inputs["image"], "dtype", 1),
            "serving_default input image has type 1, wanted 7 (string)",
        ),
        (
            lambda s: setattr(s[EXAMPLES].outputs["label"], "dtype", 3),
            "serve_examples output label has type 3, wanted 9 (int64)",
        ),
        (
            lambda s: s[IMAGE].inputs["image"].tensor_shape.dim.add(size=1),
            "serving_default input image has shape [-1, 1], wanted [-1]",
        ),
        (
            lambda s: setattr(s[IMAGE].inputs["image"].tensor_shape, "unknown_rank", True),
            "serving_default input image has shape unknown, wanted [-1]",
        ),
        (
            lambda s: setattr(s[IMAGE].outputs["label"].tensor_shape.dim[0], "size", 2),
            "serving_default output label has shape [2], wanted [-1]",
        ),
    ],
)
def test_a_signature_of_another_form(
    change: Callable[[Any], object], fault: str, model: Path, meta: Meta
) -> None:
    other = deepcopy(meta)
    change(other.signature_def)
    assert fault in fault_of(refuse_unservable, other, model)


@pytest.mark.parametrize(
    ("count", "named"),
    [(1, "v0"), (3, "v0, v1, v2"), (4, "v0, v1, v2 and 1 more"), (5, "v0, v1, v2 and 2 more")],
)
def test_variables_that_nothing_restores(count: int, named: str, model: Path, meta: Meta) -> None:
    other = deepcopy(meta)
    read_by = other.signature_def[EXAMPLES].outputs["label"].name.split(":")[0]
    (output,) = (node for node in other.graph_def.node if node.name == read_by)
    for i in range(count):
        other.graph_def.node.add(name=f"v{i}", op="VarHandleOp")
        output.input.append(f"v{i}:0" if i else "^v0")
    fault = fault_of(refuse_unservable, other, model)
    assert fault.startswith("serve_examples reads variables")
    assert fault.endswith(f"does not fill: {named}")


def test_a_graph_that_restores_nothing(model: Path, meta: Meta) -> None:
    other = deepcopy(meta)
    other.saver_def.ClearField("restore_op_name")
    fault = fault_of(refuse_unservable, other, model)
    assert fault.startswith("serving_default reads variables")
    assert fault.endswith("does not fill: Variable, Variable_1")


def test_where_there_are_variables_their_index_is(tmp_path: Path, meta: Meta) -> None:
    fault = fault_of(refuse_unservable, meta, tmp_path)
    assert fault == "variables/variables.index is missing"
    without = deepcopy(meta)
    for node in without.graph_def.node:
        node.op = node.op.replace("VarHandleOp", "Placeholder")
    refuse_unservable(without, tmp_path)
