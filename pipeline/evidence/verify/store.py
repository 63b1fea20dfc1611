"""ML Metadata held against the run records: its rows can be edited by whoever keeps the database.

The records and the ledger are the evidence; a row that says otherwise was changed.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from components.decision import Decision
from components.lineage.graph import Graph
from components.lineage.record import RunRecord
from components.lineage.types import (
    check_properties,
    environment_properties,
    release_properties,
    run_properties,
)
from components.records.run_files import LINEAGE
from pipeline.evidence.difference import Difference, short
from pipeline.evidence.subject import Evidence

_NOT_PROPERTIES = {"artifact_id", "name", "uri"}


class StoreRows:
    """Attributes:
    checked: how many rows of each kind were held against their record.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._environments: set[str] = set()
        self.checked: dict[str, int] = {}

    def of_run(self, record: RunRecord, decision: Decision | None) -> Iterator[Difference]:
        store, run_id = self._evidence.store, record.run_id
        row = store.run(record.workspace_id, run_id)
        yield from self._row(f"run {run_id}", run_properties(record), row)
        if record.environment.sha256 not in self._environments:
            self._environments.add(record.environment.sha256)
            yield from self._environment(record)
        checks = {r["check_name"]: r for r in store.checks(record.workspace_id, run_id)}
        wanted = {c.check: check_properties(record, c) for c in decision.checks} if decision else {}
        for name in sorted(wanted.keys() | checks.keys()):
            yield from self._row(
                f"check {name} of run {run_id}", wanted.get(name), checks.get(name)
            )
        yield from self._graph(record)

    def releases(self) -> Iterator[Difference]:
        evidence = self._evidence
        rows = {
            (row["destination"], row["version"]): row
            for row in evidence.store.releases(evidence.workspace_id)
        }
        wanted = {
            (release.destination, str(release.version)): release_properties(
                release, workspace_id=evidence.workspace_id, run_id=evidence.run_of(release)
            )
            for release in evidence.releases
        }
        for key in sorted(wanted.keys() | rows.keys()):
            yield from self._row(f"release {'/'.join(key)}", wanted.get(key), rows.get(key))

    def _environment(self, record: RunRecord) -> Iterator[Difference]:
        sha256 = record.environment.sha256
        where = f"environment {sha256[:12]}..."
        row = self._evidence.store.environment(sha256)
        yield from self._row(where, environment_properties(record), row)
        packages = self._evidence.store.packages(sha256)
        yield from self._values(where, record.environment.packages, packages)

    def _row(
        self, where: str, wanted: Mapping[str, Any] | None, row: Mapping[str, Any] | None
    ) -> Iterator[Difference]:
        kind = where.partition(" ")[0]
        self.checked[f"{kind} rows"] = self.checked.get(f"{kind} rows", 0) + 1
        if wanted is None or row is None:
            here, there = (("a row", "none"), ("none", "a row"))[wanted is None]
            yield Difference("metadata", f"ML Metadata, {where}", here, there)
            return
        found = {key: value for key, value in row.items() if key not in _NOT_PROPERTIES}
        yield from self._values(where, wanted, found)

    def _values(
        self, where: str, wanted: Mapping[str, Any], found: Mapping[str, Any]
    ) -> Iterator[Difference]:
        for key in sorted(wanted.keys() | found.keys()):
            if not _same(wanted.get(key), found.get(key)):
                yield Difference(
                    "metadata",
                    f"ML Metadata, {where}, {key}",
                    short(wanted.get(key)),
                    short(found.get(key)),
                )

    def _graph(self, record: RunRecord) -> Iterator[Difference]:
        """What TFX wrote of the run, against the copy that was taken when it ended."""
        if record.store.lineage_sha256 is None:
            return
        self.checked["run graphs"] = self.checked.get("run graphs", 0) + 1
        graph = self._evidence.store.run_graph(record.store.pipeline_run)
        if graph.sha256 == record.store.lineage_sha256:
            return
        path = self._evidence.workspace.run_folder(record.run_id) / LINEAGE
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            kept = {"unreadable": str(error)}
        where, recorded, found = _first_difference(kept, _plain(graph))
        yield Difference(
            "metadata",
            f"ML Metadata, graph of run {record.run_id}, {where}",
            short(recorded),
            short(found),
        )


def _same(wanted: Any, found: Any) -> bool:
    """Whether a row holds the value; numbers go there as text, which SQLite reads a bit off."""
    if isinstance(wanted, float) and isinstance(found, float):
        return math.isclose(wanted, found, rel_tol=1e-14)
    return bool(wanted == found)


def _plain(graph: Graph) -> Any:
    return json.loads(json.dumps(graph.document()))


def _first_difference(kept: Any, found: Any, where: str = "") -> tuple[str, Any, Any]:
    """The place where two documents differ first, and what stands there in each."""
    if isinstance(kept, dict) and isinstance(found, dict):
        for key in sorted(kept.keys() | found.keys()):
            if kept.get(key) != found.get(key):
                place = f"{where} {key}".strip()
                return _first_difference(kept.get(key), found.get(key), place)
    if isinstance(kept, list) and isinstance(found, list):
        for number, (one, other) in enumerate(zip(kept, found)):
            if one != other:
                name = one.get("id", number) if isinstance(one, dict) else number
                return _first_difference(one, other, f"{where} {name}".strip())
        return f"{where}, their number", len(kept), len(found)
    return where, kept, found
