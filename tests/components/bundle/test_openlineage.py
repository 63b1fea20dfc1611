"""OpenLineage events that its published schema accepts.

The schema is not ours to keep here: CASEGATE_OPENLINEAGE_SCHEMA names a copy of
https://openlineage.io/spec/2-0-2/OpenLineage.json. Without one, the library's own classes check
what they can, and the rest is skipped by name.
"""

import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from components.bundle.openlineage import openlineage_jsonl
from tests.components.bundle.tracing import AWKWARD, traced

SCHEMA = os.environ.get("CASEGATE_OPENLINEAGE_SCHEMA")


def read_events(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def events(name: str = "Dr. Lang") -> list[dict]:
    return read_events(openlineage_jsonl(traced(name), namespace="casegate-0123abcd", run_id="R1"))


@pytest.mark.skipif(not SCHEMA, reason="CASEGATE_OPENLINEAGE_SCHEMA names no OpenLineage.json")
@pytest.mark.parametrize("name", ["Dr. Lang", AWKWARD])
def test_the_published_schema_accepts_every_event(name: str) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(Path(str(SCHEMA)).read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    found = events(name)
    assert len(found) == 4
    for event in found:
        validator.validate(event)
    with pytest.raises(Exception, match="runId"):
        validator.validate({**found[0], "run": {}})


def test_the_librarys_own_classes_take_every_event() -> None:
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

    for event in events():
        RunEvent(
            eventType=RunState[event["eventType"]],
            eventTime=event["eventTime"],
            run=Run(event["run"]["runId"]),
            job=Job(event["job"]["namespace"], event["job"]["name"]),
            producer=event["producer"],
        )


def test_each_execution_starts_and_ends_within_the_run() -> None:
    kinds = [(event["job"]["name"], event["eventType"]) for event in events()]
    assert kinds == [
        ("casegate run", "START"),
        ("Trainer", "START"),
        ("Trainer", "COMPLETE"),
        ("casegate run", "COMPLETE"),
    ]
    run, trainer = events()[0]["run"]["runId"], events()[1]["run"]
    assert trainer["facets"]["parent"]["run"]["runId"] == run
    assert uuid.UUID(run).version == 5


def test_datasets_carry_their_hash_as_version() -> None:
    end = next(e for e in events() if (e["job"]["name"], e["eventType"]) == ("Trainer", "COMPLETE"))
    (read,), (wrote,) = end["inputs"], end["outputs"]
    assert (read["name"], wrote["name"]) == ("data", "model")
    assert wrote["facets"]["version"]["datasetVersion"] == "sha256:" + "cd" * 32


def test_a_failed_execution_fails_and_one_that_never_ended_has_no_end() -> None:
    from dataclasses import replace

    graph = traced()
    for state, kinds in (("failed", ["START", "FAIL"]), ("never ended", ["START"])):
        nodes = tuple(
            replace(n, facts={**n.facts, "state": state}) if n.kind == "execution" else n
            for n in graph.nodes
        )
        content = openlineage_jsonl(replace(graph, nodes=nodes), namespace="n", run_id="R1")
        mine = [e["eventType"] for e in read_events(content) if e["job"]["name"] == "Trainer"]
        assert mine == kinds
