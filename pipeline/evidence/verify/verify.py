"""Is all of it still as it was recorded: files, models, ledger, signatures and ML Metadata.

Every file that a run left is hashed again. The records and the ledger are the evidence: a row of ML
Metadata that says otherwise was changed by whoever keeps the database.
"""

import contextlib
import json
import math
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import astuple
from itertools import islice
from pathlib import Path
from typing import Any

from components.attestation.keys import load_trusted
from components.attestation.site import load_answers
from components.baselines.case_set import load_case_set
from components.baselines.names import CASE_SET, POLICY
from components.baselines.scores import load_scores
from components.decision import Decision, load_decision
from components.gate.policy import load_policy
from components.gate.sites import hear_sites, site_checks
from components.lineage.record import RunInputs, RunRecord, load_record
from components.lineage.training import check_manifest, manifest_path
from components.lineage.types import (
    check_properties,
    environment_properties,
    release_properties,
    run_properties,
)
from components.records.errors import CasegateError, IntegrityError
from components.records.files import sha256_file, sha256_tree
from components.records.run_files import (
    CHAMPION_SCORES,
    DECISION,
    DECISION_ATTESTATION,
    LINEAGE,
    RUN_RECORD,
    SCORES,
    SITES,
)
from components.scoring.served import probe
from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.signatures import signed_statements, trusted_folder
from pipeline.evidence.subject import OF_ROW, Evidence, Subject, judging_files
from pipeline.evidence.verify.difference import Difference, Differences, short, unlike
from pipeline.evidence.verify.exports import judged_exports, released_exports
from pipeline.governance.ledger_check import verify_ledger

MOST = 100  # differences that are listed; one is enough to stop trusting the workspace


def verify(evidence: Evidence, subjects: Sequence[Subject] | None) -> Answer:
    """Recomputes every hash of some runs and their releases, or of all of them.

    Models in the destinations and the ledger's chain are checked whoever is asked about.

    Args:
      subjects: None takes every run of the workspace.
    """
    verification = Verification(evidence)
    found = list(islice(verification.differences(subjects), MOST))
    columns = ("what", "where", "recorded", "found")
    title, rows = "What is not as it was recorded", tuple(map(astuple, found))
    named = None if subjects is None else ", ".join(subject.name for subject in subjects)
    what = "everything" if named is None else named or "nothing, for nothing is released"
    differ = f"{len(found)} {'difference' if len(found) == 1 else 'differences'}"
    facts = {"what": what, "result": differ if found else "as recorded"}
    counts = {**verification.files, **verification.signatures, **verification.rows}
    facts |= {f"checked: {kind}": str(count) for kind, count in counts.items()}
    # No difference: a release of before models were tried where they are served is as it was.
    facts |= {f"can be served: {name}": answer for name, answer in _servable(evidence)}
    notes = [f"The first difference: {difference.sentence}." for difference in found[:1]]
    if len(found) == MOST:
        notes.append(f"Stopped after {MOST} differences.")
    return Answer(
        question="is it all still as it was recorded",
        facts=facts,
        tables=(Table("differences", title, columns, rows),) if found else (),
        notes=tuple(notes),
        evidence=(evidence.ledger_line,),
        exit_code=IntegrityError.exit_code if found else 0,
    )


def _servable(evidence: Evidence) -> Iterator[tuple[str, str]]:
    tried: dict[str, str | None] = {}
    for release in evidence.releases:
        path = evidence.folder(release)
        if path is not None:
            if release.model_sha256 not in tried:
                tried[release.model_sha256] = probe(path).fault
            fault = tried[release.model_sha256]
            name = f"{release.destination}/{release.version}"
            yield name, "yes" if fault is None else f"no: {fault}"


class Verification:
    """Checks runs one by one and counts what it compares; what several share is read once."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence, self._workspace = evidence, evidence.workspace
        self._seen: set[tuple[str, str]] = set()
        self.files, self.signatures, self.rows = Counter[str](), Counter[str](), Counter[str]()

    def differences(self, subjects: Sequence[Subject] | None) -> Differences:
        """All that is not as recorded, of the runs and of what was released."""
        ended = {run_id for kind, run_id in self._evidence.last_entries if kind == "run"}
        every = sorted(ended | self._evidence.run_ids())
        wanted = every if subjects is None else [subject.run_id for subject in subjects]
        try:
            verify_ledger(self._workspace.root, runs=wanted if subjects else None)
        except CasegateError as error:
            where = str(self._workspace.ledger)
            yield Difference("ledger", where, "a chain that fits", str(error))
        for run_id in wanted:
            record = yield from self._record(run_id)
            if record is not None:
                yield from self._run_files(record)
                yield from self._signatures(record)
                if record.state != "running":
                    yield from self._run_rows(record)
        yield from self._served()
        yield from released_exports(self._evidence, self.files)
        yield from self._release_rows()

    def _record(self, run_id: str) -> Generator[Difference, None, RunRecord | None]:
        path = self._workspace.run_folder(run_id) / RUN_RECORD
        entry = self._evidence.last_entries.get(("run", run_id))
        recorded = entry.body["record_sha256"] if entry else "a run record"
        try:
            record = load_record(path)
        except CasegateError as error:
            yield Difference("record", str(path), short(recorded), str(error))
            return None
        self.files["run records"] += 1
        got = record.record_sha256
        if entry is not None and recorded != got:
            words = f"{short(recorded)} by entry {entry.seq}"
            yield Difference("record", str(path), words, short(got))
        return record

    def _run_files(self, record: RunRecord) -> Differences:
        folder = self._workspace.run_folder(record.run_id)
        for name, wanted in sorted(record.files.items()):
            yield from self._file("file", folder / name, wanted)
        if record.decision is not None:
            wanted = record.decision.decision_sha256
            try:
                yield from self._decision(record, load_decision(folder / DECISION), wanted, folder)
            except CasegateError as error:
                yield Difference("decision", str(folder / DECISION), short(wanted), str(error))
        yield from self._judged_by(record.inputs)

    def _judged_by(self, inputs: RunInputs) -> Differences:
        for name, sha256 in judging_files(inputs).items():
            if sha256 is not None and self._first(name, sha256):
                what = Path(name).stem.replace("_", " ")
                yield from self._file(what, self._workspace.kept(name, sha256), sha256)
        if inputs.case_set_sha256 is not None and self._first("root", inputs.case_set_sha256):
            path = self._workspace.kept(CASE_SET, inputs.case_set_sha256)
            self.files["case sets, case by case"] += 1
            yield from unlike(
                "case set", path, inputs.case_set_root, lambda path: load_case_set(path).merkle_root
            )
        root = inputs.training_root
        if root is not None and self._first("training", root):
            self.files["training manifests, case by case"] += 1
            yield from unlike(
                "training data",
                manifest_path(self._workspace.training, root),
                inputs.training_cases,
                lambda path: check_manifest(path, root=root).cases,
                recorded=f"{inputs.training_cases} cases, root {root[:12]}...",
            )

    def _decision(
        self, record: RunRecord, decision: Decision, wanted: str, folder: Path
    ) -> Differences:
        self.files["decisions"] += 1
        path, got = str(folder / DECISION), decision.decision_sha256
        named = {"the run record": wanted}
        if entry := self._evidence.decided.get(record.run_id):
            named[f"entry {entry.seq}"] = entry.body["decision_sha256"]
        for by, sha256 in named.items():
            if sha256 != got:
                yield Difference("decision", path, f"{short(sha256)} by {by}", short(got))
        yield from judged_exports(folder, decision, self.files)
        if SITES in record.files:
            yield from self._sites(record, decision, folder / SITES)
        for name, key in ((SCORES, "candidate_scores"), (CHAMPION_SCORES, "champion_scores")):
            if name in record.files and (recorded := decision.hashes.get(key)) is not None:
                self.files["score files"] += 1
                yield from unlike(
                    "scores", folder / name, recorded, lambda path: load_scores(path).scores_sha256
                )

    def _sites(self, record: RunRecord, decision: Decision, kept: Path) -> Differences:
        """Whether every site still says, over its signature, what its check says of it."""
        sites, policy = (
            load_answers(kept),
            self._evidence.kept(POLICY, str(decision.hashes["policy"])),
        )
        if policy is None:
            return  # its absence is a difference of its own
        rules, candidate = load_policy(policy), str(decision.hashes["candidate"])
        heard = hear_sites(rules, sites, candidate=candidate, run_id=record.run_id)
        recorded = {check.check: check.verdict.value for check in decision.checks}
        recorded_sha256 = decision.hashes.get("sites")
        if recorded_sha256 != sites.sha256:
            yield Difference("site", str(kept), short(str(recorded_sha256)), short(sites.sha256))
        for check in site_checks(rules, heard, asked=True):
            self.files["checks of sites"] += 1
            if recorded.get(check.check) != check.verdict.value:
                wanted = str(recorded.get(check.check))
                yield Difference("site", f"{kept}: {check.check}", wanted, check.verdict.value)

    def _served(self) -> Differences:
        """Models in the destinations that are not the ones that the ledger put there.

        A version that is gone from a destination was retired; only what is there is compared.
        """
        for release in self._evidence.releases:
            path, wanted = self._evidence.folder(release), release.model_sha256
            if path is not None:
                self.files["served models"] += 1
                recorded = f"{short(wanted)} by entry {release.seq}"
                yield from unlike("model", path, wanted, sha256_tree, recorded)

    def _file(self, what: str, path: Path, wanted: str) -> Differences:
        self.files["files"] += 1
        yield from unlike(what, path, wanted, sha256_file)

    def _first(self, what: str, sha256: str) -> bool:
        key = (what, sha256)
        new = key not in self._seen
        self._seen.add(key)
        return new

    def _signatures(self, record: RunRecord) -> Differences:
        if record.decision is None:
            return
        folder = self._workspace.run_folder(record.run_id)
        wanted, envelope = record.decision.statement_sha256, folder / DECISION_ATTESTATION
        if wanted is None:
            self.signatures["unsigned decisions"] += 1
            if envelope.exists():
                yield Difference("signature", str(envelope), "unsigned", "an envelope")
            return
        try:
            trusted = load_trusted(trusted_folder(folder))
            subject = Subject(record.run_id, None)
            for what, checked in signed_statements(self._evidence, subject, trusted):
                if checked is None:
                    if what == "decision":
                        yield Difference("signature", str(envelope), short(wanted), "nothing")
                    continue
                self.signatures["signed statements"] += 1
                if what == "decision" and checked.statement_sha256 != wanted:
                    found = short(checked.statement_sha256)
                    yield Difference("signature", str(envelope), short(wanted), found)
                if not checked.signers:
                    keys = ", ".join(key[:12] for key in checked.unknown)
                    yield Difference("signature", str(envelope), "a trusted key", f"only {keys}")
        except CasegateError as error:
            yield Difference("signature", str(envelope), short(wanted), str(error))

    def _run_rows(self, record: RunRecord) -> Differences:
        store, run_id = self._evidence.store, record.run_id
        row = store.run(record.workspace_id, run_id)
        yield from self._row(f"run {run_id}", run_properties(record), row)
        sha256 = record.environment.sha256
        if self._first("environment", sha256):
            where = f"environment {sha256[:12]}..."
            wanted = environment_properties(record)
            yield from self._row(where, wanted, store.environment(sha256))
            yield from _values(where, record.environment.packages, store.packages(sha256))
        path, decision = self._workspace.run_folder(run_id) / DECISION, None
        with contextlib.suppress(CasegateError):  # is a difference already
            decision = load_decision(path) if path.exists() else None
        rows = {r["check_name"]: r for r in store.checks(record.workspace_id, run_id)}
        checks = {c.check: check_properties(record, c) for c in decision.checks} if decision else {}
        for name in sorted(checks.keys() | rows.keys()):
            where = f"check {name} of run {run_id}"
            yield from self._row(where, checks.get(name), rows.get(name))
        yield from self._graph(record)

    def _release_rows(self) -> Differences:
        evidence, workspace_id = self._evidence, self._evidence.workspace_id
        rows = {(r["destination"], r["version"]): r for r in evidence.store.releases(workspace_id)}
        wanted = {
            (release.destination, str(release.version)): release_properties(
                release, workspace_id=workspace_id, run_id=evidence.run_of(release)
            )
            for release in evidence.releases
        }
        for key in sorted(wanted.keys() | rows.keys()):
            yield from self._row(f"release {'/'.join(key)}", wanted.get(key), rows.get(key))

    def _row(
        self, where: str, wanted: Mapping[str, Any] | None, row: Mapping[str, Any] | None
    ) -> Differences:
        self.rows[f"{where.partition(' ')[0]} rows"] += 1
        if wanted is None or row is None:
            here, there = (("a row", "none"), ("none", "a row"))[wanted is None]
            yield Difference("metadata", f"ML Metadata, {where}", here, there)
            return
        yield from _values(where, wanted, {k: v for k, v in row.items() if k not in OF_ROW})

    def _graph(self, record: RunRecord) -> Differences:
        if record.store.lineage_sha256 is None:
            return
        self.rows["run graphs"] += 1
        graph = self._evidence.store.run_graph(record.store.pipeline_run)
        if graph.sha256 == record.store.lineage_sha256:
            return
        path = self._workspace.run_folder(record.run_id) / LINEAGE
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            kept = {"unreadable": str(error)}
        plain = json.loads(json.dumps(graph.document()))
        place, recorded, found = _first_difference(kept, plain)
        where = f"ML Metadata, graph of run {record.run_id}, {place}"
        yield Difference("metadata", where, short(recorded), short(found))


def _values(where: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Differences:
    for key in sorted(wanted.keys() | found.keys()):
        old, new = wanted.get(key), found.get(key)
        if not _same(old, new):
            yield Difference("metadata", f"ML Metadata, {where}, {key}", short(old), short(new))


def _same(wanted: Any, found: Any) -> bool:
    """Whether a row holds the value; numbers go there as text, which SQLite reads a bit off."""
    if isinstance(wanted, float) and isinstance(found, float):
        return math.isclose(wanted, found, rel_tol=1e-14)
    return bool(wanted == found)


def _first_difference(kept: Any, found: Any, where: str = "") -> tuple[str, Any, Any]:
    """The place where two documents differ first, and what stands there in each."""
    if isinstance(kept, dict) and isinstance(found, dict):
        for key in sorted(kept.keys() | found.keys()):
            if kept.get(key) != found.get(key):
                place = f"{where} {key}".strip()
                return _first_difference(kept.get(key), found.get(key), place)
    if isinstance(kept, list) and isinstance(found, list):
        for number, (one, other) in enumerate(zip(kept, found)):
            if one != other:
                name = one.get("id", number) if isinstance(one, dict) else number
                return _first_difference(one, other, f"{where} {name}".strip())
        return f"{where}, their number", len(kept), len(found)
    return where, kept, found
