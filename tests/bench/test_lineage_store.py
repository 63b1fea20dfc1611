"""The generated workspace passes for one that runs have filled."""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from components.lineage.address import StoreAddress
from components.lineage.opening import open_store
from components.lineage.record import load_record
from components.lineage.training import check_manifest, manifest_path
from components.lineage.writer import RecordWriter
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import releases
from components.records.run_files import RUN_RECORD
from pipeline.evidence.subject import Evidence
from pipeline.evidence.verify.verify import verify
from pipeline.settings.workspace import Workspace
from tests.bench.lineage_plan import RUNS, SPANS, WINDOW, planned, spans_of
from tests.bench.lineage_store import build
from tests.pipeline.evidence.releasing import released

RUNS_MADE = 24  # a week and the beginning of the next: all states, and data from the cache


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("generated")
    template = released(folder / "template").workspace.root
    said = lambda line: None  # noqa: E731
    return Workspace(build(folder / "made", RUNS_MADE, template=template, say=said))


def rows(path: Path, sql: str) -> list[Any]:
    with sqlite3.connect(path) as connection:
        return connection.execute(sql).fetchall()


def test_everything_in_it_is_as_recorded(made: Workspace) -> None:
    with Evidence(made.root) as evidence:
        answer = verify(evidence, None)
    assert answer.facts["result"] == "as recorded", answer.notes
    assert answer.facts["checked: run records"] == str(RUNS_MADE)
    assert answer.facts["checked: run graphs"] == str(RUNS_MADE)


# What a row says, with names in the place of ids and without times.
OWN = "a.name IS NOT NULL AND t.name LIKE 'Casegate%'"
SAID = {
    "artifacts": "SELECT t.name, a.name, a.uri, a.state, a.external_id FROM Artifact a "
    f"JOIN Type t ON t.id = a.type_id WHERE {OWN}",
    "properties": "SELECT a.name, p.name, is_custom_property, int_value, double_value, "
    "string_value, byte_value, proto_value, bool_value FROM ArtifactProperty p "
    f"JOIN Artifact a ON a.id = p.artifact_id JOIN Type t ON t.id = a.type_id WHERE {OWN}",
    "executions": "SELECT t.name, e.name, e.last_known_state, e.external_id FROM Execution e "
    "JOIN Type t ON t.id = e.type_id AND t.name = 'CasegateRecord'",
    "events": "SELECT e.name, a.name, v.type, p.step_key FROM Event v "
    "JOIN Execution e ON e.id = v.execution_id JOIN Artifact a ON a.id = v.artifact_id "
    "JOIN Type t ON t.id = a.type_id LEFT JOIN EventPath p ON p.event_id = v.id "
    f"WHERE {OWN} AND e.name LIKE 're% of %'",
}


def test_its_rows_are_those_that_the_writer_writes(made: Workspace, tmp_path: Path) -> None:
    address = StoreAddress.parse("metadata.sqlite", root=tmp_path)
    with Evidence(made.root) as evidence, open_store(address) as store:
        writer = RecordWriter(store)
        for path in sorted(made.runs.glob(f"*/{RUN_RECORD}")):
            record = load_record(path)
            root = str(record.inputs.training_root)
            data = check_manifest(manifest_path(made.training, root), root=root)
            decision = evidence.decision(record.run_id)
            writer.write_run(record, str(path.parent), training=data, decision=decision)
        for release in releases(Ledger(made.ledger).entries()):
            run_id = evidence.run_of(release)
            writer.write_release(release, workspace_id=made.id, run_id=run_id)
    for what, sql in SAID.items():
        generated, written = (
            Counter(rows(root / "metadata.sqlite", sql)) for root in (made.root, tmp_path)
        )
        assert generated == written and written, what


def test_data_of_a_week_are_read_once_and_then_taken_from_the_cache(made: Workspace) -> None:
    sql = (
        "SELECT c.name, e.last_known_state, a.id FROM Execution e "
        "JOIN Association s ON s.execution_id = e.id JOIN Context c ON c.id = s.context_id "
        "JOIN Event v ON v.execution_id = e.id AND v.type = 4 JOIN Artifact a "
        "ON a.id = v.artifact_id WHERE c.name LIKE '%.TrainingCases' ORDER BY e.id"
    )
    found = rows(made.root / "metadata.sqlite", sql)
    assert [state for _, state, _ in found] == [3, *[5] * 19, 3, *[5] * 3]
    assert len({artifact for *_, artifact in found}) == 2


def test_an_artifact_lies_where_the_execution_that_made_it_put_it(made: Workspace) -> None:
    outside = f"SELECT uri FROM Artifact WHERE uri LIKE '/%' AND uri NOT LIKE '{made.root}%'"
    assert rows(made.root / "metadata.sqlite", outside) == []


def test_a_run_that_failed_left_no_model_and_no_decision(made: Workspace) -> None:
    failed = [run for run in planned(RUNS_MADE) if not run.decided]
    assert {run.state for run in failed} == {"failed", "killed"}
    for run in failed:
        record = load_record(made.run_folder(run.run_id) / RUN_RECORD)
        assert record.decision is None and record.release is None
        sql = (
            "SELECT t.name FROM Artifact a JOIN Type t ON t.id = a.type_id JOIN Attribution b "
            "ON b.artifact_id = a.id JOIN Context c ON c.id = b.context_id "
            f"WHERE c.name = '{made.pipeline_run(run.run_id)}'"
        )
        types = {name for (name,) in rows(made.root / "metadata.sqlite", sql)}
        assert "Examples" in types and not types & {"Model", "PushedModel", "CasegateDecision"}


def test_making_it_again_takes_what_is_there(made: Workspace) -> None:
    before = made.ledger.stat().st_mtime_ns
    build(made.root.parent, RUNS_MADE, say=lambda line: None)
    assert made.ledger.stat().st_mtime_ns == before


def test_the_plan_has_a_year_of_runs_on_fifty_spans() -> None:
    runs = list(planned())
    assert len(runs) == RUNS and {run.week for run in runs} == set(range(SPANS))
    assert len({run.run_id for run in runs}) == RUNS
    assert runs == sorted(runs, key=lambda run: run.run_id)
    assert len(spans_of(SPANS - 1)) == WINDOW and list(spans_of(1)) == [0, 1]
    assert Counter(run.state for run in runs)["released"] == 450


def test_the_champion_is_what_was_released_last() -> None:
    runs = list(planned(60))
    last = None
    for run in runs:
        assert run.champion == last
        last = run.number if run.state == "released" else last
