"""A bundle while it is checked: its files, and the list of what was found."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from components.attestation.site import SiteAnswers, load_answers
from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.export_scores import ARTEFACT
from components.baselines.golden import Golden, load_golden
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.baselines.scores import CaseScores, load_scores
from components.bundle.archive import as_path
from components.bundle.manifest import Manifest
from components.decision import Decision, load_decision
from components.gate.policy import Policy, load_policy
from components.lineage.record import RunRecord, load_record
from components.lineage.training import TrainingRow, read_manifest
from components.records.chain import FIRST_PREVIOUS
from components.records.errors import IntegrityError
from components.records.export import EXPORT_RECORD, read_export_record
from components.records.files import sha256_of_tree
from components.records.ledger.ledger import Entry, fault_in, parse_line
from components.records.ledger.records import Release, releases
from components.records.run_files import CHAMPION_SCORES, DECISION, RUN_RECORD, SCORES, SITES
from pipeline.evidence.bundle.names import EXPORTED, LEDGER, MODEL, OF_RUN, training_name
from pipeline.evidence.subject import judging_files

T = TypeVar("T")

FITS, AGAIN, SIGNED, OPEN = "fits", "recomputed", "verified", "not checked"


@dataclass
class Bundle:
    """Attributes:
    where: the archive, for errors.
    found: (what, result, detail) of each thing that was checked, in order.
    undecided: why the bundle cannot be relied on although nothing in it contradicts anything.
    """

    where: str
    files: Mapping[str, bytes]
    manifest: Manifest
    found: list[tuple[str, str, str]] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def path(self, name: str) -> Path:
        """A file as readers want it.

        Raises:
          IntegrityError: it is missing.
        """
        if name not in self.files:
            raise IntegrityError(f"{self.where}: {name} is missing, which every such bundle holds")
        return as_path(f"{self.where}: {name}", self.files[name])

    def read(self, name: str, load: Callable[[Path], T]) -> T | None:
        """What a file holds; None where it is not in the bundle."""
        return load(self.path(name)) if name in self else None

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.path(name).read_bytes()).hexdigest()

    def note(self, what: str, result: str, detail: str = "") -> None:
        self.found.append((what, result, detail))

    def leave_open(self, what: str, why: str) -> None:
        """Something that an auditor has to rely on, and that could not be checked."""
        self.note(what, OPEN, why)
        self.undecided.append(f"{what}: {why}")

    def same(self, what: str, got: object, wanted: object, says: str) -> None:
        """Raises IntegrityError where two things that have to be the same are not."""
        if got != wanted:
            raise IntegrityError(f"{self.where}: {what} is {_short(got)}, {says} {_short(wanted)}")


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 else text[:80]


@dataclass(frozen=True, eq=False)
class BundleEvidence:
    """What was judged, by what and against what; None for what is not in the bundle."""

    policy: Policy | None = None
    case_set: CaseSet | None = None
    candidate: CaseScores | None = None
    champion: CaseScores | None = None
    golden: Golden | None = None
    training: tuple[TrainingRow, ...] | None = None
    sites: SiteAnswers | None = None


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
    mine = [name for name in OF_RUN if name in record.files]
    for name in mine:
        bundle.same(name, bundle.sha256(name), record.files[name], "run.json names")
    if added := [name for name in OF_RUN if name in bundle and name not in mine]:
        raise IntegrityError(f"{bundle.where}: {added[0]} is no file of that run; it was added")
    bundle.note("files of the run", FITS, f"{len(mine)} files as run.json names them")
    if record.decision is None:
        return record, None
    decision = load_decision(bundle.path(DECISION))
    wanted = record.decision.decision_sha256
    bundle.same("decision.json", decision.decision_sha256, wanted, "run.json names")
    bundle.same("decision.json: run_id", decision.run_id, record.run_id, "run.json is of")
    bundle.note("decision's own hash", FITS, decision.decision_sha256)
    return record, decision


def check_evidence(bundle: Bundle, record: RunRecord, decision: Decision | None) -> BundleEvidence:
    """What the decision rests on, hash by hash."""
    for name, sha256 in judging_files(record.inputs).items():
        _kept(bundle, name, sha256)
    policy = bundle.read(POLICY, load_policy)
    case_set = bundle.read(CASE_SET, load_case_set)
    root = record.inputs.case_set_root
    if case_set is not None:
        bundle.same(f"{CASE_SET}: Merkle root", case_set.merkle_root, root, "run.json names")
        detail = f"{len(case_set.cases)} cases, Merkle root {case_set.merkle_root} recomputed"
        bundle.note("case set", FITS, detail)
    training = _training(bundle, record)
    golden = bundle.read(GOLDEN, load_golden)
    if decision is None:
        return BundleEvidence(policy, case_set, None, None, golden, training)
    candidate = load_scores(bundle.path(SCORES))
    champion = bundle.read(CHAMPION_SCORES, load_scores)
    _as_decided(bundle, decision, "candidate", candidate, SCORES)
    _as_decided(bundle, decision, "champion", champion, CHAMPION_SCORES)
    if golden is not None:
        _as_decided(bundle, decision, "golden", golden.scores, GOLDEN)
    for name, got in (("policy", policy and policy.sha256), ("case_set", root)):
        if got is not None:
            bundle.same(name, got, decision.hashes[name], "decision.json names")
    bundle.note("scores", FITS, "every model's, as decision.json names them")
    sites = bundle.read(SITES, load_answers)
    return BundleEvidence(policy, case_set, candidate, champion, golden, training, sites)


def check_model(bundle: Bundle, record: RunRecord) -> None:
    """The model's files, where the bundle has them, are those that were released."""
    inside = sorted(name for name in bundle.files if name.startswith(MODEL))
    if not inside:
        return
    tree = sha256_of_tree({name.removeprefix(MODEL): bundle.sha256(name) for name in inside})
    wanted = record.release.model_sha256 if record.release else None
    bundle.same("model/", tree, wanted, "run.json names")
    bundle.note("model", FITS, f"{len(inside)} files, tree hash {tree}")


def check_exports(bundle: Bundle, decision: Decision | None, release: Release | None) -> None:
    """Each artefact's record and scores are those that were judged, and released.

    The hash of an artefact is recomputed from the files that are inside and, where the model's own
    were left out, from their hashes in its record.
    """
    exports = decision.exports if decision else ()
    names = {name for name in bundle.files if name.startswith(EXPORTED)}
    for export in exports:
        mine = f"{EXPORTED}{export.kind}/"
        for runtime, found in export.runtimes.items():
            if found.scores_sha256 is not None:
                name = f"{mine}scores.{runtime}.json"
                got = load_scores(bundle.path(name)).scores_sha256
                bundle.same(name, got, found.scores_sha256, "decision.json names")
                names.discard(name)
        if export.sha256 is not None:
            folder = f"{mine}{ARTEFACT}/"
            files = {name for name in names if name.startswith(folder)}
            record = read_export_record(bundle.path(folder + EXPORT_RECORD))
            there = {name.removeprefix(folder): bundle.sha256(name) for name in files}
            got = sha256_of_tree({**record.files, **there})
            bundle.same(f"artefact {export.kind}", got, export.sha256, "decision.json names")
            bundle.same(f"{folder}{EXPORT_RECORD}: kind", record.kind, export.kind, "it is of")
            whole = record.files.keys() <= there.keys()
            detail = "every file" if whole else "its record and scores; the model's files left out"
            bundle.note(f"artefact {export.kind}", FITS, f"{detail}, hash {got}")
            names -= files
    if names:
        raise IntegrityError(f"{bundle.where}: {min(names)}: no decision names it; it was added")
    if release is not None:
        passed = decision.passed_exports if decision else {}
        says = f"ledger entry {release.seq} names"
        bundle.same("the artefacts that passed", passed, dict(release.exports), says)


def _kept(bundle: Bundle, name: str, sha256: str | None) -> None:
    if sha256 is None:
        if name in bundle:
            raise IntegrityError(f"{bundle.where}: {name} was not part of that run; it was added")
    elif name not in bundle:
        bundle.leave_open(name, f"not in the bundle; run.json names {sha256}")
    else:
        bundle.same(name, bundle.sha256(name), sha256, "run.json names")
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


@dataclass(frozen=True)
class Chain:
    """Attributes:
    decided: the entry of this run's decision, None where it came to none.
    release: the version that the bundle is about.
    original: the release whose model it serves, which differs for a rollback.
    """

    entries: tuple[Entry, ...]
    decided: Entry | None
    release: Release | None
    original: Release | None


def check_chain(bundle: Bundle, holds: str | None) -> tuple[Entry, ...]:
    """The entries of the extract, every one of which follows from the one before.

    Raises:
      IntegrityError: names the first entry that does not fit, or says that none has `holds`.
    """
    content, about = bundle.path(LEDGER).read_bytes(), bundle.manifest.about
    entries = _chained(content, f"{bundle.where}: {LEDGER}")
    head = entries[-1].entry_sha256 if entries else FIRST_PREVIOUS
    bundle.same(f"{LEDGER}: the number of entries", len(entries), about.ledger_entries, "stated:")
    bundle.same(f"{LEDGER}: the last entry", head, about.ledger_head, "stated:")
    if not content.endswith(b"\n"):
        raise IntegrityError(f"{bundle.where}: {LEDGER}: ends within a line")
    bundle.note("ledger", FITS, f"{len(entries)} entries, each follows; the last is {head}")
    if holds is not None:
        if len(holds) < 8 or not any(e.entry_sha256.startswith(holds.lower()) for e in entries):
            raise IntegrityError(
                f"{bundle.where}: {LEDGER}: no entry has the hash {holds[:64]} that was noted: it "
                "was written anew, or ends before it"
            )
        bundle.note("noted entry", FITS, f"{holds} is among the entries")
    return entries


def _chained(content: bytes, where: str) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    before = FIRST_PREVIOUS
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        entry = parse_line(line)
        fault = fault_in(entry, line)
        if entry is not None and fault is None and (entry.seq, entry.previous) != (number, before):
            fault = "it does not follow the one before"
        if entry is None or fault is not None:
            raise IntegrityError(f"{where}:{number}: does not fit: {fault}")
        entries.append(entry)
        before = entry.entry_sha256
    return tuple(entries)


def check_named(
    bundle: Bundle, entries: tuple[Entry, ...], record: RunRecord, decision: Decision | None
) -> Chain:
    """What the entries say of this run, which is what the files say."""
    closed = [e for e in entries if e.kind == "run" and e.body["run_id"] == record.run_id]
    if not closed:
        raise IntegrityError(f"{bundle.where}: {LEDGER}: no entry closes run {record.run_id}")
    named = closed[-1].body["record_sha256"]
    bundle.same("run.json", record.record_sha256, named, f"ledger entry {closed[-1].seq} names")
    bundle.note("run record", FITS, f"as ledger entry {closed[-1].seq} names it")
    decided = _decided(bundle, entries, record, decision)
    return Chain(entries, decided, *_released(bundle, entries, record))


def _decided(
    bundle: Bundle, entries: tuple[Entry, ...], record: RunRecord, decision: Decision | None
) -> Entry | None:
    mine = [e for e in entries if e.kind == "decision" and e.body["run_id"] == record.run_id]
    if decision is None:
        if mine:
            raise IntegrityError(
                f"{bundle.where}: decision.json is missing; ledger entry {mine[-1].seq} names it"
            )
        return None
    if not mine:
        raise IntegrityError(f"{bundle.where}: {LEDGER}: no entry names decision.json")
    entry, says = mine[-1], f"ledger entry {mine[-1].seq} names"
    bundle.same("decision.json", decision.decision_sha256, entry.body["decision_sha256"], says)
    bundle.same("the verdict", decision.verdict.value, entry.body["verdict"], says)
    bundle.note("decision on record", FITS, f"as ledger entry {entry.seq} names it, at {entry.at}")
    return entry


def _released(
    bundle: Bundle, entries: tuple[Entry, ...], record: RunRecord
) -> tuple[Release | None, Release | None]:
    about = bundle.manifest.about
    all_of_them = releases(entries)
    mine = [r for r in all_of_them if r.run_id == record.run_id]
    for release in mine:
        if record.release is None or release.model_sha256 != record.release.model_sha256:
            what = f"ledger entry {release.seq} released version {release.version}"
            raise IntegrityError(f"{bundle.where}: {what}, run.json says otherwise")
    if record.release is not None and not mine:
        raise IntegrityError(f"{bundle.where}: {LEDGER}: no entry names the release of run.json")
    if about.version is None:
        if mine:
            what = f"ledger entry {mine[-1].seq} does"
            raise IntegrityError(f"{bundle.where}: the manifest names no release, {what}")
        return None, None
    there = (about.destination, about.version)
    found = [r for r in all_of_them if (r.destination, r.version) == there]
    if not found:
        what = f"no entry put version {about.version} in {about.destination}"
        raise IntegrityError(f"{bundle.where}: {LEDGER}: {what}")
    release, first = found[-1], (r for r in mine if r.destination == about.destination)
    says = f"ledger entry {release.seq} names"
    decided = record.decision.decision_sha256 if record.decision else None
    if release.restored is None:
        bundle.same("run.json", record.run_id, release.run_id, f"entry {release.seq} names run")
    bundle.same("the release's decision", decided, release.decision_sha256, says)
    bundle.note("release", FITS, f"version {release.version}, ledger entry {release.seq}")
    return release, release if release.restored is None else next(first, None)
