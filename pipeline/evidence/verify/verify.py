"""Is all of it still as it was recorded: files, models, ledger, signatures and ML Metadata."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.attestation.keys import load_trusted
from components.baselines.case_set import load_case_set
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.baselines.scores import load_scores
from components.decision import Decision, load_decision
from components.lineage.graph import Graph
from components.lineage.record import RunRecord, load_record
from components.lineage.training import check_manifest, manifest_path
from components.lineage.types import (
    check_properties,
    environment_properties,
    release_properties,
    run_properties,
)
from components.records.errors import CasegateError, IntegrityError
from components.records.files import sha256_file, sha256_tree
from components.records.ledger.entry import Entry
from components.records.run_files import (
    CHAMPION_SCORES,
    DECISION,
    DECISION_ATTESTATION,
    LINEAGE,
    RUN_RECORD,
    SCORES,
)
from components.scoring.served import probe
from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.signatures import signed_statements, trusted_folder
from pipeline.evidence.subject import Evidence, Subject
from pipeline.governance.ledger_check import verify_ledger

MOST = 100  # differences that are listed; one is enough to stop trusting the workspace


@dataclass(frozen=True)
class Difference:
    """Attributes:
    what: the kind of evidence: ledger, record, decision, scores, file, policy, case set, golden,
      training data, model, metadata or signature.
    where: the file, or the row of ML Metadata.
    recorded, found: a hash or a value, shortened for reading.
    """

    what: str
    where: str
    recorded: str
    found: str

    @property
    def sentence(self) -> str:
        return f"{self.where}: {self.what}: recorded {self.recorded}, found {self.found}"


def short(value: object) -> str:
    """A value as a table shows it: hashes by their beginning."""
    text = "nothing" if value is None else str(value)
    text = " ".join(text.split())
    return f"{text[:12]}..." if len(text) == 64 else text[:120]


# What the run rested on: the copy's name, the record's field, and what it is called.
KEPT = (
    (POLICY, "policy_sha256", "policy"),
    (CASE_SET, "case_set_sha256", "case set"),
    (GOLDEN, "golden_file_sha256", "golden"),
)


class Files:
    """Checks runs one after the other; what several share is read once.

    Attributes:
      checked: how many of each kind were held against their record.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._shared: set[tuple[str, str]] = set()
        self.checked: dict[str, int] = {}

    def record(self, run_id: str) -> Iterator[RunRecord | Difference]:
        """The run's record, or what is wrong with it."""
        path = self._evidence.workspace.run_folder(run_id) / RUN_RECORD
        entry = self._entry("run", run_id)
        try:
            record = load_record(path)
        except CasegateError as error:
            wanted = entry.body["record_sha256"] if entry else "a run record"
            yield Difference("record", str(path), short(wanted), str(error))
            return
        self._count("run records")
        if entry is not None and entry.body["record_sha256"] != record.record_sha256:
            yield Difference(
                "record",
                str(path),
                f"{short(entry.body['record_sha256'])} by entry {entry.seq}",
                short(record.record_sha256),
            )
        yield record

    def of_run(self, record: RunRecord) -> Iterator[Difference]:
        """What is not as recorded, among the files of a run and those it rested on."""
        folder = self._evidence.workspace.run_folder(record.run_id)
        for name, wanted in sorted(record.files.items()):
            yield from self._file("file", folder / name, wanted)
        decision = None
        if record.decision is not None:
            try:
                decision = load_decision(folder / DECISION)
            except CasegateError as error:
                wanted = record.decision.decision_sha256
                yield Difference("decision", str(folder / DECISION), short(wanted), str(error))
        if decision is not None:
            yield from self._decision(record, decision, folder)
        for name, field, what in KEPT:
            if (wanted := getattr(record.inputs, field)) is not None:
                yield from self._kept(what, name, wanted)
        yield from self._case_set(record)
        yield from self._training(record)

    def _decision(
        self, record: RunRecord, decision: Decision, folder: Path
    ) -> Iterator[Difference]:
        self._count("decisions")
        path, got = str(folder / DECISION), decision.decision_sha256
        assert record.decision is not None  # the caller looked
        wanted = {"the run record": record.decision.decision_sha256}
        if entry := self._entry("decision", record.run_id):
            wanted[f"entry {entry.seq}"] = entry.body["decision_sha256"]
        for by, sha256 in wanted.items():
            if sha256 != got:
                yield Difference("decision", path, f"{short(sha256)} by {by}", short(got))
        named = {SCORES: "candidate_scores", CHAMPION_SCORES: "champion_scores"}
        for name, key in named.items():
            if name not in record.files or decision.hashes.get(key) is None:
                continue
            try:
                found = load_scores(folder / name).scores_sha256
            except CasegateError as error:
                found = str(error)
            self._count("score files")
            if found != decision.hashes[key]:
                recorded = short(decision.hashes[key])
                yield Difference("scores", str(folder / name), recorded, short(found))

    def _kept(self, what: str, name: str, wanted: str) -> Iterator[Difference]:
        if self._first(name, wanted):
            yield from self._file(what, self._evidence.workspace.kept(name, wanted), wanted)

    def _case_set(self, record: RunRecord) -> Iterator[Difference]:
        inputs = record.inputs
        if inputs.case_set_sha256 is None or not self._first("root", inputs.case_set_sha256):
            return
        path = self._evidence.workspace.kept(CASE_SET, inputs.case_set_sha256)
        try:
            found = load_case_set(path).merkle_root
        except CasegateError as error:
            found = str(error)
        self._count("case sets, case by case")
        if found != inputs.case_set_root:
            yield Difference("case set", str(path), short(inputs.case_set_root), short(found))

    def _training(self, record: RunRecord) -> Iterator[Difference]:
        root = record.inputs.training_root
        if root is None or not self._first("training", root):
            return
        path = manifest_path(self._evidence.workspace.training, root)
        try:
            found: object = check_manifest(path, root=root).cases
        except CasegateError as error:
            found = str(error)
        self._count("training manifests, case by case")
        if found != record.inputs.training_cases:
            wanted = f"{record.inputs.training_cases} cases, root {root[:12]}..."
            yield Difference("training data", str(path), wanted, short(found))

    def served(self) -> Iterator[Difference]:
        """Models in the destinations that are not the ones that the ledger put there.

        A version that is gone from a destination was retired; only what is there is compared.
        """
        for release in self._evidence.releases:
            path = self._evidence.workspace.root / release.destination / str(release.version)
            if not path.is_dir():
                continue
            try:
                found = sha256_tree(path)
            except CasegateError as error:
                found = str(error)
            self._count("served models")
            if found != release.model_sha256:
                yield Difference(
                    "model",
                    str(path),
                    f"{short(release.model_sha256)} by entry {release.seq}",
                    short(found),
                )

    def servable(self) -> dict[str, str]:
        """Whether each version that lies in a destination can be served, and if not, why."""
        found: dict[str, str] = {}
        tried: dict[str, str | None] = {}
        for release in self._evidence.releases:
            name = f"{release.destination}/{release.version}"
            path = self._evidence.workspace.root / name
            if path.is_dir():
                if release.model_sha256 not in tried:
                    tried[release.model_sha256] = probe(path).fault
                fault = tried[release.model_sha256]
                found[name] = "yes" if fault is None else f"no: {fault}"
        return found

    def _file(self, what: str, path: Path, wanted: str) -> Iterator[Difference]:
        try:
            found = sha256_file(path)
        except OSError as error:
            found = error.strerror or "unreadable"
        self._count("files")
        if found != wanted:
            yield Difference(what, str(path), short(wanted), short(found))

    def _entry(self, kind: str, run_id: str) -> Entry | None:
        return self._evidence.last_entries.get((kind, run_id))

    def _first(self, what: str, sha256: str) -> bool:
        """Whether this content was not looked at before."""
        key = (what, sha256)
        new = key not in self._shared
        self._shared.add(key)
        return new

    def _count(self, what: str) -> None:
        self.checked[what] = self.checked.get(what, 0) + 1


class Signatures:
    """Attributes:
    checked: how many statements were checked; `unsigned` counts decisions that nobody signed.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.checked: dict[str, int] = {}

    def of_run(self, record: RunRecord) -> Iterator[Difference]:
        if record.decision is None:
            return
        folder = self._evidence.workspace.run_folder(record.run_id)
        wanted = record.decision.statement_sha256
        envelope = folder / DECISION_ATTESTATION
        if wanted is None:
            self._count("unsigned decisions")
            if envelope.exists():
                yield Difference("signature", str(envelope), "unsigned", "an envelope")
            return
        try:
            trusted = load_trusted(trusted_folder(folder))
            subject = Subject(record.run_id, None)
            for what, checked in signed_statements(self._evidence, subject, trusted):
                if checked is None and what == "decision":
                    yield Difference("signature", str(envelope), short(wanted), "nothing")
                if checked is None:
                    continue
                self._count("signed statements")
                if what == "decision" and checked.statement_sha256 != wanted:
                    found = short(checked.statement_sha256)
                    yield Difference("signature", str(envelope), short(wanted), found)
                if not checked.signers:
                    keys = ", ".join(key[:12] for key in checked.unknown)
                    yield Difference("signature", str(envelope), "a trusted key", f"only {keys}")
        except CasegateError as error:
            yield Difference("signature", str(envelope), short(wanted), str(error))

    def _count(self, what: str) -> None:
        self.checked[what] = self.checked.get(what, 0) + 1


_NOT_PROPERTIES = {"artifact_id", "name", "uri"}


class StoreRows:
    """Attributes:
    checked: how many rows of each kind were held against their record.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._environments: set[str] = set()
        self.checked: dict[str, int] = {}

    def of_run(self, record: RunRecord, decision: Decision | None) -> Iterator[Difference]:
        store, run_id = self._evidence.store, record.run_id
        row = store.run(record.workspace_id, run_id)
        yield from self._row(f"run {run_id}", run_properties(record), row)
        if record.environment.sha256 not in self._environments:
            self._environments.add(record.environment.sha256)
            yield from self._environment(record)
        checks = {r["check_name"]: r for r in store.checks(record.workspace_id, run_id)}
        wanted = {c.check: check_properties(record, c) for c in decision.checks} if decision else {}
        for name in sorted(wanted.keys() | checks.keys()):
            yield from self._row(
                f"check {name} of run {run_id}", wanted.get(name), checks.get(name)
            )
        yield from self._graph(record)

    def releases(self) -> Iterator[Difference]:
        evidence = self._evidence
        rows = {
            (row["destination"], row["version"]): row
            for row in evidence.store.releases(evidence.workspace_id)
        }
        wanted = {
            (release.destination, str(release.version)): release_properties(
                release, workspace_id=evidence.workspace_id, run_id=evidence.run_of(release)
            )
            for release in evidence.releases
        }
        for key in sorted(wanted.keys() | rows.keys()):
            yield from self._row(f"release {'/'.join(key)}", wanted.get(key), rows.get(key))

    def _environment(self, record: RunRecord) -> Iterator[Difference]:
        sha256 = record.environment.sha256
        where = f"environment {sha256[:12]}..."
        row = self._evidence.store.environment(sha256)
        yield from self._row(where, environment_properties(record), row)
        packages = self._evidence.store.packages(sha256)
        yield from self._values(where, record.environment.packages, packages)

    def _row(
        self, where: str, wanted: Mapping[str, Any] | None, row: Mapping[str, Any] | None
    ) -> Iterator[Difference]:
        kind = where.partition(" ")[0]
        self.checked[f"{kind} rows"] = self.checked.get(f"{kind} rows", 0) + 1
        if wanted is None or row is None:
            here, there = (("a row", "none"), ("none", "a row"))[wanted is None]
            yield Difference("metadata", f"ML Metadata, {where}", here, there)
            return
        found = {key: value for key, value in row.items() if key not in _NOT_PROPERTIES}
        yield from self._values(where, wanted, found)

    def _values(
        self, where: str, wanted: Mapping[str, Any], found: Mapping[str, Any]
    ) -> Iterator[Difference]:
        for key in sorted(wanted.keys() | found.keys()):
            if not _same(wanted.get(key), found.get(key)):
                yield Difference(
                    "metadata",
                    f"ML Metadata, {where}, {key}",
                    short(wanted.get(key)),
                    short(found.get(key)),
                )

    def _graph(self, record: RunRecord) -> Iterator[Difference]:
        """What TFX wrote of the run, against the copy that was taken when it ended."""
        if record.store.lineage_sha256 is None:
            return
        self.checked["run graphs"] = self.checked.get("run graphs", 0) + 1
        graph = self._evidence.store.run_graph(record.store.pipeline_run)
        if graph.sha256 == record.store.lineage_sha256:
            return
        path = self._evidence.workspace.run_folder(record.run_id) / LINEAGE
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            kept = {"unreadable": str(error)}
        where, recorded, found = _first_difference(kept, _plain(graph))
        yield Difference(
            "metadata",
            f"ML Metadata, graph of run {record.run_id}, {where}",
            short(recorded),
            short(found),
        )


def verify(evidence: Evidence, subjects: Sequence[Subject] | None) -> Answer:
    """Recomputes every hash of some runs and their releases, or of all of them.

    Models in the destinations and the ledger's chain are checked whoever is asked about.

    Args:
      subjects: None takes every run of the workspace.
    """
    files, signatures, rows = Files(evidence), Signatures(evidence), StoreRows(evidence)
    found: list[Difference] = []
    for difference in _differences(evidence, subjects, files, signatures, rows):
        found.append(difference)
        if len(found) == MOST:
            break
    checked = {**files.checked, **signatures.checked, **rows.checked}
    table = Table(
        "differences",
        "What is not as it was recorded",
        ("what", "where", "recorded", "found"),
        tuple((d.what, d.where, d.recorded, d.found) for d in found),
    )
    named = None if subjects is None else ", ".join(subject.name for subject in subjects)
    what = "everything" if named is None else named or "nothing, for nothing is released"
    differ = f"{len(found)} {'difference' if len(found) == 1 else 'differences'}"
    facts = {"what": what, "result": differ if found else "as recorded"}
    facts |= {f"checked: {kind}": str(count) for kind, count in checked.items()}
    # No difference: a release of before models were tried where they are served is as it was.
    facts |= {f"can be served: {name}": answer for name, answer in files.servable().items()}
    notes = [f"The first difference: {difference.sentence}." for difference in found[:1]]
    if len(found) == MOST:
        notes.append(f"Stopped after {MOST} differences.")
    return Answer(
        question="is it all still as it was recorded",
        facts=facts,
        tables=(table,) if found else (),
        notes=tuple(notes),
        evidence=(f"{evidence.workspace.ledger}: {len(evidence.entries)} entries, chain intact",),
        exit_code=IntegrityError.exit_code if found else 0,
    )


def _differences(
    evidence: Evidence,
    subjects: Sequence[Subject] | None,
    files: Files,
    signatures: Signatures,
    rows: StoreRows,
) -> Iterator[Difference]:
    wanted = _runs(evidence) if subjects is None else [s.run_id for s in subjects]
    try:
        verify_ledger(evidence.workspace.root, runs=wanted if subjects else None)
    except CasegateError as error:
        yield Difference("ledger", str(evidence.workspace.ledger), "a chain that fits", str(error))
    for run_id in wanted:
        for record in files.record(run_id):
            if isinstance(record, Difference):
                yield record
                continue
            yield from files.of_run(record)
            yield from signatures.of_run(record)
            if record.state != "running":
                yield from rows.of_run(record, _decision(evidence, record))
    yield from files.served()
    yield from rows.releases()


def _runs(evidence: Evidence) -> list[str]:
    """Every run that has a folder or that the ledger names as ended."""
    named = {run_id for kind, run_id in evidence.last_entries if kind == "run"}
    runs = evidence.workspace.runs
    there = {path.name for path in runs.iterdir() if path.is_dir()} if runs.is_dir() else set()
    return sorted(named | there)


def _decision(evidence: Evidence, record: RunRecord) -> Decision | None:
    path = evidence.workspace.run_folder(record.run_id) / DECISION
    try:
        return load_decision(path) if path.exists() else None
    except CasegateError:
        return None  # said already


def _same(wanted: Any, found: Any) -> bool:
    """Whether a row holds the value; numbers go there as text, which SQLite reads a bit off."""
    if isinstance(wanted, float) and isinstance(found, float):
        return math.isclose(wanted, found, rel_tol=1e-14)
    return bool(wanted == found)


def _plain(graph: Graph) -> Any:
    return json.loads(json.dumps(graph.document()))


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
