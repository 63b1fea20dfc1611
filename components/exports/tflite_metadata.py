"""What a .tflite file says of itself, in TensorFlow Lite's own form, so that an app needs no other.

A flatbuffer that the model names TFLITE_METADATA, by TensorFlow's metadata_schema.fbs, and files in
a ZIP archive behind the model: the labels, and what that schema has no field for.
"""

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from components.records.errors import IntegrityError
from components.records.export import LABELS, ExportRecord
from components.records.files import canonical_json

NAME, IDENTIFIER = b"TFLITE_METADATA", b"M001"
FACTS = "casegate.json"
FULL_SCALE = 255.0
ALIGNMENT = 16
# As metadata_schema.fbs numbers them.
_IMAGE_PROPERTIES, _GREY = 2, 2
_NORMALISATION, _THRESHOLD = 1, 3
_VALUE_LABELS, _DESCRIPTIONS = 3, 1

Field = tuple[int, Callable[[flatbuffers.Builder, int], None]]


class SharingBuilder(flatbuffers.Builder):
    """Writes equal vectors once, and weights at multiples of 16, as TensorFlow's schema.fbs wants.

    A quantised channel has two zero points of 8 bytes, its weights' and its bias', and all are 0:
    of EfficientNet-Lite0 they are a thirteenth of the file.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802 - as it is called
        key = x.dtype.str, x.tobytes()
        if key not in self._written:
            if x.dtype == np.uint8:
                self.Prep(ALIGNMENT, x.nbytes)
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


def with_metadata(model: bytes, record: ExportRecord, labels: Sequence[str]) -> bytes:
    """The file with its metadata.

    Args:
      model: a .tflite file without metadata.
      record: its operating point, source and size; `files` does not matter.
      labels: negative and positive.
    """
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    tree.description = b"casegate"
    buffer, named = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(_metadata(record), np.uint8)
    named.name, named.buffer = NAME, len(tree.buffers)
    tree.buffers.append(buffer)
    tree.metadata = [*(tree.metadata or []), named]
    builder = SharingBuilder(len(model) + 4096)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return _with_files(
        bytes(builder.Output()),
        {LABELS: "".join(f"{label}\n" for label in labels).encode(), FACTS: _facts(record)},
    )


def read_facts(model: Path) -> dict[str, Any]:
    """What a .tflite file that casegate made says of itself.

    Returns:
      `kind`, `model_sha256`, `image_size` and `operating_point`, as in `ExportRecord`.

    Raises:
      IntegrityError: it cannot be read, or casegate did not make it.
    """
    try:
        with zipfile.ZipFile(model) as archive:
            found: dict[str, Any] = json.loads(archive.read(FACTS))
        return found
    except (OSError, ValueError, LookupError, zipfile.BadZipFile) as error:
        raise IntegrityError(f"{model}: no {FACTS} inside: {error}; export it again") from None


def _facts(record: ExportRecord) -> bytes:
    names = ("kind", "model_sha256", "image_size", "operating_point")
    return canonical_json({name: getattr(record, name) for name in names}) + b"\n"


def _with_files(model: bytes, files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO(model)
    with zipfile.ZipFile(stream, "a") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # of 1980, so the same every time
    return stream.getvalue()


def _metadata(record: ExportRecord) -> bytes:
    """The flatbuffer; children are written before their parents."""
    b = flatbuffers.Builder(1024)
    text = b.CreateString
    side = _table(
        b, 2, _number("Uint32", 0, record.image_size), _number("Uint32", 1, record.image_size)
    )
    image = _table(b, 2, _number("Int8", 0, _GREY), _child(1, side))
    content = _table(b, 3, _number("Uint8", 0, _IMAGE_PROPERTIES), _child(1, image))
    scaling = _table(b, 2, _child(0, _floats(b, [0.0])), _child(1, _floats(b, [FULL_SCALE])))
    normalised = _table(b, 2, _number("Uint8", 0, _NORMALISATION), _child(1, scaling))
    given = _table(
        b, 7,
        _child(0, text("pixels")),
        _child(1, text(
            "one channel, resized with antialiasing, from 0 to 1: samples of 8 bits over 255, of "
            "16 bits over 65535"
        )),
        _child(3, content),
        _child(4, _children(b, [normalised])),
    )  # fmt: skip
    point = record.operating_point
    logit = math.log(point / (1 - point)) if 0 < point < 1 else math.copysign(math.inf, point - 0.5)
    threshold = _table(b, 1, _number("Float32", 0, logit))
    thresholded = _table(b, 2, _number("Uint8", 0, _THRESHOLD), _child(1, threshold))
    files = [
        _table(b, 5, _child(0, text(LABELS)), _number("Int8", 2, _VALUE_LABELS)),
        _table(b, 5, _child(0, text(FACTS)), _number("Int8", 2, _DESCRIPTIONS)),
    ]
    gives = _table(
        b, 7,
        _child(0, text("logit")),
        _child(1, text(
            f"its sigmoid is the probability; positive from the probability {point!r} on, which is "
            "the threshold below as a logit"
        )),
        _child(4, _children(b, [thresholded])),
        _child(6, _children(b, files[:1])),
    )  # fmt: skip
    graph = _table(b, 10, _child(2, _children(b, [given])), _child(3, _children(b, [gives])))
    root = _table(
        b, 8,
        _child(0, text("casegate")),
        _child(1, text(f"{record.kind} of the SavedModel with SHA-256 {record.model_sha256}")),
        _child(2, text(record.model_sha256)),
        _child(3, _children(b, [graph])),
        _child(6, _children(b, files[1:])),
        _child(7, text("1.5.0")),
    )  # fmt: skip
    b.Finish(root, IDENTIFIER)
    return bytes(b.Output())


def _table(b: flatbuffers.Builder, slots: int, *fields: Field) -> int:
    b.StartObject(slots)
    for slot, add in fields:
        add(b, slot)
    return int(b.EndObject())


def _child(slot: int, offset: int) -> Field:
    return slot, lambda b, at: b.PrependUOffsetTRelativeSlot(at, offset, 0)


def _number(kind: str, slot: int, value: float) -> Field:
    return slot, lambda b, at: getattr(b, f"Prepend{kind}Slot")(at, value, 0)


def _children(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _floats(b: flatbuffers.Builder, values: Sequence[float]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependFloat32(value)
    return int(b.EndVector())
