"""The part of a trace that the run record knows: what went in, and who answers for it."""

from collections.abc import Mapping

from components.bundle.trace_graph import PERSON, TraceBuilder, Value
from components.decision import Decision
from components.lineage.record import RunRecord

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
    _data(graph, record, steps, splits, run)
    _judged_by(graph, record, steps, run)
    if decision is not None:
        for note in decision.waivers:
            if note.state == "applied":
                for person in (note.by, note.second):
                    graph.tie(_person(graph, person), "decision", f"{note.check} waived by")
    return run


def _run(graph: TraceBuilder, record: RunRecord) -> str:
    code, environment, inputs = record.code, record.environment, record.inputs
    run = graph.add(
        "run",
        "run",
        "run",
        names=("run", record.run_id),
        sha256=record.record_sha256,
        facts={
            "run": record.run_id,
            "state": record.state.replace("_", " "),
            "started": record.started,
            "finished": record.finished,
            "why": record.why.trigger,
            "seed": record.seeds.seed,
            **({"error": record.error} if record.error else {}),
        },
    )
    starter = record.who.user or record.who.owner
    if starter is not None:
        graph.tie(_person(graph, starter), run, "started by")
    if record.where.commit_author is not None:
        graph.tie(_person(graph, record.where.commit_author), "code", "written by")
    names = ("commit", code.git_commit) if code.git_commit else None
    dirty = None if code.git_dirty is None else "yes" if code.git_dirty else "no"
    facts = {
        "commit": code.git_commit,
        "uncommitted changes": dirty,
        "diff_sha256": code.diff_sha256,
    }
    graph.add("code", "code", "code", names=names, sha256=code.code_sha256, facts=facts)
    graph.tie("code", run, "ran")
    installed = {
        "python": environment.python,
        "os": environment.os,
        "packages": len(environment.packages),
        "lock_file_sha256": environment.lock_file_sha256,
    }
    graph.add("environment", "code", "environment", sha256=environment.sha256, facts=installed)
    graph.tie("environment", run, "ran in")
    if inputs.config_sha256:
        graph.add("config", "rule", "configuration", sha256=inputs.config_sha256)
        graph.tie("config", run, "ran with")
    return run


def _data(
    graph: TraceBuilder, record: RunRecord, steps: Steps, splits: Mapping[str, int], run: str
) -> None:
    given = record.inputs
    source, facts = None, dict[str, Value]()
    if given.data is not None:
        facts = {"source": given.data}
        source = graph.add("source", "data", "data source", facts=facts, sha256=given.data_sha256)
    if (root := given.training_root) is not None:
        facts = {
            "cases": given.training_cases,
            **{f"{split} cases": count for split, count in splits.items()},
            "Merkle root": root,
        }
        graph.add("training", "data", "training data", sha256=root, facts=facts)
        graph.tie(source, "training", "taken from")
        source = "training"
    if source is not None:
        graph.tie(source, steps.get("TrainingCases", run), "read")
    if given.case_set is not None:
        facts = {
            "name": given.case_set,
            "version": given.case_set_version,
            "cases": given.case_set_cases,
            "Merkle root": given.case_set_root,
            "file_sha256": given.case_set_sha256,
        }
        names, root = ("case_set", given.case_set), given.case_set_root
        graph.add("case_set", "data", "case set", names=names, sha256=root, facts=facts)
        graph.tie("case_set", steps.get("CaseSet", run), "read")
        if "RegressionGate" in steps:
            graph.tie("case_set", steps["RegressionGate"], "judged on")


def _judged_by(graph: TraceBuilder, record: RunRecord, steps: Steps, run: str) -> None:
    given = record.inputs
    judging = steps.get("RegressionGate", run)
    if given.policy is not None:
        facts: dict[str, Value] = {
            "name": given.policy,
            "commit": given.policy_commit,
            "committed": given.policy_committed,
        }
        graph.add("policy", "rule", "policy", facts=facts, sha256=given.policy_sha256)
        graph.tie("policy", judging, "judged by")
    if given.golden_sha256 is not None:
        facts = {"file_sha256": given.golden_file_sha256}
        graph.add("golden", "model", "golden", sha256=given.golden_sha256, facts=facts)
        graph.tie("golden", judging, "compared with")
        if given.golden_approved_by is not None:
            graph.tie(_person(graph, given.golden_approved_by), "golden", "approved by")
    if given.champion_sha256 is not None:
        version = given.champion_version
        kind, label, names = "model", "champion", None
        if version is not None:
            kind, label = "release", f"champion, version {version}"
            names = ("release", str(version))
        sha256, facts = given.champion_sha256, {"version": version}
        graph.add("champion", kind, label, sha256=sha256, facts=facts, names=names)
        graph.tie("champion", steps.get("ChampionModel", judging), "compared with")
    if given.schema_sha256 is not None:
        graph.add("schema", "rule", "schema", sha256=given.schema_sha256)
        graph.tie("schema", steps.get("ImportSchemaGen", run), "taken from")


def _person(graph: TraceBuilder, name: str) -> str:
    return graph.add(f"person-{name}", PERSON, name)
