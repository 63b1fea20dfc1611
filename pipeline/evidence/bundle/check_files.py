"""The files of a bundle, each held against what the run record and the decision name."""

import hashlib
from dataclasses import dataclass

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import Golden, load_golden
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.baselines.scores import CaseScores, load_scores
from components.decision import Decision, load_decision
from components.gate.policy import Policy, load_policy
from components.lineage.record import RunRecord, load_record
from components.lineage.training import read_manifest
from components.lineage.training_row import TrainingRow
from components.records.errors import IntegrityError
from components.records.run_files import CHAMPION_SCORES, DECISION, RUN_RECORD, SCORES
from pipeline.evidence.bundle.checked_bundle import FITS, OPEN, Bundle
from pipeline.evidence.bundle.names import MODEL, OF_RUN, training_name


@dataclass(frozen=True, eq=False)
class Evidenced:
    """What was judged, by what and against what; None for what is not in the bundle."""

    policy: Policy | None = None
    case_set: CaseSet | None = None
    candidate: CaseScores | None = None
    champion: CaseScores | None = None
    golden: Golden | None = None
    training: tuple[TrainingRow, ...] | None = None


def check_record(bundle: Bundle) -> tuple[RunRecord, Decision | None]:
    """The run record and its decision, each with its own hash, and the files that they name."""
    record = load_record(bundle.path(RUN_RECORD))
    about = bundle.manifest.about
    bundle.same("run.json: run_id", record.run_id, about.run_id, "the manifest says")
    bundle.same("run.json: workspace", record.workspace_id, about.workspace_id, "the manifest says")
    bundle.same("run.json: finished", record.finished, about.at, "the manifest says")
    called = f"run {about.run_id}" if about.version is None else f"version {about.version}"
    bundle.same("MANIFEST.json: subject", about.subject, called, "it is about")
    bundle.note("run record's own hash", FITS, record.record_sha256)
    for name in OF_RUN:
        if name in record.files:
            got = hashlib.sha256(bundle.path(name).read_bytes()).hexdigest()
            bundle.same(name, got, record.files[name], "run.json names")
        elif name in bundle:
            raise IntegrityError(f"{bundle.where}: {name} is no file of that run; it was added")
    count = len([name for name in OF_RUN if name in record.files])
    bundle.note("files of the run", FITS, f"{count} files as run.json names them")
    if record.decision is None:
        return record, None
    decision = load_decision(bundle.path(DECISION))
    wanted = record.decision.decision_sha256
    bundle.same("decision.json", decision.decision_sha256, wanted, "run.json names")
    bundle.same("decision.json: run_id", decision.run_id, record.run_id, "run.json is of")
    bundle.note("decision's own hash", FITS, decision.decision_sha256)
    return record, decision


def check_evidence(bundle: Bundle, record: RunRecord, decision: Decision | None) -> Evidenced:
    """What the decision rests on, hash by hash."""
    _kept(bundle, POLICY, record.inputs.policy_sha256)
    _kept(bundle, CASE_SET, record.inputs.case_set_sha256)
    _kept(bundle, GOLDEN, record.inputs.golden_file_sha256)
    policy = load_policy(bundle.path(POLICY)) if POLICY in bundle else None
    case_set = load_case_set(bundle.path(CASE_SET)) if CASE_SET in bundle else None
    if case_set is not None:
        root = record.inputs.case_set_root
        bundle.same(f"{CASE_SET}: Merkle root", case_set.merkle_root, root, "run.json names")
        detail = f"{len(case_set.cases)} cases, Merkle root {case_set.merkle_root} recomputed"
        bundle.note("case set", FITS, detail)
    training = _training(bundle, record)
    golden = load_golden(bundle.path(GOLDEN)) if GOLDEN in bundle else None
    found = Evidenced(policy, case_set, None, None, golden, training)
    if decision is None:
        return found
    candidate = load_scores(bundle.path(SCORES))
    champion = load_scores(bundle.path(CHAMPION_SCORES)) if CHAMPION_SCORES in bundle else None
    _as_decided(bundle, decision, "candidate", candidate, SCORES)
    _as_decided(bundle, decision, "champion", champion, CHAMPION_SCORES)
    if golden is not None:
        _as_decided(bundle, decision, "golden", golden.scores, GOLDEN)
    for name, got in (
        ("policy", policy and policy.sha256),
        ("case_set", record.inputs.case_set_root),
    ):
        if got is not None:
            bundle.same(name, got, decision.hashes[name], "decision.json names")
    bundle.note("scores", FITS, "every model's, as decision.json names them")
    return Evidenced(policy, case_set, candidate, champion, golden, training)


def check_model(bundle: Bundle, record: RunRecord) -> None:
    """The model's files, where the bundle has them, are those that were released."""
    inside = sorted(name for name in bundle.files if name.startswith(MODEL))
    if not inside:
        return
    digest = hashlib.sha256()
    for name in inside:  # as components/records/files.py: sha256_tree
        content = hashlib.sha256(bundle.files[name]).digest()
        digest.update(name.removeprefix(MODEL).encode() + b"\0" + content)
    wanted = record.release.model_sha256 if record.release else None
    bundle.same("model/", digest.hexdigest(), wanted, "run.json names")
    bundle.note("model", FITS, f"{len(inside)} files, tree hash {digest.hexdigest()}")


def _kept(bundle: Bundle, name: str, sha256: str | None) -> None:
    if sha256 is None:
        if name in bundle:
            raise IntegrityError(f"{bundle.where}: {name} was not part of that run; it was added")
    elif name not in bundle:
        bundle.leave_open(name, f"not in the bundle; run.json names {sha256}")
    else:
        got = hashlib.sha256(bundle.files[name]).hexdigest()
        bundle.same(name, got, sha256, "run.json names")
        bundle.note(name, FITS, f"SHA-256 {sha256}, as run.json names it")


def _as_decided(
    bundle: Bundle, decision: Decision, model: str, scores: CaseScores | None, name: str
) -> None:
    got = scores.scores_sha256 if scores else None
    bundle.same(f"{name}: scores", got, decision.hashes[f"{model}_scores"], "decision.json names")
    files = scores.model_sha256 if scores else None
    bundle.same(f"{name}: model", files, decision.hashes[model], "decision.json names")


def _training(bundle: Bundle, record: RunRecord) -> tuple[TrainingRow, ...] | None:
    root = record.inputs.training_root
    bundle.same("training_root", bundle.manifest.about.training_root, root, "run.json names")
    if root is None:
        return None
    name = training_name(root)
    if name not in bundle:
        bundle.note("training manifest", OPEN, f"left out; its root is {root}")
        return None
    rows = tuple(read_manifest(bundle.path(name), root=root))
    bundle.same(f"{name}: cases", len(rows), record.inputs.training_cases, "run.json names")
    bundle.note("training manifest", FITS, f"{len(rows)} cases, Merkle root {root} recomputed")
    return rows
