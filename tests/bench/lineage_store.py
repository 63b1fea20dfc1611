"""A workspace after a year: a thousand runs, 100,000 training cases, and all that they leave.

python -m tests.bench.lineage_store --folder build/lineage

Two real runs are made first; what the second left is copied for each run of the plan, with
identities of its own. `casegate lineage verify --all` finds nothing to say of the result. Every
run judged the same scores, so that every decision still follows from its evidence.
"""

import argparse
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from components.baselines.scores import CaseScores, load_scores
from components.decision import CheckResult, Decision, Verdict, load_decision
from components.gate.conditions import looks_checks
from components.lineage.address import StoreAddress
from components.lineage.graph import Graph
from components.lineage.reader import MetadataStore
from components.lineage.record import (
    ComponentRun,
    Decided,
    Environment,
    Released,
    RunRecord,
    Stored,
    Where,
    Why,
    load_record,
)
from components.lineage.tables import DATA_TABLES
from components.records.files import canonical_json, sha256_file, sha256_tree
from components.records.run_files import (
    CHAMPION_SCORES,
    DECISION,
    HTML_REPORT,
    LINEAGE,
    LOG,
    REPORT,
    REQUEST,
    RUN_RECORD,
    SCORES,
    STATISTICS,
)
from pipeline.settings.workspace import Workspace
from tests.bench.lineage_ledger import PlannedLedger
from tests.bench.lineage_plan import RUNS, Planned, planned, sha, time_text
from tests.bench.lineage_rows import Rows, TfxRun, write_own_rows, write_release_rows
from tests.bench.lineage_template import Template
from tests.bench.lineage_training import WeeklyTraining
from tests.bench.processes import casegate, run_fresh

PLACE = "serving/pneumonia"
PICTURE = "picture.png"  # of the first training case, beside the workspace
_SAME = (HTML_REPORT, REPORT, LOG, STATISTICS, "config.json")
_VERDICTS = {
    "released": Verdict.PASS,
    "blocked": Verdict.FAIL,
    "inconclusive": Verdict.INCONCLUSIVE,
}
_EXITS = {"released": 0, "blocked": 1, "inconclusive": 3, "failed": 70, "killed": None}
_DONE = "complete"

Say = Callable[[str], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--template", type=Path, help="a workspace with two released runs")
    arguments = parser.parse_args()
    build(arguments.folder, arguments.runs, template=arguments.template, say=_say)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def build(folder: Path, runs: int = RUNS, *, template: Path | None = None, say: Say) -> Path:
    """The workspace in `folder`, made unless it is there already; returns its path."""
    root = folder.resolve() / "workspace"
    if (folder / _DONE).exists():
        return root
    if template is None:
        template = folder.resolve() / "template"
        if not (template / _DONE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            make_template(template, say)
            (template / _DONE).touch()
    shutil.rmtree(root, ignore_errors=True)
    begun = time.monotonic()
    Generated(template, root, runs).write(say)
    (folder / _DONE).touch()
    say(f"{runs} runs in {time.monotonic() - begun:.0f} s")
    return root


def make_template(root: Path, say: Say) -> None:
    """Two real runs on the phantom, the second against the first as champion."""
    for seed in (20, 21):
        say(f"a real run, seed {seed} ...")
        options = ("--workspace", str(root), "--set", f"model.seed={seed}")
        run_fresh(casegate("run", "--data", "phantom", *options, "--trigger", "schedule"))


class Generated:
    """The workspace, while it is made."""

    def __init__(self, template: Path, root: Path, runs: int) -> None:
        self.old, self.new = Workspace(template.resolve()), Workspace(root)
        last = sorted(self.old.runs.glob(f"*/{RUN_RECORD}"))[-1].parent
        self.folder = last
        self.record = load_record(last / RUN_RECORD)
        self.decision = load_decision(last / DECISION)
        self.scores = load_scores(last / SCORES)
        self.champion_scores = load_scores(last / CHAMPION_SCORES)
        self.plan = tuple(planned(runs))
        self.models: dict[int, str] = {}
        self.ledger = PlannedLedger()

    def write(self, say: Say) -> None:
        self.new.root.mkdir(parents=True)
        shutil.copy(self.old.identity, self.new.identity)
        shutil.copytree(self.old.root / "inputs", self.new.root / "inputs")
        say("training manifests ...")
        self.training = WeeklyTraining(
            self.new.training,
            (run.week for run in self.plan),
            picture=self.new.root.parent / PICTURE,
        )
        say("models ...")
        for run in self.plan:
            self.models[run.number] = self._model(run)
        connection = self._connection()
        with sqlite3.connect(self.old.root / "metadata.sqlite") as old:
            rows = Rows(connection, Template(old, self.record.store.pipeline_run))
        say("executions ...")
        read = {run.number: rows.tfx_run(self._tfx_run(run)) for run in self.plan}
        rows.flush()
        say("records ...")
        with MetadataStore(StoreAddress.parse("metadata.sqlite", root=self.new.root)) as store:
            for run in self.plan:
                pipeline_run = self.new.pipeline_run(run.run_id)
                self._run(run, store.run_graph(pipeline_run), rows, read[run.number])
        rows.flush()
        connection.close()
        self.ledger.write(self.new.ledger)

    def _model(self, run: Planned) -> str:
        """Puts a released model in its place; the hash of any other is made up."""
        if run.state != "released":
            return sha(f"model {run.number}")
        release = self.record.release
        assert release is not None  # the template's second run is one
        old = self.old.root / release.destination / str(release.version)
        place = self.new.root / PLACE / str(run.version)
        shutil.copytree(old, place, copy_function=os.link)
        said = place / "assets.extra" / "release.json"
        content = said.read_text(encoding="utf-8") if said.exists() else ""
        said.unlink(missing_ok=True)  # it is a link to the template's
        said.parent.mkdir(exist_ok=True)
        content = content.replace(self.record.code.code_sha256, sha(run.commit))
        said.write_text(f"{content}\n{run.run_id}\n", encoding="utf-8")
        return sha256_tree(place)

    def _connection(self) -> sqlite3.Connection:
        """A store with ML Metadata's schema and types, and no other row."""
        path = self.new.root / "metadata.sqlite"
        shutil.copy(self.old.root / "metadata.sqlite", path)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA synchronous = OFF")
        with connection:
            for table in DATA_TABLES:
                connection.execute(f"DELETE FROM {table}")
        connection.execute("VACUUM")
        return connection

    def _tfx_run(self, run: Planned) -> TfxRun:
        old = self.record
        champion = self._champion(run)
        assert old.release is not None and old.decision is not None
        texts = {
            str(self.old.root): str(self.new.root),
            old.run_id: run.run_id,
            str(old.decision.candidate_sha256): self.models[run.number],
            str(old.inputs.champion_sha256): champion[1],
            f"{PLACE}/{old.inputs.champion_version}": f"{PLACE}/{champion[0]}",
            str(old.release.version): str(run.version),
            str(old.inputs.training_root): self.training.sets[run.week].root,
            str(old.inputs.data_sha256): sha(f"data {run.week}"),
            old.code.code_sha256: sha(run.commit),
        }
        return TfxRun(
            pipeline_run=self.new.pipeline_run(run.run_id),
            started_ms=int(run.started.timestamp() * 1000) + 8000,
            texts=texts,
            fresh=run.fresh,
            failed=None if run.decided else "Trainer",
            passed=run.state == "released",
        )

    def _champion(self, run: Planned) -> tuple[int, str]:
        """Version and model; of the first run, which has none, the template's."""
        if run.champion is None:
            inputs = self.record.inputs
            return int(inputs.champion_version or 0), str(inputs.champion_sha256)
        return self.plan[run.champion].version, self.models[run.champion]

    def _run(self, run: Planned, graph: Graph, rows: Rows, read: list[int]) -> None:
        folder = self.new.run_folder(run.run_id)
        folder.mkdir(parents=True)
        decision = self._decision(run) if run.decided else None
        lineage = canonical_json(graph.document()) + b"\n"
        (folder / LINEAGE).write_bytes(lineage)
        self._files(run, decision, folder)
        if decision is not None:
            self.ledger.add_decision(run, decision, self.record)
        release = None
        if decision is not None and run.state == "released":
            release = self.ledger.add_release(run, decision, PLACE)
        record = self._record(run, graph, decision, folder)
        (folder / RUN_RECORD).write_bytes(_document(record))
        self.ledger.add_run(run, record)
        at_ms = int((run.started + timedelta(seconds=48)).timestamp() * 1000)
        write_own_rows(
            rows, record, str(folder), read, self.training.sets[run.week], decision, at_ms
        )
        if release is not None:
            write_release_rows(rows, release, record, at_ms + 5)

    def _decision(self, run: Planned) -> Decision:
        """The template's, with this run's identities; one check fails where it did not pass."""
        verdict, found = _VERDICTS[run.state], self.decision
        checks = found.checks
        if verdict is not Verdict.PASS:
            place = next(i for i, c in enumerate(checks) if c.rule == "floor" and c.role == "gate")
            failed = replace(checks[place], verdict=verdict, reason="as planned")
            checks = (*checks[:place], failed, *checks[place + 1 :])
        hashes = {
            **found.hashes,
            "candidate": self.models[run.number],
            "candidate_scores": self._said_by(self.models[run.number])[1],
            "champion": self._champion(run)[1],
            "champion_scores": self._said_by_champion(run)[1],
        }
        looks = replace(found.looks, used=1 + sum(p.decided for p in self.plan[: run.number]))
        counted = {check.check: check for check in looks_checks(looks)}
        checks = tuple(counted.get(c.check, self._covered(c, run)) for c in checks)
        return replace(
            found,
            run_id=run.run_id,
            created=run.at(0)[:19] + "Z",
            verdict=verdict,
            exit_code=_EXITS[run.state],
            hashes=hashes,
            looks=looks,
            checks=checks,
        )

    def _covered(self, check: CheckResult, run: Planned) -> CheckResult:
        """A coverage check with the counts of this run's training data."""
        if check.rule != "coverage" or check.slice is None:
            return check
        count = self.training.coverage[run.week][check.slice]
        reason = check.reason.replace(str(check.n), str(count), 1)
        return replace(check, n=count, reason=reason)

    @cached_property
    def _score_files(self) -> tuple[bytes, bytes]:
        return (self.folder / SCORES).read_bytes(), (self.folder / CHAMPION_SCORES).read_bytes()

    def _said_by(self, model: str) -> tuple[bytes, str]:
        return _renamed(self._score_files[0], self.scores, model)

    def _said_by_champion(self, run: Planned) -> tuple[bytes, str]:
        return _renamed(self._score_files[1], self.champion_scores, self._champion(run)[1])

    def _files(self, run: Planned, decision: Decision | None, folder: Path) -> None:
        names = _SAME if decision else (LOG, "config.json")
        for name in names:
            if (self.folder / name).exists():
                os.link(self.folder / name, folder / name)
        request = (self.folder / REQUEST).read_text(encoding="utf-8")
        for old, new in self._tfx_run(run).texts.items():
            request = request.replace(old, new)
        (folder / REQUEST).write_text(request, encoding="utf-8")
        if decision is not None:
            (folder / DECISION).write_text(decision.to_json(), encoding="utf-8")
            (folder / SCORES).write_bytes(self._said_by(self.models[run.number])[0])
            (folder / CHAMPION_SCORES).write_bytes(self._said_by_champion(run)[0])

    def _record(
        self, run: Planned, graph: Graph, decision: Decision | None, folder: Path
    ) -> RunRecord:
        old, data = self.record, self.training.sets[run.week]
        champion = self._champion(run) if run.champion is not None else (None, None)
        inputs = replace(
            old.inputs,
            champion_version=champion[0],
            champion_sha256=champion[1],
            data_sha256=sha(f"data {run.week}"),
            training_root=data.root,
            training_cases=data.cases,
        )
        shift = run.started - datetime.fromisoformat(old.started.replace("Z", "+00:00"))
        stored_at = Stored(old.store.pipeline, self.new.pipeline_run(run.run_id), graph.sha256)
        return replace(
            old,
            run_id=run.run_id,
            state=run.state,
            started=run.at(0),
            finished=run.at(47.5),
            exit_code=_EXITS[run.state],
            error=None if decision else "its process ended without a word",
            where=Where("GitLab CI", "judge", None, "Ada Example <ada@example.org>"),
            why=Why(run.trigger),
            code=replace(
                old.code,
                git_commit=run.commit,
                git_dirty=False,
                diff_sha256=None,
                code_sha256=sha(run.commit),
            ),
            environment=self._environment(run.environment),
            inputs=inputs,
            components=tuple(_later(component, shift) for component in old.components),
            store=stored_at,
            decision=_decided(decision) if decision else None,
            release=Released(PLACE, run.version, self.models[run.number], None)
            if run.state == "released"
            else None,
            files={
                path.name: sha256_file(path)
                for path in sorted(folder.iterdir())
                if path.name != RUN_RECORD
            },
        )

    def _environment(self, number: int) -> Environment:
        """The template's, with another patch of one package and another lock file each time."""
        found = self.record.environment
        packages = {**found.packages, "pillow": f"10.{number}.0"}
        return replace(found, packages=packages, lock_file_sha256=sha(f"lock {number}"))


def _later(component: ComponentRun, shift: timedelta) -> ComponentRun:
    started = datetime.fromisoformat(component.started.replace("Z", "+00:00")) + shift
    return replace(component, started=time_text(started))


def _renamed(content: bytes, scores: CaseScores, model: str) -> tuple[bytes, str]:
    """A file of scores under another model's name, and its hash."""
    new = replace(scores, model_sha256=model)
    content = content.replace(scores.model_sha256.encode(), model.encode())
    return content.replace(
        scores.scores_sha256.encode(), new.scores_sha256.encode()
    ), new.scores_sha256


def _decided(decision: Decision) -> Decided:
    return Decided(decision.verdict.value, decision.decision_sha256, decision.hashes["candidate"])


def _document(record: RunRecord) -> bytes:
    document = {**record.document(), "record_sha256": record.record_sha256}
    return canonical_json(document) + b"\n"


if __name__ == "__main__":
    sys.exit(main())
