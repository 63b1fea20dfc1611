"""Writes runs into ML Metadata's tables by SQL, in the form in which TFX and casegate write them.

What TFX writes of a run is copied from a real run, with other ids, names and times; casegate's own
rows come from the functions that its writer uses. Through ML Metadata's own client a thousand runs
would take many minutes.
"""

import hashlib
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from components.decision import Decision
from components.lineage.record import RunRecord
from components.lineage.training import TrainingData
from components.lineage.types import (
    CHECK,
    ENVIRONMENT,
    RECORD,
    RELEASE,
    RUN,
    TRAINING_DATA,
    TRAINING_DATA_PROPERTIES,
    TYPES,
    Value,
    check_properties,
    environment_properties,
    release_properties,
    run_name,
    run_properties,
    stored,
)
from components.records.ledger.records import Release
from tests.bench.lineage_template import OUTPUT, Row, Template

INPUT, LIVE, COMPLETE, FAILED, CACHED = 3, 2, 3, 4, 5
_COUNTED = ("Artifact", "Execution", "Context", "Event", "Association", "Attribution")
_MADE_BY = re.compile(r"(?<=/)(\w+/\w+)/(\d+)(?=$|/)")  # Trainer/model/40: by which execution
_SHARED = "ImportSchemaGen"  # what it puts out is one artifact for all runs
_OF_A_WEEK = ("CaseSet", "TrainingCases", "StatisticsGen", "ExampleValidator")
_OF_RECORD = ("CasegateDecision", "PushedModel")
_COLUMN = {str: "string_value", int: "int_value", float: "double_value"}


@dataclass(frozen=True)
class TfxRun:
    """How a copy of the template's run is to differ.

    Attributes:
      texts: what stands for what in names, addresses and properties.
      fresh: reads the data anew; later runs find what comes of it in the cache, as TFX's own would.
      failed: the component that failed, or None; none after it ran.
      passed: whether the gate blessed the model and Pusher pushed it.
    """

    pipeline_run: str
    started_ms: int
    texts: Mapping[str, str]
    fresh: bool
    failed: str | None = None
    passed: bool = True


class Rows:
    """Rows for a store that has ML Metadata's schema and types; `flush` writes them."""

    def __init__(self, connection: sqlite3.Connection, template: Template) -> None:
        self._connection, self.template = connection, template
        self._waiting: dict[str, list[Row]] = defaultdict(list)
        self._last = dict.fromkeys(_COUNTED, 0)
        self._named: dict[tuple[Any, ...], int] = {}
        # What is in the cache, by the template's ids: executions, and what they put out.
        self.makers: dict[int, int] = {}
        self.outputs: dict[int, int] = {}
        self._types = dict(connection.execute("SELECT name, id FROM Type").fetchall())
        self.kinds = {id_: name for name, id_ in self._types.items()}

    def tfx_run(self, run: TfxRun) -> list[int]:
        """Copies the template's run; returns the artifacts that casegate's record reads."""
        return _Copy(self, run).made()

    def own(
        self,
        type_name: str,
        name: str,
        uri: str,
        properties: Mapping[str, Value],
        at_ms: int,
        *,
        custom: Mapping[str, str] | None = None,
    ) -> int:
        """One of casegate's own artifacts; the one that there is where its name is known."""
        id_, new = self.named("Artifact", type_name, name)
        if new:
            row = {"id": id_, "type_id": self._types[type_name], "uri": uri, "state": LIVE}
            self.add("Artifact", {**row, "name": name, "external_id": None, **_times(at_ms)})
            for key, value in properties.items():
                column = _COLUMN[TYPES[type_name][key]]
                self.add("ArtifactProperty", _property(id_, key, 0, column, value))
            for key, text in (custom or {}).items():
                self.add("ArtifactProperty", _property(id_, key, 1, "string_value", text))
        return id_

    def tie(self, name: str, read: Iterable[int], wrote: Iterable[int], at_ms: int) -> None:
        """The execution that read and wrote these."""
        id_ = self.next("Execution")
        row = {"id": id_, "type_id": self._types[RECORD], "last_known_state": COMPLETE}
        self.add("Execution", {**row, "name": name, "external_id": None, **_times(at_ms)})
        for artifacts, kind in ((read, INPUT), (wrote, OUTPUT)):
            for artifact in artifacts:
                event = {"id": self.next("Event"), "artifact_id": artifact, "execution_id": id_}
                self.add("Event", {**event, "type": kind, "milliseconds_since_epoch": at_ms})

    def flush(self) -> None:
        """Writes what waits, in one transaction."""
        with self._connection:
            for table, rows in self._waiting.items():
                columns = list(rows[0])
                marks, names = ",".join("?" * len(columns)), ",".join(columns)
                self._connection.executemany(
                    f"INSERT INTO {table} ({names}) VALUES ({marks})",
                    [tuple(row[column] for column in columns) for row in rows],
                )
        self._waiting.clear()

    def next(self, table: str) -> int:
        self._last[table] += 1
        return self._last[table]

    def named(self, table: str, *name: Any) -> tuple[int, bool]:
        """The id of what has this name, and whether it is new."""
        known = self._named.get((table, *name))
        if known is not None:
            return known, False
        id_ = self._named[(table, *name)] = self.next(table)
        return id_, True

    def add(self, table: str, row: Row) -> None:
        self._waiting[table].append(row)


class _Copy:
    """One run, copied."""

    def __init__(self, rows: Rows, run: TfxRun) -> None:
        t, self.rows, self.run = rows.template, rows, run
        self.t = t
        self.texts = {t.pipeline_run: run.pipeline_run, **run.texts}
        longest = sorted(self.texts, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, longest)))
        self.shift = run.started_ms - t.started_ms
        self.executions = {e["id"]: e for e in t.executions if self._ran(e)}
        self.ids = {old: rows.next("Execution") for old in self.executions}
        self.reused = {old for old, e in self.executions.items() if self._is_reused(e)}
        makers = {
            old: rows.makers[old] if old in self.reused else new for old, new in self.ids.items()
        }
        self.caches = {old: f"cache {old} {maker}" for old, maker in makers.items()}
        self.artifacts = {
            a["id"]: rows.outputs[a["id"]] if maker in self.reused else rows.next("Artifact")
            for a in t.artifacts
            if self._puts_out(maker := t.made_by[a["id"]])
        }
        addresses = [(_MADE_BY.search(a["uri"]), t.made_by[a["id"]]) for a in t.artifacts]
        self.makers = {
            match[0]: f"{match[1]}/{makers[old]}"
            for match, old in addresses
            if match and old in makers
        }

    def made(self) -> list[int]:
        contexts = self._contexts()
        for old, e in self.executions.items():
            new = {**self._later(e), "id": self.ids[old], "last_known_state": self._state(e)}
            new["name"] = hashlib.md5(f"{self.run.pipeline_run} {old}".encode()).hexdigest()
            self.rows.add("Execution", new)
            self._properties("Execution", old, self.ids[old])
            for row in self.t.associations[old]:
                self._tie("Association", contexts[row["context_id"]], "execution_id", self.ids[old])
        for a in self.t.artifacts:
            if a["id"] not in self.artifacts:
                continue
            new_id = self.artifacts[a["id"]]
            if self.t.made_by[a["id"]] not in self.reused:
                uri = self._said(a["uri"])
                self.rows.add("Artifact", {**self._later(a), "id": new_id, "uri": uri})
                self._properties("Artifact", a["id"], new_id)
            for row in self.t.attributions[a["id"]]:
                if row["context_id"] in contexts:
                    self._tie("Attribution", contexts[row["context_id"]], "artifact_id", new_id)
        self._events()
        self._keep_in_cache()
        kinds = self.rows.kinds
        found = [a for a in self.t.artifacts if kinds[a["type_id"]] in _OF_RECORD]
        return [self.artifacts[a["id"]] for a in found if a["id"] in self.artifacts]

    def _ran(self, e: Row) -> bool:
        if self.run.failed is None:
            return True
        return e["id"] <= max(i for i, c in self.t.components.items() if c == self.run.failed)

    def _puts_out(self, maker: int) -> bool:
        return maker in self.executions and self.t.components[maker] != self.run.failed

    def _is_reused(self, e: Row) -> bool:
        component = self.t.components[e["id"]]
        wanted = component == _SHARED or (component in _OF_A_WEEK and not self.run.fresh)
        return wanted and e["id"] in self.rows.makers

    def _state(self, e: Row) -> int:
        if self.t.components[e["id"]] == self.run.failed:
            return FAILED
        return CACHED if e["id"] in self.reused else COMPLETE

    def _later(self, row: Row) -> Row:
        return {k: v + self.shift if k.endswith("_since_epoch") else v for k, v in row.items()}

    def _said(self, text: str) -> str:
        text = self.pattern.sub(lambda found: self.texts[found[0]], text)
        return _MADE_BY.sub(lambda found: self.makers.get(found[0], found[0]), text)

    def _contexts(self) -> dict[int, int]:
        """The template's contexts -> those of this run; makes the ones that are new."""
        of = {row["context_id"]: old for old in self.executions for row in self.t.associations[old]}
        found, named = {}, {}
        for id_, old in of.items():
            context, kind = self.t.contexts[id_], self.t.kind[id_]
            name = self._said(context["name"])
            if kind == "execution_cache":
                name = hashlib.sha256(self.caches[old].encode()).hexdigest()
            found[id_], new = self.rows.named("Context", kind, name)
            if new:
                row = {**self._later(context), "id": found[id_], "name": name}
                self.rows.add("Context", row)
            named[kind] = found[id_]
        parent = {"parent_context_id": named["pipeline"]}
        self.rows.add("ParentContext", {"context_id": named["pipeline_run"], **parent})
        return found

    def _properties(self, table: str, old: int, new: int) -> None:
        for row in self.t.properties[table][old]:
            name, number, text = row["name"], row["int_value"], row["string_value"]
            if name in ("pushed_destination", "pushed_version") and not self.run.passed:
                continue
            if name in ("pushed", "blessed") and number is not None:
                number = int(self.run.passed)
            if name.endswith("_id") and number in self.artifacts:
                number = self.artifacts[number]
            changed = {"int_value": number, "string_value": text and self._said(text)}
            self.rows.add(f"{table}Property", {**row, f"{table.lower()}_id": new, **changed})

    def _tie(self, table: str, context: int, column: str, id_: int) -> None:
        tie, new = self.rows.named(table, context, id_)
        if new:
            self.rows.add(table, {"id": tie, "context_id": context, column: id_})

    def _events(self) -> None:
        for event in self.t.events:
            execution, artifact = event["execution_id"], event["artifact_id"]
            if execution not in self.executions or artifact not in self.artifacts:
                continue
            ends = {"execution_id": self.ids[execution], "artifact_id": self.artifacts[artifact]}
            id_ = self.rows.next("Event")
            self.rows.add("Event", {**self._later(event), "id": id_, **ends})
            for path in self.t.paths[event["id"]]:
                self.rows.add("EventPath", {**path, "event_id": id_})

    def _keep_in_cache(self) -> None:
        for old in self.executions:
            if self.t.components[old] in (_SHARED, *_OF_A_WEEK) and old not in self.reused:
                self.rows.makers[old] = self.ids[old]
                for artifact, maker in self.t.made_by.items():
                    if maker == old:
                        self.rows.outputs[artifact] = self.artifacts[artifact]


def _times(at_ms: int) -> Row:
    return dict.fromkeys(("create_time_since_epoch", "last_update_time_since_epoch"), at_ms)


def _property(id_: int, name: str, custom: int, column: str, value: Value) -> Row:
    empty = ("int_value", "double_value", "string_value", "byte_value", "proto_value", "bool_value")
    row: Row = {"artifact_id": id_, "name": name, "is_custom_property": custom}
    return {**row, **dict.fromkeys(empty), column: value}


def write_own_rows(
    rows: Rows,
    record: RunRecord,
    folder: str,
    read: list[int],
    training: TrainingData,
    decision: Decision | None,
    at_ms: int,
) -> None:
    """What `RecordWriter.write_run` writes, by SQL."""
    name = run_name(record.workspace_id, record.run_id)
    environment = rows.own(
        ENVIRONMENT,
        record.environment.sha256,
        "",
        environment_properties(record),
        at_ms,
        custom=record.environment.packages,
    )
    counted = {
        "training_root": training.root,
        "cases": training.cases,
        **{f"{split}_cases": count for split, count in training.splits.items()},
        "positives": training.positives,
        "patients": training.patients,
        "data": record.inputs.data,
        "data_sha256": record.inputs.data_sha256,
    }
    properties = stored(counted, TRAINING_DATA_PROPERTIES)
    data = rows.own(TRAINING_DATA, training.root, str(training.path), properties, at_ms)
    run = rows.own(RUN, name, folder, run_properties(record), at_ms)
    for check in decision.checks if decision else ():
        rows.own(CHECK, f"{name}/{check.check}", folder, check_properties(record, check), at_ms)
    rows.tie(f"record of {name}", [environment, data, *read], [run], at_ms)


def write_release_rows(rows: Rows, release: Release, record: RunRecord, at_ms: int) -> None:
    """What `RecordWriter.write_release` writes, by SQL."""
    workspace_id, run_id = record.workspace_id, record.run_id
    name = f"{run_name(workspace_id, release.destination)}/{release.version}"
    properties = release_properties(release, workspace_id=workspace_id, run_id=run_id)
    uri = f"{release.destination}/{release.version}"
    artifact = rows.own(RELEASE, name, uri, properties, at_ms)
    run = rows.named("Artifact", RUN, run_name(workspace_id, run_id))[0]
    rows.tie(f"release of {name}", [run], [artifact], at_ms)
