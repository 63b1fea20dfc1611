"""The part of a trace that the run record knows: what went in, and who answers for it."""

from collections.abc import Mapping
from typing import Any

from components.bundle.trace_graph import PERSON, TraceBuilder, Value
from components.decision import Decision
from components.lineage.record import RunRecord
from components.records.export import KINDS
from pipeline.evidence.answer import Columns, facts_of, named

# Component -> what it did.
STEPS = {
    "TrainingCases": "reading the training cases",
    "CaseSet": "reading the case set",
    "ImportSchemaGen": "taking the schema",
    "StatisticsGen": "statistics of the data",
    "ExampleValidator": "checking the training data",
    "DataGate": "admitting the training data",
    "Transform": "preparing the pictures",
    "Trainer": "training",
    "ChampionModel": "fetching the champion",
    "ChampionScorer": "scoring the champion",
    "CandidateScorer": "scoring the candidate",
    "ReferenceScorer": "scoring the tuning cases",
    "Evaluator": "evaluation by TFMA",
    "RegressionGate": "judging by the policy",
    "DecisionAttestor": "signing the decision",
    "Pusher": "pushing the model",
}

# Beginning of a component's name -> the kind that it makes or scores.
_EXPORTING = {kind.title().replace("_", ""): kind for kind in KINDS}


def step_words(component: str) -> str:
    """What a component did, in words; its own name where it is none of the pipeline's."""
    if kind := exported_kind(component):
        return f"{'converting to' if 'Exporter' in component else 'scoring as'} {kind}"
    return STEPS.get(component, component)


def exported_kind(component: str) -> str | None:
    """The kind of artefact that a component makes or scores; None for every other component."""
    return _EXPORTING.get(component.removesuffix("Exporter").removesuffix("Scorer"))


# Type of an artifact, and the component that wrote it where that matters -> kind and words.
_THINGS = {
    ("Examples", "TrainingCases"): ("data", "training and tuning examples"),
    ("Examples", "CaseSet"): ("data", "examples of the case set"),
    ("CasegateCaseIndex", "TrainingCases"): ("data", "index of the training cases"),
    ("CasegateCaseIndex", "CaseSet"): ("data", "index of the case set"),
    ("Schema", ""): ("rule", "schema as used"),
    ("ExampleStatistics", ""): ("evidence", "statistics of the data"),
    ("ExampleAnomalies", ""): ("evidence", "anomalies of the data"),
    ("CasegateDataAdmission", ""): ("evidence", "admission of the data"),
    ("TransformGraph", ""): ("model", "preparation of the pictures"),
    ("Model", "Trainer"): ("model", "candidate model"),
    ("Model", "ChampionModel"): ("model", "champion as fetched"),
    ("CasegateCaseScores", "ChampionScorer"): ("evidence", "the champion's scores"),
    ("CasegateCaseScores", "CandidateScorer"): ("evidence", "the candidate's scores"),
    ("CasegateReference", ""): ("evidence", "what served cases are compared with"),
    ("ModelEvaluation", ""): ("evidence", "evaluation"),
    ("ModelBlessing", "Evaluator"): ("decision", "the Evaluator's blessing"),
    ("ModelBlessing", "RegressionGate"): ("decision", "the gate's blessing"),
    ("CasegateDecision", ""): ("decision", "decision"),
    ("CasegateAttestation", ""): ("decision", "signed decision"),
    ("PushedModel", ""): ("model", "pushed model"),
    ("CasegateExport", ""): ("model", "exported artefact"),
    ("CasegateExportScores", ""): ("evidence", "an exported artefact's scores"),
}

# What no question about a release leads to.
ASIDE = ("TransformCache", "ModelRun")


def thing_words(type_name: str, component: str | None) -> tuple[str, str]:
    """Kind and words of an artifact; the type's own name where it is none of the pipeline's."""
    for key in ((type_name, component or ""), (type_name, "")):
        if key in _THINGS:
            return _THINGS[key]
    return "evidence", type_name


Steps = Mapping[str, str]  # component -> key of its execution, where ML Metadata has it


def add_record(
    graph: TraceBuilder,
    record: RunRecord,
    decision: Decision | None,
    steps: Steps,
    splits: Mapping[str, int],
) -> str:
    """Adds the run and all that it was given; returns the run's key."""
    run = _run(graph, record)
    _circumstances(graph, record, run)
    _data(graph, record, steps, splits, run)
    _judged_by(graph, record, steps, run)
    for note in decision.waivers if decision else ():
        if note.state == "applied":
            for person in (note.by, note.second):
                _answers(graph, person, "decision", f"{note.check} waived by")
    return run


# Facts of each node, as an answer's are found.
_RUN: Columns = {
    "run": "run_id",
    "state": lambda record: record.state.replace("_", " "),
    **named("started", "finished"),
    "why": "why.trigger",
    "seed": "seeds.seed",
}
_CODE: Columns = {
    "commit": "git_commit",
    "uncommitted changes": lambda code: {True: "yes", False: "no"}.get(code.git_dirty),
    **named("diff_sha256"),
}
_ENVIRONMENT: Columns = {
    **named("python", "os"),
    "packages": lambda environment: len(environment.packages),
    **named("lock_file_sha256"),
}
_CASE_SET: Columns = {
    "name": "case_set",
    "version": "case_set_version",
    "cases": "case_set_cases",
    "Merkle root": "case_set_root",
    "file_sha256": "case_set_sha256",
}
_POLICY: Columns = {"name": "policy", "commit": "policy_commit", "committed": "policy_committed"}


def _run(graph: TraceBuilder, record: RunRecord) -> str:
    facts = facts_of(record, _RUN) | ({"error": record.error} if record.error else {})
    names, sha256 = ("run", record.run_id), record.record_sha256
    return graph.add("run", "run", "run", names=names, sha256=sha256, facts=facts)


def _circumstances(graph: TraceBuilder, record: RunRecord, run: str) -> None:
    code, environment, config = record.code, record.environment, record.inputs.config_sha256
    _answers(graph, record.who.user or record.who.owner, run, "started by")
    _answers(graph, record.where.commit_author, "code", "written by")
    names = ("commit", code.git_commit) if code.git_commit else None
    known: dict[str, Any] = {"sha256": code.code_sha256, "facts": facts_of(code, _CODE)}
    graph.lead(run, "ran", "code", "code", "code", names=names, **known)
    known = {"sha256": environment.sha256, "facts": facts_of(environment, _ENVIRONMENT)}
    graph.lead(run, "ran in", "environment", "code", "environment", **known)
    if config:
        graph.lead(run, "ran with", "config", "rule", "configuration", sha256=config)


def _data(
    graph: TraceBuilder, record: RunRecord, steps: Steps, splits: Mapping[str, int], run: str
) -> None:
    given = record.inputs
    source, facts = None, dict[str, Value]()
    if given.data is not None:
        facts = {"source": given.data}
        source = graph.add("source", "data", "data source", facts=facts, sha256=given.data_sha256)
    if (root := given.training_root) is not None:
        counts = {f"{split} cases": count for split, count in splits.items()}
        facts = {"cases": given.training_cases, **counts, "Merkle root": root}
        graph.add("training", "data", "training data", sha256=root, facts=facts)
        graph.tie(source, "training", "taken from")
        source = "training"
    graph.tie(source, steps.get("TrainingCases", run), "read")
    if given.case_set is not None:
        names, facts = ("case_set", given.case_set), facts_of(given, _CASE_SET)
        known: dict[str, Any] = {"names": names, "sha256": given.case_set_root, "facts": facts}
        graph.lead(steps.get("CaseSet", run), "read", "case_set", "data", "case set", **known)
        if "RegressionGate" in steps:
            graph.tie("case_set", steps["RegressionGate"], "judged on")


def _judged_by(graph: TraceBuilder, record: RunRecord, steps: Steps, run: str) -> None:
    given = record.inputs
    judging = steps.get("RegressionGate", run)
    if given.policy is not None:
        known: dict[str, Any] = {"facts": facts_of(given, _POLICY), "sha256": given.policy_sha256}
        graph.lead(judging, "judged by", "policy", "rule", "policy", **known)
    if given.golden_sha256 is not None:
        known = {"sha256": given.golden_sha256, "facts": {"file_sha256": given.golden_file_sha256}}
        graph.lead(judging, "compared with", "golden", "model", "golden", **known)
        _answers(graph, given.golden_approved_by, "golden", "approved by")
    if given.champion_sha256 is not None:
        version, to = given.champion_version, steps.get("ChampionModel", judging)
        known = {"sha256": given.champion_sha256, "facts": {"version": version}}
        kind, label = "model", "champion"
        if version is not None:
            kind, label, known["names"] = (
                "release",
                f"{label}, version {version}",
                ("release", str(version)),
            )
        graph.lead(to, "compared with", "champion", kind, label, **known)
    if given.schema_sha256 is not None:
        step, sha256 = steps.get("ImportSchemaGen", run), given.schema_sha256
        graph.lead(step, "taken from", "schema", "rule", "schema", sha256=sha256)


def _answers(graph: TraceBuilder, name: str | None, target: str, how: str) -> None:
    """A person answers for something, where it is known who."""
    if name is not None:
        graph.lead(target, how, f"person-{name}", PERSON, name)
