"""Every file that a run left, hashed again and held against what was recorded of it."""

from collections.abc import Iterator
from pathlib import Path

from components.baselines.case_set import load_case_set
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.baselines.scores import load_scores
from components.decision import Decision, load_decision
from components.lineage.record import RunRecord, load_record
from components.lineage.training import check_manifest, manifest_path
from components.records.errors import CasegateError
from components.records.files import sha256_file, sha256_tree
from components.records.ledger.entry import Entry
from components.records.run_files import CHAMPION_SCORES, DECISION, RUN_RECORD, SCORES
from components.scoring.served import probe
from pipeline.evidence.difference import Difference, short
from pipeline.evidence.subject import Evidence

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
