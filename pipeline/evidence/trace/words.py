"""What TFX calls a component or an artifact, in the words that a reader of a release knows."""

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


def step_words(component: str) -> str:
    """What a component did; its own name where it is none of the pipeline's."""
    return STEPS.get(component, component)


def thing_words(type_name: str, component: str | None) -> tuple[str, str]:
    """Kind and words of an artifact; the type's own name where it is none of the pipeline's."""
    for key in ((type_name, component or ""), (type_name, "")):
        if key in _THINGS:
            return _THINGS[key]
    return "evidence", type_name
