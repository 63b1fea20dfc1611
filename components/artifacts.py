"""What casegate's own components hand on, as ML Metadata artifact types."""

from tfx.types.artifact import Artifact


class CaseIndex(Artifact):
    """`cases.jsonl`, a line per written case, and `summary.json`: counts, leaks, skipped cases."""

    TYPE_NAME = "CasegateCaseIndex"


class DataAdmission(Artifact):
    """`admission.json`: what was checked before training was allowed."""

    TYPE_NAME = "CasegateDataAdmission"


class CaseScoresArtifact(Artifact):
    """`scores.json`: one model's score for every case of the case set."""

    TYPE_NAME = "CasegateCaseScores"


class ReferenceArtifact(Artifact):
    """`reference.npz`: the tuning cases with the model's scores, as columns."""

    TYPE_NAME = "CasegateReference"


class ExportArtifact(Artifact):
    """`artefact/`: a model in the form of another runtime; `measured.json` alone where none is."""

    TYPE_NAME = "CasegateExport"


class ExportScoresArtifact(Artifact):
    """A copy of an export, its scores by runtime, and `measured.json`."""

    TYPE_NAME = "CasegateExportScores"


class SiteAnswersArtifact(Artifact):
    """`sites.json`: what the sites that the policy names were asked about a model, and answered."""

    TYPE_NAME = "CasegateSiteAnswers"


class DecisionArtifact(Artifact):
    """`decision.json`: the verdict and every number that led to it."""

    TYPE_NAME = "CasegateDecision"


class Attestation(Artifact):
    """`decision.dsse.json`: who signed the decision; `unsigned.json` where nobody did."""

    TYPE_NAME = "CasegateAttestation"
