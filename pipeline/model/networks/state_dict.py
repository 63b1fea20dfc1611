"""Reads the tensors of a file that `torch.save` wrote before 2020, without executing its pickles.

A pickle is a program. This one may build texts, numbers, tuples and tables, and name tensors;
whatever else it would do is refused.
"""

import io
import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.records.errors import IntegrityError

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
TABLE, TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
TYPES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch LongStorage": np.dtype("<i8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"}
EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}


@dataclass(frozen=True)
class _Storage:
    type: str
    key: str


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(content: bytes) -> dict[str, np.ndarray]:
    """The tensors by name, float32 and int64.

    Raises:
      IntegrityError: no such file, a part that is not known, or bytes that are missing.
    """
    stream = io.BytesIO(content)
    try:
        magic, protocol, system, tensors, keys = (_Pickle().read(stream) for _ in range(5))
        if (magic, protocol, system["little_endian"]) != (MAGIC, PROTOCOL, True):
            raise IntegrityError(f"state dict: got {magic!r}, {protocol!r}, wanted torch's of 2018")
        sizes = {each.storage.key: TYPES[each.storage.type].itemsize for each in tensors.values()}
        storages = {key: stream.read(_count(stream) * sizes[key]) for key in keys}
        return {name: _array(tensor, storages) for name, tensor in tensors.items()}
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise IntegrityError(f"state dict: {type(error).__name__}: {error}") from None


def _count(stream: io.BytesIO) -> int:
    return int.from_bytes(stream.read(8), "little")


def _array(tensor: _Tensor, storages: dict[str, bytes]) -> np.ndarray:
    kind = TYPES[tensor.storage.type]
    strides = [step * kind.itemsize for step in tensor.strides]
    # NumPy refuses what reaches beyond the bytes.
    start, content = tensor.offset * kind.itemsize, storages[tensor.storage.key]
    return np.ndarray(tensor.shape, kind, content, start, strides)


class _Pickle:
    """One pickle as a stack machine of the few operations that such a file needs."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def read(self, stream: io.BytesIO) -> Any:
        for operation, argument, _ in pickletools.genops(stream):
            self._step(operation.name, argument)
        return self.stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in VALUES:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in ("TUPLE", "TUPLE1", "TUPLE2"):
            stack.append(tuple(self._top(None if name == "TUPLE" else int(name[-1]))))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name in ("SETITEM", "SETITEMS"):
            pairs = self._top(2 if name == "SETITEM" else None)
            stack[-1].update(zip(pairs[::2], pairs[1::2]))
        elif name == "APPENDS":
            more = self._top(None)
            stack[-1].extend(more)
        elif name == "BINPERSID":
            _, kind, key, *_ = stack.pop()
            stack.append(_Storage(kind, key))
        elif name == "GLOBAL" and argument in (TABLE, TENSOR, *TYPES):
            stack.append(argument)
        elif name == "REDUCE":
            given, what = stack.pop(), stack.pop()
            stack.append({} if what == TABLE else _Tensor(*given[:4]))
        elif name == "BUILD":
            stack.pop()  # versions of the parts of the network
        elif name not in ("PROTO", "STOP"):
            raise ValueError(f"{name} {argument or ''}, which a state dict does not need")

    def _top(self, count: int | None) -> list[Any]:
        """Takes `count` values off the stack; without one all above the last mark."""
        start = self.marks.pop() if count is None else len(self.stack) - count
        taken = self.stack[start:]
        del self.stack[start:]
        return taken
