import json
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from components.lineage.record import (
    Code,
    ComponentRun,
    Decided,
    Environment,
    Released,
    RunRecord,
    Seeds,
    Stored,
    Where,
    Who,
    Why,
    load_record,
    save_record,
)
from components.lineage.types import (
    RUN_PROPERTIES,
    environment_properties,
    run_properties,
    stored,
)
from components.records.errors import IntegrityError
from components.records.files import canonical_json, sha256_json
from tests.refusing import refused

SHA = "a" * 64


def record(**changed: Any) -> RunRecord:
    made = RunRecord(
        run_id="20260101T000000.000000Z",
        workspace_id="0123abcd",
        state="released",
        started="2026-01-01T00:00:00.000Z",
        finished="2026-01-01T00:00:50.000Z",
        exit_code=0,
        who=Who("ana", "host", "Radiology; DROP TABLE Artifact"),
        where=Where(None, None, None, 'Ünal "Q" <a@b>'),
        why=Why("schedule", "weekly\nretraining"),
        code=Code("b" * 40, True, SHA, SHA),
        environment=Environment("3.10", "Linux", None, 2, 2**35, None, SHA, {"Jinja2": "3"}),
        seeds=Seeds(20, True),
        store=Stored("casegate-0123abcd", "casegate-0123abcd.run", SHA),
        components=(
            ComponentRun("Trainer", "finished", "2026-01-01T00:00:01Z", 1.25, 3 * 2**30),
            ComponentRun("Pusher", "failed", "2026-01-01T00:00:02Z", 0.5, None),
        ),
        decision=Decided("PASS", SHA, SHA, None),
        release=Released("serving/chest", 2**33, SHA, None),
        files={"decision.json": SHA},
    )
    return replace(made, **changed)


def test_a_record_reads_back_as_it_was(tmp_path: Path) -> None:
    for made in (record(), record(decision=None, release=None, exit_code=None, finished=None)):
        save_record(made, tmp_path / "run.json")
        assert load_record(tmp_path / "run.json") == made


@pytest.mark.parametrize("key", ["state", "exit_code", "who", "inputs", "components", "files"])
def test_every_edited_part_is_found(tmp_path: Path, key: str) -> None:
    save_record(record(), path := tmp_path / "run.json")
    document = json.loads(path.read_text())
    other = {
        "state": "blocked",
        "exit_code": 1,
        "who": {**document["who"], "user": "eve"},
        "inputs": {**document["inputs"], "policy_sha256": "c" * 64},
        "components": document["components"][:1],
        "files": {},
    }
    path.write_bytes(canonical_json({**document, key: other[key]}))
    with refused(IntegrityError, path):
        load_record(path)


@pytest.mark.parametrize(
    "change, facts",
    [
        ({"state": "splendid"}, ["state"]),
        ({"started": "yesterday"}, ["started"]),
        ({"workspace_id": "../x"}, ["workspace_id"]),
        ({"surprise": 1}, ["surprise"]),
        ({"error": 1}, ["error: ", "got 1"]),
        ({"decision": 1}, ["decision: ", "got 1"]),
    ],
)
def test_a_record_that_breaks_its_contract_is_refused(
    tmp_path: Path, change: dict[str, Any], facts: list[str]
) -> None:
    document = {**record().document(), **change}
    document["record_sha256"] = sha256_json(document)
    (path := tmp_path / "run.json").write_bytes(canonical_json(document))
    with refused(IntegrityError, path, *facts):
        load_record(path)


def test_an_unreadable_record_is_one_line(tmp_path: Path) -> None:
    with refused(IntegrityError, "run.json: "):
        load_record(tmp_path / "run.json")


def typed(hint: Any) -> Any:
    """What JSON has for a field: its type, its parts by name; a pair with null where it may be."""
    kinds = {str: "string", int: "integer", float: "number", bool: "boolean"}
    found = [one for one in get_args(hint) if one is not type(None)]
    if NoneType in get_args(hint):
        return typed(found[0]), "null"
    if is_dataclass(hint):
        return {name: typed(kind) for name, kind in get_type_hints(hint).items()}
    if get_origin(hint) is tuple:
        return [typed(found[0])]
    return kinds.get(hint, "object")


def declared(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """The same of a JSON Schema."""
    if "$ref" in schema:
        return declared(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        value, null = schema["anyOf"]
        return declared(value, definitions), null["type"]
    if "properties" in schema:
        assert {*schema["required"]} == {*schema["properties"]}
        assert schema["additionalProperties"] is False
        return {k: declared(v, definitions) for k, v in schema["properties"].items()}
    if "items" in schema:
        return [declared(schema["items"], definitions)]
    return "string" if "enum" in schema else schema.get("type", "const")


def test_the_schema_has_every_field_of_every_part_as_the_dataclasses_do() -> None:
    schema = json.loads(Path("schemas/run_record.json").read_text())
    wanted = {"schema_version": "const", **typed(RunRecord), "record_sha256": "string"}
    assert declared(schema, schema["$defs"]) == wanted


def test_properties_are_the_record_flattened() -> None:
    flat = run_properties(record())
    assert flat.keys() <= RUN_PROPERTIES.keys()
    assert all(type(value) is RUN_PROPERTIES[name] for name, value in flat.items())
    assert (flat["version"], flat["git_dirty"], flat["why"]) == (str(2**33), 1, "schedule")
    assert (flat["seconds"], flat["peak_memory_mib"]) == (1.75, 3072)
    assert "error" not in flat and "ci_job" not in flat


def test_no_property_needs_more_than_32_bits() -> None:
    every = {**run_properties(record()), **environment_properties(record())}
    assert all(abs(value) < 2**31 for value in every.values() if isinstance(value, int))


def test_fractions_are_as_ml_metadata_keeps_them() -> None:
    assert stored({"x": 0.12345678901}, {"x": float}) == {"x": 0.123457}
    assert stored({"x": 1e-9}, {"x": float}) == {"x": 0.0}
