"""A release followed back to its training examples: what led to what, in one graph.

The run record says what went in and who answers for it, the ledger what was released, and ML
Metadata which execution read and wrote what in between. Where one of them is silent the graph says
so and goes on with the others.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from components.bundle.trace_graph import EXECUTION, PERSON, TraceBuilder, TraceGraph, Value
from components.decision import Decision, ExportDecision
from components.lineage.graph import READ, WROTE, ArtifactNode, ExecutionNode, Graph
from components.lineage.reader import MetadataStore
from components.lineage.record import RunRecord
from components.lineage.training import check_manifest, manifest_path
from components.records.clock import time_text
from components.records.ledger.records import Release
from pipeline.evidence.removed import folder_of, removed_folders
from pipeline.evidence.subject import Evidence, Subject
from pipeline.evidence.trace.record import (
    ASIDE,
    add_record,
    exported_kind,
    step_words,
    thing_words,
)

SPLITS = {"train": "train_cases", "tune": "tune_cases"}
FOUND, CANDIDATE, PUSHED = "decision", "candidate", "pushed"


@dataclass(frozen=True)
class Origin:
    """The execution that made what a later run took from the cache, and in which run."""

    execution_id: int
    pipeline_run: str


@dataclass(frozen=True)
class TraceSources:
    """Everything that a trace is made from; the same in a workspace and in a bundle.

    Attributes:
      graph: the run's part of ML Metadata; empty where there is none.
      release: the version that was asked about, or the one that the run released.
      original: the release whose model a rollback restored; `release` itself where it is none.
      origins: by artifact id, for what came from the cache.
      splits: training cases by split, where the manifest was read.
      removed: number of the ledger's entry by folder, as `removed_folders` has them.
    """

    name: str
    record: RunRecord
    graph: Graph
    decision: Decision | None = None
    release: Release | None = None
    original: Release | None = None
    origins: Mapping[int, Origin] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def trace(evidence: Evidence, subject: Subject) -> TraceGraph:
    """The graph behind a release or a run of a workspace.

    Raises:
      IntegrityError: the record or the decision is not as recorded.
    """
    given = trace_sources(evidence, subject, splits=True)
    # Not in `trace_sources`: a bundle holds no such lists, and has to come to the same graph.
    return trace_of(replace(given, removed=removed_folders(evidence)))


def trace_sources(evidence: Evidence, subject: Subject, *, splits: bool) -> TraceSources:
    """What a workspace holds of a subject.

    Args:
      splits: whether to ask ML Metadata how many cases each split has; whether the manifest
        still says so is what `lineage verify` and `independence` check.
    """
    record = evidence.record(subject.run_id)
    graph = evidence.store.run_graph(record.store.pipeline_run)
    root = record.inputs.training_root
    counts, notes = _splits(evidence, root) if splits and root else ({}, ())
    return TraceSources(
        name=subject.name,
        record=record,
        graph=graph,
        decision=evidence.decision(subject.run_id),
        release=subject.release,
        original=original(subject, evidence.releases),
        origins=origins(evidence.store, graph),
        splits=counts,
        notes=notes,
    )


def _splits(evidence: Evidence, root: str) -> tuple[Mapping[str, int], tuple[str, ...]]:
    path, counts = manifest_path(evidence.workspace.training, root), dict[str, int]()
    if row := evidence.store.training_set(root):
        counts = {split: row[key] for split, key in SPLITS.items() if key in row}
    if not path.exists():
        return counts, (f"The training manifest {path.name} is not here, so nothing proves it.",)
    return counts or check_manifest(path, root=root).splits, ()


def original(subject: Subject, releases: Iterable[Release]) -> Release | None:
    """The release that first served the subject's model, which a rollback restored."""
    last = subject.release
    if last is None or last.restored is None:
        return last
    mine = (r for r in releases if r.run_id == subject.run_id)
    return next((r for r in mine if r.destination == last.destination), None)


def origins(store: MetadataStore, graph: Graph) -> dict[int, Origin]:
    """Who made the artifacts that this run took from the cache."""
    cached = {e.id for e in graph.executions if e.state == "cached"}
    wanted = sorted({v.artifact_id for v in graph.events if v.execution_id in cached})
    if not wanted:
        return {}
    rows = store.query(
        "SELECT v.artifact_id, v.execution_id, c.name AS pipeline_run FROM Event v "
        "JOIN Execution e ON e.id = v.execution_id AND e.last_known_state = 3 "
        "JOIN Association s ON s.execution_id = e.id JOIN Context c ON c.id = s.context_id "
        "JOIN Type k ON k.id = c.type_id AND k.name = 'pipeline_run' "
        "WHERE v.type IN (2, 4, 6, 7) AND v.artifact_id IN :ids ORDER BY v.execution_id DESC",
        ids=wanted,
    )
    return {row["artifact_id"]: Origin(row["execution_id"], row["pipeline_run"]) for row in rows}


def trace_of(given: TraceSources) -> TraceGraph:
    """The graph; depends on nothing but its argument."""
    graph = TraceBuilder()
    notes = list(given.notes)
    part = _relevant(given.graph)
    if not given.graph.executions:
        notes.append("ML Metadata holds no execution of this run; the run record alone speaks.")
    keys = _artifacts(graph, part, given)
    _executions(graph, part, given, keys)
    steps = {e.component: _execution_key(e) for e in part.executions}
    if given.decision is not None and FOUND not in keys.values():
        sha256 = given.decision.decision_sha256
        graph.add(FOUND, "decision", "decision", facts=_verdict(given.decision), sha256=sha256)
    end = add_record(graph, given.record, given.decision, steps, given.splits)
    root = _release(graph, given, end)
    _exports(graph, given, keys.values())
    sink = _release_key(given.original) if given.original else root
    for key in reversed(graph.loose_ends()):
        if key not in (root, end):
            served = key == PUSHED and given.original is not None
            how = "serves" if served else "rests on" if key == FOUND else "came with"
            graph.tie(key, sink, how)
    return graph.graph(given.name, root, notes)


def _relevant(graph: Graph) -> Graph:
    """What led to the pushed model and to the decision; all of it where nothing was pushed."""
    pushed = [
        a.id for a in graph.artifacts if a.type == "PushedModel" and a.properties.get("pushed")
    ]
    if pushed:
        words = ("CasegateDecision", "CasegateAttestation")
        return graph.behind([*pushed, *(a.id for a in graph.artifacts if a.type in words)])
    kept = tuple(a for a in graph.artifacts if a.type not in ASIDE)
    ids = {a.id for a in kept}
    return Graph(graph.executions, kept, tuple(v for v in graph.events if v.artifact_id in ids))


def _artifacts(graph: TraceBuilder, part: Graph, given: TraceSources) -> dict[int, str]:
    component = {e.id: e.component for e in part.executions}
    maker = {v.artifact_id: component[v.execution_id] for v in part.events if v.kind == WROTE}
    keys = {}
    for artifact in part.artifacts:
        made_by = maker.get(artifact.id)
        kind, label = thing_words(artifact.type, made_by)
        key, sha256 = _identity(artifact, made_by, given)
        if key == PUSHED and not artifact.properties.get("pushed"):
            label = "nothing was pushed"
        facts = _artifact_facts(artifact, given)
        if key == FOUND and given.decision is not None:
            facts = {**_verdict(given.decision), **facts}
        if export := _export_of(key, given):
            label, facts = f"{export.kind} as exported", {**_export_facts(export), **facts}
        keys[artifact.id] = graph.add(key, kind, label, facts=facts, sha256=sha256)
    return keys


def _identity(
    artifact: ArtifactNode, maker: str | None, given: TraceSources
) -> tuple[str, str | None]:
    decided, released = given.record.decision, given.record.release
    if artifact.type == "CasegateDecision" and given.decision is not None:
        return FOUND, given.decision.decision_sha256
    if artifact.type == "Model" and maker == "Trainer":
        return CANDIDATE, decided.candidate_sha256 if decided else None
    if artifact.type == "PushedModel":
        return PUSHED, released.model_sha256 if released else None
    if artifact.type == "CasegateExport" and (kind := exported_kind(maker or "")):
        export = _export_of(f"export-{kind}", given)
        return f"export-{kind}", export.sha256 if export else None
    return f"artifact-{artifact.id}", None


def _artifact_facts(artifact: ArtifactNode, given: TraceSources) -> dict[str, Value]:
    facts: dict[str, Value] = {"artifact": artifact.id, "kept in": artifact.uri}
    if entry := given.removed.get(folder_of(artifact.uri)):
        facts["removed"] = f"by retention, entry {entry} of the ledger"
    if "blessed" in artifact.properties and artifact.type == "ModelBlessing":
        facts["blessed"] = "yes" if artifact.properties["blessed"] == 1 else "no"
    if artifact.type == "CasegateAttestation":
        facts["signed by"] = artifact.properties.get("signers") or "nobody"
    if artifact.state != "live":
        facts["state"] = artifact.state
    return facts


def _verdict(decision: Decision) -> dict[str, Value]:
    opened = [check.check for check in decision.checks if check.open]
    facts: dict[str, Value] = {"verdict": decision.verdict.value, "taken": decision.created}
    facts["checks"] = len(decision.checks)
    if opened:
        more = f" and {len(opened) - 3} more" if len(opened) > 3 else ""
        facts["not passed"] = ", ".join(opened[:3]) + more
    return facts


def _export_of(key: str, given: TraceSources) -> ExportDecision | None:
    exports = given.decision.exports if given.decision else ()
    return next((each for each in exports if key == f"export-{each.kind}"), None)


def _export_facts(export: ExportDecision) -> dict[str, Value]:
    opened = [check.check for check in export.checks if check.open]
    return {
        "artefact": export.kind,
        "verdict": export.verdict.value,
        "operating point": export.operating_point,
        "bytes": export.size_bytes,
        **({"not passed": ", ".join(opened[:3])} if opened else {}),
    }


def _exports(graph: TraceBuilder, given: TraceSources, known: Collection[str]) -> None:
    """Adds the artefacts that ML Metadata does not have, and ties each to what released it."""
    releases = {r.seq: r for r in (given.original, given.release) if r is not None}
    for export in given.decision.exports if given.decision else ():
        if export.sha256 is None:
            continue
        key, label = f"export-{export.kind}", f"{export.kind} as exported"
        if key not in known:
            graph.add(key, "model", label, facts=_export_facts(export), sha256=export.sha256)
            graph.tie(key, FOUND, "judged")
        for release in releases.values():
            if export.kind in release.exports:
                graph.tie(key, _release_key(release), "released with")


def _executions(
    graph: TraceBuilder, part: Graph, given: TraceSources, keys: Mapping[int, str]
) -> None:
    ended = {"failed": "failed", "running": "never ended"}
    for execution in part.executions:
        facts: dict[str, Value] = {
            "component": execution.component,
            "execution": execution.id,
            "state": ended.get(execution.state, execution.state),
            "started": _iso(execution.started_ms),
            "ended": _iso(execution.ended_ms),
        }
        artifacts = (v.artifact_id for v in part.events if v.execution_id == execution.id)
        made = next((given.origins[id_] for id_ in artifacts if id_ in given.origins), None)
        if made is not None and execution.state == "cached":
            run = made.pipeline_run.partition(".")[2]
            facts["from the cache"] = f"made by execution {made.execution_id} of run {run}"
        words = step_words(execution.component)
        graph.add(_execution_key(execution), EXECUTION, words, facts=facts)
    steps = {e.id: _execution_key(e) for e in part.executions}
    for event in part.events:
        step, artifact = steps[event.execution_id], keys[event.artifact_id]
        if event.kind == READ:
            graph.tie(artifact, step, "read")
        else:
            graph.tie(step, artifact, "made by")


def _release(graph: TraceBuilder, given: TraceSources, run: str) -> str:
    """Adds the release and, where it was a rollback, the one that it restored; the graph's root."""
    first, release, before = given.original, given.release, run
    if first is not None:
        before = _release_node(graph, first)
        graph.tie(run, before, "released by")
    if release is None or (first is not None and release.seq == first.seq):
        return before
    key = _release_node(graph, release)
    person = graph.add(f"person-{release.by}", PERSON, release.by)
    graph.tie(person, key, "rolled back by")
    graph.tie(before, key, "restored")
    return key


def _release_node(graph: TraceBuilder, release: Release) -> str:
    label = f"version {release.version}"
    if release.restored is not None:
        label += f", rollback to {release.restored}"
    facts: dict[str, Value] = {
        "destination": release.destination,
        "at": release.at,
        "ledger entry": release.seq,
        "signed": "yes" if release.attestation_sha256 else "no",
    }
    key, names = _release_key(release), ("release", str(release.version))
    sha256 = release.model_sha256
    return graph.add(key, "release", label, facts=facts, sha256=sha256, names=names)


def _release_key(release: Release) -> str:
    return f"release-{release.version}"


def _execution_key(execution: ExecutionNode) -> str:
    return f"execution-{execution.id}"


def _iso(milliseconds: int) -> str:
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    return time_text(epoch + timedelta(milliseconds=milliseconds))
