"""What a .tflite file says of itself, read by programs that are not casegate."""

import json
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import number_types

from components.exports.tflite_metadata import read_facts
from components.records.errors import IntegrityError
from components.records.export import load_export_record
from tests.foreign import answer, needs
from tests.refusing import refused

pytestmark = [pytest.mark.tensorflow, pytest.mark.process]


def metadata_of(path: Path) -> bytes:
    """The buffer that the model names TFLITE_METADATA."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    (number,) = [it.buffer for it in model.metadata if it.name == b"TFLITE_METADATA"]
    return bytes(model.buffers[number].data)


class Table:
    """A table of a flatbuffer, by the slots of its schema: another reader than the writer's."""

    def __init__(self, content: bytes, place: int) -> None:
        self._table = flatbuffers.table.Table(bytearray(content), place)

    @classmethod
    def root(cls, content: bytes) -> "Table":
        return cls(content, struct.unpack_from("<I", content)[0])

    def _at(self, slot: int) -> int:
        offset = self._table.Offset(4 + 2 * slot)
        assert offset, f"slot {slot} is not set"
        return offset + self._table.Pos

    def text(self, slot: int) -> str:
        return self._table.String(self._at(slot)).decode()

    def child(self, slot: int) -> "Table":
        return Table(bytes(self._table.Bytes), self._table.Indirect(self._at(slot)))

    def children(self, slot: int) -> list["Table"]:
        offset = self._at(slot) - self._table.Pos
        start = self._table.Vector(offset)
        places = [start + 4 * i for i in range(self._table.VectorLen(offset))]
        return [Table(bytes(self._table.Bytes), self._table.Indirect(place)) for place in places]

    def number(self, slot: int, kind: Any = number_types.Uint8Flags) -> float:
        return self._table.Get(kind, self._at(slot))

    def floats(self, slot: int) -> list[float]:
        offset = self._at(slot) - self._table.Pos
        start = self._table.Vector(offset)
        count = self._table.VectorLen(offset)
        return list(struct.unpack_from(f"<{count}f", bytes(self._table.Bytes), start))


def test_it_says_how_pixels_are_scaled_and_where_a_call_is_positive(int8: Path) -> None:
    record, content = load_export_record(int8), metadata_of(int8 / "model.tflite")
    assert content[4:8] == b"M001"
    root = Table.root(content)
    assert record.model_sha256 == root.text(2) and record.model_sha256 in root.text(1)
    (graph,) = root.children(3)
    ((given,), (gives,)) = graph.children(2), graph.children(3)
    assert given.text(0) == "pixels"
    picture = given.child(3)
    assert picture.number(0) == 2 and picture.child(1).number(0) == 2  # an image, grey
    side = picture.child(1).child(1)
    assert [side.number(slot, number_types.Uint32Flags) for slot in (0, 1)] == [16, 16]
    (scaled,) = given.children(4)
    assert scaled.number(0) == 1
    assert (scaled.child(1).floats(0), scaled.child(1).floats(1)) == ([0.0], [255.0])
    (threshold,) = gives.children(4)
    point = record.operating_point
    assert threshold.number(0) == 3
    assert threshold.child(1).number(0, number_types.Float32Flags) == pytest.approx(
        math.log(point / (1 - point)), rel=1e-6
    )
    (labels,) = gives.children(6)
    assert labels.text(0) == "labels.txt" and labels.number(2) == 3


def test_weights_lie_at_multiples_of_16_and_equal_zero_points_once(int8: Path) -> None:
    content = (int8 / "model.tflite").read_bytes()
    start, model = np.frombuffer(content, np.uint8).ctypes.data, schema.Model.GetRootAs(content, 0)
    buffers = [model.Buffers(i) for i in range(model.BuffersLength())]
    places = [each.DataAsNumpy().ctypes.data - start for each in buffers if each.DataLength()]
    assert len(places) > 5 and not any(place % 16 for place in places)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(i) for i in range(graph.TensorsLength())]
    points = [one.ZeroPointAsNumpy() for each in tensors if (one := each.Quantization())]
    channels = [each for each in points if isinstance(each, np.ndarray) and each.size > 1]
    assert sorted(each.size for each in channels) == [16, 16]  # of weights and of biases
    assert len({each.ctypes.data for each in channels}) == 1


def test_unzip_takes_the_labels_out_of_the_model(int8: Path) -> None:
    unzip = needs("unzip", "unzip")
    found = answer(unzip, "-p", int8 / "model.tflite", "labels.txt")
    assert found == (int8 / "labels.txt").read_text() == "negative\npositive\n"


def test_the_facts_inside_are_those_of_the_record(int8: Path, tmp_path: Path) -> None:
    record = load_export_record(int8)
    facts = read_facts(int8 / "model.tflite")
    assert facts == {
        "kind": "tflite_int8",
        "model_sha256": record.model_sha256,
        "image_size": 16,
        "operating_point": record.operating_point,
    }
    with zipfile.ZipFile(int8 / "model.tflite") as archive:
        assert json.loads(archive.read("casegate.json")) == facts
    (tmp_path / "bare.tflite").write_bytes(b"\x1c\0\0\0TFL3")
    with refused(IntegrityError, "bare.tflite", "casegate.json"):
        read_facts(tmp_path / "bare.tflite")


def test_tensorflows_own_reader_understands_it(int8: Path) -> None:
    """The package tflite-support, which has wheels up to Python 3.11 and needs PortAudio."""
    try:
        from tflite_support import metadata
    except (ImportError, OSError) as error:
        pytest.skip(f"no tflite-support here: {error}")
    shown = metadata.MetadataDisplayer.with_model_file(str(int8 / "model.tflite"))
    found = json.loads(shown.get_metadata_json())
    (graph,) = found["subgraph_metadata"]
    (given,), (gives,) = graph["input_tensor_metadata"], graph["output_tensor_metadata"]
    assert given["content"]["content_properties"]["color_space"] == "GRAYSCALE"
    assert given["process_units"][0]["options"] == {"mean": [0.0], "std": [255.0]}
    assert "global_score_threshold" in gives["process_units"][0]["options"]
    assert "labels.txt" in shown.get_packed_associated_file_list()
