"""A workspace with one released run that holds all a bundle needs, without TensorFlow or TFX.

ML Metadata's rows are written as TFX writes them, the decision is the gate's own, and the record is
closed as a run closes it: so whatever is checked in a bundle of it is really there.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.attestation.keys import Signer
from components.attestation.signing import attest_decision, attest_release, check_releasable
from components.baselines.case_set import CaseSet, save_case_set
from components.baselines.golden import save_golden
from components.baselines.scores import Attention, CaseScores, save_scores
from components.decision import Decision, ExportDecision, Verdict, save_decision
from components.gate.conditions import EvaluatorFindings
from components.gate.exports import export_checks
from components.gate.policy import load_policy
from components.gate.record import judge, record
from components.lineage.opening import open_store
from components.lineage.record import (
    Code,
    Environment,
    Released,
    RunInputs,
    RunRecord,
    Seeds,
    Stored,
    Where,
    Who,
    Why,
)
from components.lineage.training import TrainingRow, write_manifest
from components.records.files import canonical_json, sha256_file, sha256_tree, write_atomically
from components.records.ledger.ledger import Ledger
from components.records.run_files import (
    CHAMPION_SCORES,
    DECISION,
    HTML_REPORT,
    RELEASE_ATTESTATION,
    REPORT,
    REQUEST,
    SCORES,
)
from pipeline.run.recorder import close, decided_in
from pipeline.settings.workspace import Workspace
from tests.components.exporting import exported
from tests.components.planting import CHEST_POLICY, approved, locked, scored, sha

RUN, VERSION, PLACE = "20260101T000000.000000Z", 7, "serving/chest"
PLACED = f"exports/chest/{VERSION}"
EARLIER = "20251231T000000.000000Z"
PACKAGES = {"numpy": "1.26.4", "casegate": "0.1.0", 'odd name; "quoted"': "1"}
ENVIRONMENT = Environment("3.10", "Linux", None, 2, None, None, None, PACKAGES)
POLICY = f"""\
{CHEST_POLICY}coverage:
  attributes: [device]
  at_least: 2
  rationale: test
"""
# Component -> what it reads (channel: artifact) and writes (artifact: type).
STEPS: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "ImportSchemaGen": ({}, {"schema": "Schema"}),
    "TrainingCases": ({}, {"examples": "Examples"}),
    "CaseSet": ({}, {"case_examples": "Examples"}),
    "Transform": ({"examples": "examples", "schema": "schema"}, {"transform": "TransformGraph"}),
    "Trainer": ({"examples": "examples", "transform_graph": "transform"}, {"model": "Model"}),
    "CandidateScorer": (
        {"model": "model", "examples": "case_examples"},
        {"scores": "CasegateCaseScores"},
    ),
    "RegressionGate": (
        {"candidate": "scores"},
        {"decision": "CasegateDecision", "blessing": "ModelBlessing"},
    ),
    "Pusher": ({"model": "model", "model_blessing": "blessing"}, {"pushed": "PushedModel"}),
}


@dataclass(frozen=True)
class ReleasedRun:
    workspace: Workspace
    decision: Decision
    record: RunRecord


def released(
    root: Path,
    *,
    wrong: tuple[int, ...] = (1,),
    forged: Callable[[Decision], Decision] = lambda decision: decision,
    signers: tuple[Signer, ...] = (),
    exports: Mapping[str, Verdict] = {},
) -> ReleasedRun:
    """A workspace below `root` with version 7, released by RUN.

    Args:
      wrong: the cases that the candidate calls wrong.
      forged: what somebody made of the decision, before any hash was taken of it.
      signers: who signs decision and release; their public keys are the trusted ones.
      exports: the verdict on each artefact that the run made, by kind.
    """
    workspace = Workspace(root / "workspace")
    write_atomically(workspace.identity, b'{"workspace_id": "0123abcd"}')
    folder, case_set = workspace.run_folder(RUN), locked(40, 40, sentinels=(3,))
    model = workspace.root / PLACE / str(VERSION)
    write_atomically(model / "saved_model.pb", b"a model")
    ill = [case.case_id for case in case_set.cases if case.label]
    seen = Attention({id_: (0.2 + i / 400, 0.1) for i, id_ in enumerate(ill)})
    candidate = replace(scored(case_set, wrong=wrong), model_sha256=sha256_tree(model))
    candidate = replace(candidate, attention=seen)
    before = Attention(dict.fromkeys(ill, (0.25, 0.1)))
    champion = replace(scored(case_set, wrong=(1, 2), model="champion"), attention=before)
    golden = approved(scored(case_set, wrong=(1,), model="golden"))
    rows = [training(i) for i in range(6)]
    data = write_manifest(rows, workspace.training)
    baseline = workspace.baselines / "planted"
    write_atomically(baseline / "policy.yaml", POLICY.encode())
    save_case_set(case_set, baseline / "case_set.json")
    save_golden(golden, baseline / "golden.json")
    kept = {name: keep(baseline / name, workspace) for name in NAMES}
    _earlier(workspace, case_set)
    decision = judge(
        Ledger(workspace.ledger),
        workspace.runs,
        policy=load_policy(baseline / "policy.yaml"),
        case_set=case_set,
        candidate=candidate,
        champion=champion,
        golden=golden,
        evaluator=EvaluatorFindings(True),
        findings=["planted"],
        trained_on={"device": {"Aster": 2, "Boreal": 2}},
        run_id=RUN,
        created="2026-01-01T00:00:00Z",
    )
    decision = with_exports(forged(decision), _exports(folder, candidate, exports))
    save_decision(decision, folder / DECISION)
    record(Ledger(workspace.ledger), decision)
    save_scores(candidate, folder / SCORES)
    save_scores(champion, folder / CHAMPION_SCORES)
    for name in (REPORT, HTML_REPORT):
        write_atomically(folder / name, b"a report\n")
    write_atomically(folder / "config.json", canonical_json({"owner": "Radiology"}) + b"\n")
    named = [str((baseline / "case_set.json").resolve()), kept["case_set.json"]]
    write_atomically(folder / REQUEST, json.dumps({"case_set": named}).encode())
    inputs = RunInputs(
        config_sha256=sha("config"),
        policy="chest",
        policy_sha256=kept["policy.yaml"],
        case_set=case_set.name,
        case_set_version=1,
        case_set_cases=len(case_set.cases),
        case_set_root=case_set.merkle_root,
        case_set_sha256=kept["case_set.json"],
        golden_sha256=golden.scores.model_sha256,
        golden_file_sha256=kept["golden.json"],
        golden_approved_by="A. Radiologist",
        champion_sha256=champion.model_sha256,
        champion_version=6,
        schema_sha256=sha("schema"),
        data="planted",
        data_sha256=sha("data"),
        training_root=data.root,
        training_cases=data.cases,
    )
    placed = {kind: workspace.root / PLACED / kind for kind in decision.passed_exports}
    for kind, place in placed.items():
        shutil.copytree(folder / "exports" / kind / "artefact", place)
    if signers:
        envelope = _sign(workspace, inputs, signers, model, placed)
        for place in placed.values():
            shutil.copy(envelope, place)
    released_as = _release(workspace, decision, candidate.model_sha256)
    execute(workspace, RUN)
    return ReleasedRun(
        workspace, decision, close(workspace, _record(workspace, inputs, released_as, decision))
    )


def with_exports(decision: Decision, exports: tuple[ExportDecision, ...]) -> Decision:
    """The decision with artefacts, none of which the policy requires."""
    checks = (*decision.checks, *export_checks(exports))
    return replace(decision, exports=exports, checks=checks)


def _exports(
    folder: Path, candidate: CaseScores, verdicts: Mapping[str, Verdict]
) -> tuple[ExportDecision, ...]:
    model = candidate.model_sha256
    return tuple(
        exported(folder, model, kind, verdict=verdict, scores=candidate)
        for kind, verdict in verdicts.items()
    )


def _sign(
    workspace: Workspace,
    inputs: RunInputs,
    signers: tuple[Signer, ...],
    model: Path,
    placed: Mapping[str, Path],
) -> Path:
    folder, keys = workspace.run_folder(RUN), workspace.baselines / "planted" / "keys"
    for signer in signers:
        write_atomically(keys / f"{signer.name}.pub.pem", public_pem(signer))
    known = {
        "policy.yaml": str(inputs.policy_sha256),
        "case_set.json": str(inputs.case_set_sha256),
        "golden.json": str(inputs.golden_file_sha256),
        "environment": ENVIRONMENT.sha256,
        "training": str(inputs.training_root),
    }
    envelope = attest_decision(folder, known, signers)
    champion = {"champion": str(inputs.champion_sha256)}
    return attest_release(
        folder,
        model_folder=model,
        destination=PLACE,
        version=VERSION,
        decision=check_releasable(
            envelope,
            model_folder=model,
            there={**known, **champion},
            trusted_keys=keys,
            threshold=1,
        ),
        signers=signers,
        exports=placed,
    )


def public_pem(signer: Signer) -> bytes:
    raw = bytes.fromhex(signer.crypto.public_key.keyval["public"])
    key = Ed25519PublicKey.from_public_bytes(raw)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


NAMES = ("policy.yaml", "case_set.json", "golden.json")


def keep(path: Path, workspace: Workspace) -> str:
    """Copies a file to where a run keeps what judged it; returns its hash."""
    sha256 = sha256_file(path)
    write_atomically(workspace.kept(path.name, sha256), path.read_bytes())
    return sha256


def training(i: int) -> TrainingRow:
    return TrainingRow(
        split="train" if i < 4 else "tune",
        case_id=f"train-{i}",
        patient_id=f"training-patient-{i}",
        label=i % 2,
        bytes_sha256=sha(f"training bytes {i}"),
        pixels_sha256=sha(f"training pixels {i}"),
        attributes={"device": "Aster" if i % 2 else "Boreal"},
    )


def execute(workspace: Workspace, run_id: str, *, cached: tuple[str, ...] = ()) -> None:
    """Writes what ML Metadata has of a run of STEPS, each execution with its contexts.

    Args:
      cached: components whose outputs are those of the run before.
    """
    with open_store(workspace.store) as store:
        contexts = [
            _context(store, "pipeline", workspace.pipeline_name),
            _context(store, "pipeline_run", workspace.pipeline_run(run_id)),
        ]
        made: dict[str, int] = {}
        for component, (reads, writes) in STEPS.items():
            for name, type_name in writes.items():
                made[name] = _artifact(store, workspace, type_name, name, component in cached)
            events = [_event(mlmd.Event.INPUT, made[it], key) for key, it in reads.items()]
            events += [_event(mlmd.Event.OUTPUT, made[name], name) for name in writes]
            kind = store.put_execution_type(
                mlmd.ExecutionType(name=f"tfx.components.{component}"),
                can_add_fields=True,
                can_omit_fields=True,
            )
            state = mlmd.Execution.CACHED if component in cached else mlmd.Execution.COMPLETE
            execution = mlmd.Execution(type_id=kind, last_known_state=state)
            node = _context(store, "node", f"{workspace.pipeline_name}.{component}")
            store.put_execution(
                execution,
                [(store.get_artifacts_by_id([event.artifact_id])[0], event) for event in events],
                [*contexts, node],
            )


def _artifact(store: Any, workspace: Workspace, type_name: str, name: str, cached: bool) -> int:
    kind = store.put_artifact_type(
        mlmd.ArtifactType(name=type_name), can_add_fields=True, can_omit_fields=True
    )
    uri = str(workspace.artifacts / name)
    if cached:
        return max(a.id for a in store.get_artifacts_by_uri(uri))
    artifact = mlmd.Artifact(type_id=kind, uri=uri, state=mlmd.Artifact.LIVE)
    if type_name == "PushedModel":
        artifact.custom_properties["pushed"].int_value = 1
    if type_name == "ModelBlessing":
        artifact.custom_properties["blessed"].int_value = 1
    return store.put_artifacts([artifact])[0]


def _context(store: Any, type_name: str, name: str) -> Any:
    kind = store.put_context_type(
        mlmd.ContextType(name=type_name), can_add_fields=True, can_omit_fields=True
    )
    found = store.get_context_by_type_and_name(type_name, name)
    if found is None:
        store.put_contexts([mlmd.Context(type_id=kind, name=name)])
        found = store.get_context_by_type_and_name(type_name, name)
    return found


def _event(kind: Any, artifact_id: int, key: str) -> Any:
    event = mlmd.Event(type=kind, artifact_id=artifact_id)
    event.path.steps.add().key = key
    return event


def _release(workspace: Workspace, decision: Decision, model_sha256: str) -> Released:
    path = workspace.run_folder(RUN) / RELEASE_ATTESTATION
    attestation = sha256_file(path) if path.exists() else None
    named = {"exports": decision.passed_exports} if decision.passed_exports else {}
    Ledger(workspace.ledger).append(
        "release",
        {
            "destination": PLACE,
            "version": VERSION,
            "model_sha256": model_sha256,
            "run_id": RUN,
            "decision_sha256": decision.decision_sha256,
            "attestation_sha256": attestation,
            **named,
        },
        by="casegate",
        at="2026-01-01T00:00:50Z",
    )
    return Released(PLACE, VERSION, model_sha256, attestation)


def _earlier(workspace: Workspace, case_set: CaseSet) -> None:
    """A look that was taken before, so that this run's is the second."""
    body = {
        "run_id": EARLIER,
        "case_set": case_set.name,
        "case_set_version": 1,
        "case_set_root": case_set.merkle_root,
    }
    Ledger(workspace.ledger).append("look", body, by="casegate", at="2025-12-31T00:00:00Z")


def _record(
    workspace: Workspace, inputs: RunInputs, released_as: Released, decision: Decision
) -> RunRecord:
    return RunRecord(
        run_id=RUN,
        workspace_id=workspace.id,
        state="released",
        started="2026-01-01T00:00:00.000Z",
        finished="2026-01-01T00:01:00.000Z",
        exit_code=0,
        who=Who("ada", "host", "Radiology"),
        where=Where(None, None, None, None),
        why=Why("manual"),
        code=Code("abcd" + "0" * 36, False, None, sha("code")),
        environment=ENVIRONMENT,
        seeds=Seeds(1, True),
        store=Stored(workspace.pipeline_name, workspace.pipeline_run(RUN)),
        inputs=inputs,
        decision=decided_in(decision, workspace.run_folder(RUN)),
        release=released_as,
    )
