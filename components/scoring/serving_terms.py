"""What a served model takes and gives: schemas/serving_contract.json, held against a SavedModel.

The program `serving_session.py` imports this with its path alone, so it stands on nothing of this
project or of TensorFlow's: a MetaGraphDef comes in as it was read.
"""

import array
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

CONTRACT = Path(__file__).resolve().parents[2] / "schemas" / "serving_contract.json"
EXPLAIN, HEATMAP = "explain", "heatmap"
WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"  # a name that TensorFlow Serving gave
FLOAT, STRING, INT64 = 1, 7, 9  # as TensorFlow numbers its types
WORDS = {FLOAT: "float32", STRING: "string", INT64: "int64"}
CODES = {FLOAT: "f", INT64: "q"}  # as `array` calls them
VARIABLES = {"VarHandleOp", "VariableV2"}


class Fault(Exception):
    """Why the model cannot be served, in one line."""


@dataclass(frozen=True)
class TensorTerms:
    """What the contract says of one input or output: type, rank, least and greatest value."""

    kind: int
    rank: int
    values: tuple[float, float] | None

    def refuse(self, what: str, content: bytes) -> None:
        """Raises Fault where a value lies out of the range, or is not a number."""
        if self.values is not None:
            least, most = self.values
            for value in array.array(CODES[self.kind], content):
                if not least <= value <= most:
                    raise Fault(f"{what} is {value}, wanted {least} to {most}")


@dataclass(frozen=True)
class SignatureTerms:
    """What the contract says of one signature."""

    key: str  # the name of its only input
    takes: TensorTerms
    gives: dict[str, TensorTerms]
    required: bool


@lru_cache(maxsize=1)
def read_contract() -> dict[str, SignatureTerms]:
    """The terms of schemas/serving_contract.json, by signature.

    Without those that exporters convert: they take no image, and nobody serves them.
    """
    document = json.loads(CONTRACT.read_text("utf-8"))
    numbers = {word: kind for kind, word in WORDS.items()}

    def definition(one: dict[str, str]) -> Any:
        return document["$defs"][one["$ref"].rpartition("/")[2]]

    def tensors(section: Any) -> dict[str, TensorTerms]:
        found = {name: definition(one) for name, one in section["properties"].items()}
        return {
            name: TensorTerms(
                numbers[one["properties"]["dtype"]["const"]],
                definition(one["properties"]["shape"])["minItems"],
                (one["values"]["minimum"], one["values"]["maximum"]) if "values" in one else None,
            )
            for name, one in found.items()
        }

    contract, signatures = {}, document["properties"]["signatures"]
    for name, one in signatures["properties"].items():
        ((key, takes),) = tensors(one["properties"]["inputs"]).items()
        if takes.kind != STRING:
            continue
        gives = tensors(one["properties"]["outputs"])
        contract[name] = SignatureTerms(key, takes, gives, name in signatures["required"])
    return contract


def kept_terms(meta: Any) -> dict[str, SignatureTerms]:
    """The terms of the signatures that are asked: those required, and those that the model has."""
    contract = read_contract().items()
    return {name: it for name, it in contract if it.required or name in meta.signature_def}


def refuse_foreign(meta: Any) -> None:
    """Raises Fault for signatures with other names, types or shapes than the contract's."""
    for name, terms in kept_terms(meta).items():
        if name not in meta.signature_def:
            raise Fault(f"no signature {name}")
        signature = meta.signature_def[name]
        if set(signature.inputs) != {terms.key}:
            raise Fault(f"{name} takes {named(signature.inputs)}, wanted '{terms.key}' alone")
        _refuse_other(f"{name} input {terms.key}", signature.inputs[terms.key], terms.takes)
        for output, wanted in terms.gives.items():
            if output not in signature.outputs:
                raise Fault(f"{name} gives {named(signature.outputs)}, wanted '{output}' too")
            _refuse_other(f"{name} output {output}", signature.outputs[output], wanted)


def refuse_unservable(meta: Any, folder: Path) -> None:
    """Raises Fault for what can be seen without running: signatures, types, unfilled variables."""
    refuse_foreign(meta)
    nodes = {node.name: node for node in meta.graph_def.node}
    filled = _variables(nodes, [meta.saver_def.restore_op_name])
    for name in kept_terms(meta):
        read = _variables(nodes, [o.name for o in meta.signature_def[name].outputs.values()])
        if unfilled := sorted(read - filled):
            raise Fault(
                f"{name} reads variables that the restore operation does not fill: "
                f"{', '.join(unfilled[:3])}"
                + (f" and {len(unfilled) - 3} more" if len(unfilled) > 3 else "")
            )
    if filled and not (folder / "variables" / "variables.index").is_file():
        raise Fault("variables/variables.index is missing")  # the loader would go on without


def describe(meta: Any) -> dict[str, Any]:
    """What the model takes and gives by the contract's signatures, in the contract's form."""

    def tensors(found: Any, names: Sequence[str]) -> dict[str, Any]:
        return {n: {"dtype": WORDS[found[n].dtype], "shape": shape_of(found[n])} for n in names}

    return {
        name: {
            "inputs": tensors(meta.signature_def[name].inputs, [terms.key]),
            "outputs": tensors(meta.signature_def[name].outputs, list(terms.gives)),
        }
        for name, terms in kept_terms(meta).items()
    }


def _refuse_other(what: str, tensor: Any, terms: TensorTerms) -> None:
    if tensor.dtype != terms.kind:
        raise Fault(f"{what} has type {tensor.dtype}, wanted {terms.kind} ({WORDS[terms.kind]})")
    sizes = shape_of(tensor)
    first, *rest = sizes or [0]
    # An input of another rank ends TensorFlow's process.
    if first != -1 or 1 + len(rest) != terms.rank or min(rest, default=1) < 1:
        one = "[-1, height, width]: one map a case" if terms.rank > 1 else "[-1]: one value a case"
        raise Fault(f"{what} has shape {'unknown' if sizes is None else sizes}, wanted {one}")


def shape_of(tensor: Any) -> list[int] | None:
    shape = tensor.tensor_shape
    return None if shape.unknown_rank else [dim.size for dim in shape.dim]


def named(keys: Sequence[str]) -> str:
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
