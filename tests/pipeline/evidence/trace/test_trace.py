"""What led to a release, from the record, the ledger and ML Metadata."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.bundle.trace_graph import TraceGraph
from components.lineage.graph import Graph
from components.records.errors import IntegrityError
from components.records.ledger.ledger import Ledger
from pipeline.evidence.subject import Evidence
from pipeline.evidence.trace.trace import trace, trace_of, trace_sources
from tests.pipeline.evidence.releasing import (
    EARLIER,
    PLACE,
    RUN,
    VERSION,
    ReleasedRun,
    execute,
    released,
)
from tests.refusing import refused


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReleasedRun:
    return released(tmp_path_factory.mktemp("trace"))


def graph_of(root: Path, name: str = str(VERSION)) -> TraceGraph:
    with Evidence(root) as evidence:
        return trace(evidence, evidence.subject(name))


def path_back(graph: TraceGraph, *labels: str) -> list[str]:
    """Labels of the nodes along these edges, from the root back."""
    key, found = graph.root, []
    for label in labels:
        edges = [
            e for e in graph.led_to(key) if e.label == label and not e.source.startswith("artifact")
        ]
        edges = edges or [e for e in graph.led_to(key) if e.label == label]
        key = edges[0].source
        found.append(graph.node(key).label)
    return found


def test_a_release_leads_back_to_its_training_data(run: ReleasedRun) -> None:
    graph = graph_of(run.workspace.root)
    back = path_back(
        graph, "serves", "made by", "read", "made by", "read", "made by", "read", "taken from"
    )
    assert back == [
        "pushed model",
        "pushing the model",
        "candidate model",
        "training",
        "training and tuning examples",
        "reading the training cases",
        "training data",
        "data source",
    ]


def test_training_data_have_their_root_and_cases_by_split(run: ReleasedRun) -> None:
    node = graph_of(run.workspace.root).node("training")
    assert node.sha256 == run.record.inputs.training_root
    assert (node.facts["cases"], node.facts["train cases"], node.facts["tune cases"]) == (6, 4, 2)


def test_the_decision_leads_back_to_all_that_judged(run: ReleasedRun) -> None:
    graph = graph_of(run.workspace.root)
    (made,) = graph.led_to("decision")
    judged = {edge.label: graph.node(edge.source) for edge in graph.led_to(made.source)}
    assert judged["judged by"].sha256 == run.decision.hashes["policy"]
    assert judged["judged on"].facts["version"] == 1
    assert judged["compared with"].key in ("golden", "champion")


def test_the_champion_is_the_earlier_release_and_links_to_it(run: ReleasedRun) -> None:
    champion = graph_of(run.workspace.root).node("champion")
    assert (champion.kind, champion.names) == ("release", ("release", "6"))


def test_who_approved_golden_stands_behind_it(run: ReleasedRun) -> None:
    graph = graph_of(run.workspace.root)
    assert [graph.node(e.source).label for e in graph.led_to("golden")] == ["A. Radiologist"]


def test_everything_leads_to_the_release(run: ReleasedRun) -> None:
    graph = graph_of(run.workspace.root)
    reached, waiting = set(), [graph.root]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += [edge.source for edge in graph.led_to(key)]
    assert reached == {node.key for node in graph.nodes}


def test_without_ml_metadata_the_record_speaks_and_says_so(run: ReleasedRun) -> None:
    with Evidence(run.workspace.root) as evidence:
        subject = evidence.subject(str(VERSION))
        found = trace_sources(evidence, subject, splits=False)
    graph = trace_of(replace(found, graph=Graph((), (), ())))
    assert "the run record alone speaks" in graph.notes[0]
    assert graph.node("decision").facts["verdict"] == "PASS"
    assert not list(graph.of_kind("execution"))


def test_a_blocked_run_leads_to_itself_and_names_what_did_not_pass(tmp_path: Path) -> None:
    run = released(tmp_path, wrong=tuple(range(30)))
    with Evidence(run.workspace.root) as evidence:
        found = trace_sources(evidence, evidence.subject(RUN), splits=False)
    graph = trace_of(replace(found, release=None, original=None))
    assert graph.node(graph.root).kind == "run"
    assert "sensitivity[overall].floor" in str(graph.node("decision").facts["not passed"])


def test_what_came_from_the_cache_names_execution_and_run(tmp_path: Path) -> None:
    run = released(tmp_path)
    later = "20260102T000000.000000Z"
    execute(run.workspace, later, cached=("TrainingCases", "CaseSet", "Transform"))
    with Evidence(run.workspace.root) as evidence:
        found = trace_sources(evidence, evidence.subject(RUN), splits=False)
        graph = evidence.store.run_graph(run.workspace.pipeline_run(later))
        from pipeline.evidence.trace.trace import origins

        again = trace_of(replace(found, graph=graph, origins=origins(evidence.store, graph)))
    steps = {n.facts["component"]: n.facts for n in again.of_kind("execution")}
    maker = next(
        n.facts["execution"]
        for n in trace_of(found).of_kind("execution")
        if n.facts["component"] == "TrainingCases"
    )
    assert steps["TrainingCases"]["from the cache"] == f"made by execution {maker} of run {RUN}"
    assert "from the cache" not in steps["Trainer"]


def test_a_rollback_leads_to_the_release_it_restored(tmp_path: Path) -> None:
    run = released(tmp_path)
    model = run.record.release.model_sha256  # type: ignore[union-attr]
    Ledger(run.workspace.ledger).append(
        "rollback",
        {
            "destination": PLACE,
            "from_version": 8,
            "to_version": VERSION,
            "new_version": 9,
            "from_model_sha256": "a" * 64,
            "to_model_sha256": model,
            "decision_sha256": run.decision.decision_sha256,
            "reason": "drill",
        },
        by="Dr. Okafor",
        at="2026-01-02T00:00:00Z",
    )
    graph = graph_of(run.workspace.root, "9")
    assert path_back(graph, "restored", "serves") == ["version 7", "pushed model"]
    assert path_back(graph, "rolled back by") == ["Dr. Okafor"]


def test_an_edited_training_manifest_is_not_followed(tmp_path: Path) -> None:
    run = released(tmp_path)
    (path,) = run.workspace.training.glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"label":1', b'"label":0', 1))
    with refused(IntegrityError, "Merkle root"):
        graph_of(run.workspace.root)


def test_a_training_manifest_that_is_gone_is_said(tmp_path: Path) -> None:
    run = released(tmp_path)
    (path,) = run.workspace.training.glob("*.jsonl")
    path.unlink()
    assert "is not here" in graph_of(run.workspace.root).notes[0]


def test_the_earlier_run_is_no_part_of_it(run: ReleasedRun) -> None:
    assert EARLIER not in str(graph_of(run.workspace.root).document())
