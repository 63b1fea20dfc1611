"""Files as `torch.save` wrote them before 2020, made without torch."""

import collections
import io
import pickle
import struct
import sys
import types
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}


class _Storage:
    def __init__(self, key: str, array: np.ndarray) -> None:
        kind = {"f": "FloatStorage", "i": "LongStorage"}[array.dtype.kind]
        self.id = ("storage", _named("torch", kind), key, "cpu", array.size, None)


def _named(module: str, name: str) -> Any:
    """Something that a pickle names as `module.name`."""
    holder = sys.modules.setdefault(module, types.ModuleType(module))
    if not hasattr(holder, name):
        setattr(holder, name, type(name, (), {"__module__": module, "__qualname__": name}))
    return getattr(holder, name)


class _Tensor:
    def __init__(self, key: str, array: np.ndarray, strides: tuple[int, ...] | None) -> None:
        self.storage, self.array = _Storage(key, array), array
        self.strides = strides or tuple(step // array.itemsize for step in array.strides)

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = _named("torch._utils", "_rebuild_tensor_v2")
        hooks: dict[str, Any] = collections.OrderedDict()
        return rebuild, (self.storage, 0, self.array.shape, self.strides, False, hooks)


class _Pickler(pickle.Pickler):
    def persistent_id(self, thing: Any) -> Any:
        return thing.id if isinstance(thing, _Storage) else None


def torch_file(
    tensors: Mapping[str, np.ndarray],
    *,
    magic: int = MAGIC,
    strides: tuple[int, ...] | None = None,
    more: Any = None,
) -> bytes:
    """The file of a state dict; `more` stands in it as a further entry, whatever it is."""
    with patch.dict(sys.modules):  # others take a module called torch for the real one
        return _written(tensors, magic, strides, more)


def _written(
    tensors: Mapping[str, np.ndarray], magic: int, strides: tuple[int, ...] | None, more: Any
) -> bytes:
    keys = {name: str(1000 + place) for place, name in enumerate(tensors)}
    table: dict[str, Any] = collections.OrderedDict(
        (name, _Tensor(keys[name], array, strides)) for name, array in tensors.items()
    )
    if more is not None:
        table["more"] = more
    stream = io.BytesIO()
    for part in (magic, PROTOCOL, SYSTEM, table, list(keys.values())):
        _Pickler(stream, protocol=2).dump(part)
    for array in tensors.values():
        stream.write(struct.pack("<q", array.size) + array.tobytes())
    return stream.getvalue()
