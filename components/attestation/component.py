"""DecisionAttestor: writes a run's report, then signs the decision together with all it rests on.

It stands between the gate and Pusher, so that nothing is pushed before it is signed.
"""

import importlib
import json
from pathlib import Path
from typing import Any

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Model, ModelBlessing
from tfx.utils import path_utils

from components.artifacts import Attestation, CaseIndex, DecisionArtifact
from components.attestation.checking import subjects_of
from components.attestation.keys import VARIABLE, load_signers
from components.attestation.signing import attest_decision
from components.decision import Verdict, load_decision
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_file, write_atomically
from components.records.problems import report_error
from components.records.run_files import DECISION, DECISION_ATTESTATION

UNSIGNED = "unsigned.json"


@component
def DecisionAttestor(
    decision: InputArtifact[DecisionArtifact],
    blessing: InputArtifact[ModelBlessing],
    training_index: InputArtifact[CaseIndex],
    model: InputArtifact[Model],
    attestation: OutputArtifact[Attestation],
    request: Parameter[str],
    report_fn: Parameter[str],
    problems: Parameter[str],
) -> None:
    """Writes `report.html`, `report.md` and `decision.dsse.json` into the run's folder.

    Args:
      request: JSON: `run_folder`; `subjects`, name -> [path or "", SHA-256], those that are known
        beforehand; `report`, what `report_fn` is given; `signing`, `unsigned`, whether it may go
        so, and `why`.
      report_fn: dotted name of `report(folder, arguments) -> {name: SHA-256}`: it writes the two
        reports and returns further subjects. Its arguments are `report`, `training_index`, the uri
        of that artifact, and `candidate`, the SavedModel's folder.
    """
    with report_error(problems):
        asked = json.loads(request)
        folder = Path(asked["run_folder"])
        may_be_pushed = _same_decision(Path(decision.uri) / DECISION, folder, blessing)
        arguments = {
            **asked["report"],
            "training_index": training_index.uri,
            "candidate": path_utils.serving_model_path(model.uri),
        }
        module, _, name = report_fn.rpartition(".")
        made = getattr(importlib.import_module(module), name)(folder, arguments)
        signers = load_signers()
        if signers:
            known = subjects_of(asked["subjects"], unchanged=True)
            envelope = attest_decision(folder, {**known, **made}, signers)
            content, name = envelope.read_bytes(), DECISION_ATTESTATION
        elif asked["signing"]["unsigned"] or not may_be_pushed:
            why = asked["signing"]["why"] if may_be_pushed else "there is nothing to release"
            why = f"{VARIABLE} names no key, and {why}"
            content, name = json.dumps({"signed": False, "why": why}).encode(), UNSIGNED
        else:
            raise ConfigError(
                f"{VARIABLE} names no key, and a release has to be signed; set it to a private key "
                "(`casegate keys init` makes one), or allow unsigned releases: signing.unsigned"
            )
        write_atomically(Path(attestation.uri) / name, content)
        attestation.set_int_custom_property("signed", int(bool(signers)))
        attestation.set_string_custom_property("signers", ", ".join(one.name for one in signers))


def _same_decision(decided: Path, folder: Path, blessing: Any) -> bool:
    """Whether the model may be pushed.

    Raises:
      IntegrityError: the run's folder, Pusher's blessing and the gate's output tell two stories.
    """
    if sha256_file(decided) != sha256_file(folder / DECISION):
        raise IntegrityError(f"{folder / DECISION}: is not what the gate wrote; run again")
    decision = load_decision(decided)
    may_be_pushed = decision.verdict is Verdict.PASS and not decision.already_released
    if (blessing.get_int_custom_property("blessed") == 1) != may_be_pushed:
        raise IntegrityError(f"{blessing.uri}: the blessing contradicts {decided}; run again")
    return may_be_pushed
