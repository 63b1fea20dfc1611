"""The schemas that others check casegate's files with, held by programs that are not ours."""

import json
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.drift.log import prediction_line
from tests.foreign import answer, complaint, needs

ROOT = Path(__file__).resolve().parents[1] / "schemas"
SCHEMAS = sorted(ROOT.glob("*.json"))

pytestmark = pytest.mark.process


def test_check_jsonschema_finds_every_schema_sound_and_a_broken_one_not(tmp_path: Path) -> None:
    command = [needs("check-jsonschema", "the group dev"), "--check-metaschema"]
    assert len(SCHEMAS) > 10
    assert "ok" in answer(*command, *SCHEMAS)
    broken = tmp_path / "broken.json"
    broken.write_text(SCHEMAS[0].read_text("utf-8").replace('"type": "object"', '"type": "thing"'))
    assert "thing" in complaint(*command, broken)


def test_check_jsonschema_takes_a_line_of_a_prediction_log(tmp_path: Path) -> None:
    command = [needs("check-jsonschema", "the group dev"), "--schemafile", ROOT / "prediction.json"]
    said = {"case_id": "Größe 7", "score": 0.25, "positive": False, "model_version": 7}
    line = prediction_line(at="2026-01-31T10:15:00Z", **said)
    for name, content in (("good", line), ("bad", line.replace(b"0.25", b'"a quarter"'))):
        (tmp_path / f"{name}.json").write_bytes(content)
    answer(*command, tmp_path / "good.json")
    assert "score" in complaint(*command, tmp_path / "bad.json")


def test_tensorflow_metadata_reads_the_schema_of_the_features() -> None:
    schema = text_format.Parse((ROOT / "features.pbtxt").read_text("utf-8"), schema_pb2.Schema())
    assert {"image", "label", "sharpness"} <= {one.name for one in schema.feature}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_a_schema_says_which_draft_it_is_of(path: Path) -> None:
    assert json.loads(path.read_text("utf-8"))["$schema"].startswith("https://json-schema.org/")
