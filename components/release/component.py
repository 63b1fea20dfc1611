"""The champion as TFX's Evaluator wants it, and TFX's Pusher made all-or-nothing."""

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

from tfx.components.pusher import executor as pusher_executor
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.proto.pusher_pb2 import PushDestination
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Model
from tfx.utils import path_utils, proto_utils

from components.attestation.checking import CheckedStatement, subjects_of
from components.attestation.keys import load_signers
from components.attestation.signing import attest_release, check_releasable
from components.attestation.statements import TRAINING
from components.baselines.export_scores import ARTEFACT
from components.decision import Verdict, load_decision
from components.records.errors import IntegrityError, Unservable
from components.records.export import EXPORTS
from components.records.files import sha256_tree, sync, sync_tree
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import recorded_name
from components.records.problems import report_error
from components.records.run_files import DECISION, DECISION_ATTESTATION
from components.release.exports import exports_of
from components.release.placing import place_exports, stage_exports
from components.release.serving import (
    discard_incoming,
    find_champion,
    incoming_folder,
    record_release,
    versions,
)


@component
def ChampionModel(
    model: OutputArtifact[Model],
    version_path: Parameter[str],
    sha256: Parameter[str],
    problems: Parameter[str],
) -> None:
    """Copies the released version into a Model artifact, after checking what it is."""
    with report_error(problems):
        target = path_utils.serving_model_dir(model.uri)
        shutil.copytree(version_path, target)
        if sha256_tree(Path(target)) != sha256:
            raise IntegrityError(f"{version_path}: changed while it was read; run again")


class AtomicPusherExecutor(pusher_executor.Executor):
    """TFX's Pusher, but a version appears in the destination whole or not at all.

    TFX copies file by file into the served folder, so a run that is killed leaves half a
    model there. Here it copies beside the destination, on the same file system, and the
    finished version is renamed into place.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        push = PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], push)
        destination = Path(push.filesystem.base_directory)
        request = json.loads(exec_properties["custom_config"])
        signed = _signed_decision(input_dict, request)
        incoming = incoming_folder(destination)
        push.filesystem.base_directory = str(incoming)
        beside = {**exec_properties, "push_destination": proto_utils.proto_to_json(push)}
        super().Do(input_dict, output_dict, beside)
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not pushed.get_int_custom_property("pushed"):
            return
        with report_error(request["problems"]):
            _refuse_other(incoming, Path(request["run_folder"]) / DECISION)
        stamped = incoming / pushed.get_string_custom_property("pushed_version")
        with report_error(request["problems"]):
            _refuse_unservable(stamped, request["check_fn"])
        with report_error(request["problems"]):
            target = _release(stamped, destination, signed, request)
        discard_incoming(destination)
        pushed.set_string_custom_property("pushed_destination", str(target))
        pushed.set_string_custom_property("pushed_version", target.name)
        champion = find_champion(destination, Path(request["runs"]))
        if champion is None:
            raise IntegrityError(f"{destination}: what was pushed is gone; run again")
        workspace = Path(request["workspace"])
        record_release(Ledger(Path(request["ledger"])), champion, workspace=workspace)


def _release(
    model: Path, destination: Path, signed: CheckedStatement | None, request: dict[str, Any]
) -> Path:
    """Renames the model into the destination, as a version that is attested first; its folder."""
    workspace, run_folder = Path(request["workspace"]), Path(request["run_folder"])
    decision, exports = load_decision(run_folder / DECISION), exports_of(workspace, destination)
    # TFX names a version by the clock; one that went back must not make an old model the
    # newest, which is the one that TensorFlow Serving takes.
    taken = [*versions(destination), *versions(exports)]
    version = max([int(model.name), *(known + 1 for known in taken)])
    target = destination / str(version)
    destination.mkdir(parents=True, exist_ok=True)
    sync_tree(model)
    passed = decision.passed_exports
    staged = stage_exports(
        {kind: run_folder / EXPORTS / kind / ARTEFACT for kind in passed},
        passed,
        model_sha256=str(decision.hashes["candidate"]),
        exports=exports,
        version=version,
    )
    envelope = None
    if signed is not None:
        envelope = attest_release(
            run_folder,
            model_folder=model,
            destination=recorded_name(destination, workspace),
            version=version,
            decision=signed,
            signers=load_signers(),
            exports={kind: staged / kind for kind in passed},
        )
    place_exports(staged, exports, signed=envelope)
    model.rename(target)
    sync(destination)  # only the new name: what is served already was flushed when it came
    return target


def _refuse_other(incoming: Path, decided: Path) -> None:
    """Raises IntegrityError unless `incoming` holds what was judged, and it can be served."""
    decision = load_decision(decided)
    wanted = decision.hashes["candidate"]
    found = [sha256_tree(version) for version in incoming.iterdir()]
    if found != [wanted]:
        got = ", ".join(digest[:12] for digest in found) or "nothing"
        raise IntegrityError(
            f"{incoming}: got {got}, wanted {wanted}: the files are not those that were judged; "
            "nothing was pushed, run again"
        )
    if not any(c.rule == "servable" and c.verdict is Verdict.PASS for c in decision.checks):
        raise IntegrityError(
            f"{decided}: says nothing of whether the model can be served; nothing was pushed"
        )


def _refuse_unservable(model: Path, check_fn: str) -> None:
    """Raises Unservable where this dotted name's function does, of what is about to be released."""
    module, _, name = check_fn.rpartition(".")
    try:
        getattr(importlib.import_module(module), name)(model)
    except Unservable as error:
        raise Unservable(f"{error}; nothing was pushed") from None


def _signed_decision(
    input_dict: dict[str, list[Any]], request: dict[str, Any]
) -> CheckedStatement | None:
    """The signed decision that lets this model be pushed; None where it may go unsigned.

    Raises:
      SignatureError: it has to be signed and is not, or is signed for something else.
    """
    blessing = artifact_utils.get_single_instance(input_dict["model_blessing"])
    if blessing.get_int_custom_property("blessed") != 1:
        return None  # nothing will be pushed
    envelope = Path(request["run_folder"]) / DECISION_ATTESTATION
    if not envelope.exists() and request["unsigned"] and not load_signers():
        return None  # with a key at hand it was signed, so an envelope that is gone was taken away
    model = artifact_utils.get_single_instance(input_dict["model"])
    with report_error(request["problems"]):
        return check_releasable(
            envelope,
            model_folder=Path(path_utils.serving_model_path(model.uri)),
            there=subjects_of(request["subjects"]),
            trusted_keys=Path(request["keys"]),
            threshold=request["threshold"],
            unmeasured=(TRAINING,),
        )
