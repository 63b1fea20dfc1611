"""What happened when, in every record of a run."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime

import pytest

from components.lineage.record import load_record
from components.records.ledger.ledger import Ledger
from components.records.run_files import RUN_RECORD
from tests.e2e.conftest import Released

pytestmark = pytest.mark.tensorflow


def test_each_time_says_what_happened_then(honest: Released) -> None:
    outcome = honest.first.outcome
    folder = outcome.report.parent
    record = load_record(folder / RUN_RECORD)
    entries = Ledger(honest.workspace / "ledger.jsonl").entries()
    at = {entry.kind: entry.at for entry in entries if entry.body.get("run_id") == record.run_id}
    began = {component.name: component.started for component in record.components}
    order = [
        record.started,
        began["Trainer"],
        began["CandidateScorer"],
        began["RegressionGate"],
        at["look"],
        outcome.decision.created,
        at["decision"],
        began["DecisionAttestor"],
        record.finished,
        at["run"],
    ]
    assert order == sorted(order)
    assert outcome.decision.created in (folder / "report.md").read_text("utf-8")
    release = entries[-2]
    assert release.kind == "release" and release.at > honest.second.outcome.decision.created


def test_released_model_was_trained_when_its_first_run_trained(honest: Released) -> None:
    """The runs after it took the model from the cache."""
    (version,) = (honest.workspace / "serving" / "pneumonia").iterdir()
    trained = json.loads((version / "assets.extra" / "release.json").read_text("utf-8"))["trained"]
    record = load_record(min((honest.workspace / "runs").iterdir()) / RUN_RECORD)
    began = {component.name: component.started for component in record.components}
    assert began["Trainer"] < trained < began["CandidateScorer"]


def test_ml_metadata_has_the_same_times(honest: Released) -> None:
    """As its tables have them, read by a program that is not ours."""
    record = load_record(honest.first.outcome.report.parent / RUN_RECORD)
    began = {component.name: milliseconds(component.started) for component in record.components}
    query = (
        "SELECT Type.name, create_time_since_epoch, last_update_time_since_epoch FROM Execution "
        "JOIN Type ON Type.id = type_id ORDER BY Execution.id"
    )
    with closing(sqlite3.connect(honest.workspace / "metadata.sqlite")) as store:
        rows = store.execute(query).fetchall()
    finished = milliseconds(record.finished)
    of_run = [row for row in rows if milliseconds(record.started) <= row[1] <= finished]
    executions = {name.rpartition(".")[2]: (start, end) for name, start, end in of_run}
    for name in ("Trainer", "Evaluator", "RegressionGate", "DecisionAttestor"):
        start, end = executions[name]
        assert began[name] <= start <= end <= finished
    decided = milliseconds(honest.first.outcome.decision.created)
    assert executions["RegressionGate"][0] <= decided <= executions["RegressionGate"][1]


def milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1000)
