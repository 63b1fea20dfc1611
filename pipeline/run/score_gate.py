"""The gate on scores that exist already: no pipeline, no training, any framework.

The same policy, rules and decision as in a run; only the Evaluator, which works from the images of
a trained model, has no part in it. An operating point is part of a model, and a score file often
states none: none is ever chosen here, and there is no default.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import Approval, Golden, load_golden
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.baselines.score_files import CaseOrder, parse_point, read_score_file
from components.baselines.scores import CaseScores, load_scores, save_scores
from components.decision import Decision, save_decision
from components.gate.policy import load_policy
from components.gate.record import judge, record
from components.records.clock import parse_time, time_id, utc_now
from components.records.errors import ConfigError, SourceError, UsageError, suggestion
from components.records.files import sha256_file, write_atomically
from components.records.ledger.ledger import Ledger
from components.records.run_files import CHAMPION_SCORES, DECISION, REQUEST, SCORES
from components.records.text import spell
from pipeline.run.exported_scores import GivenExport, is_export, read_export, score_exports
from pipeline.settings.baselines import find_case_set, locked_source
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from components.records.case import Source


MODELS = ("candidate", "champion", "golden")
SAVED_MODEL = "saved_model.pb"
TABLES = (".csv", ".parquet", ".pq")


@dataclass(frozen=True)
class Points:
    """Operating points as typed: one for every file that states none, and one by model."""

    every: float | None = None
    named: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, words: Iterable[str]) -> "Points":
        """From VALUE and NAME=VALUE; UsageError for anything else, and for one given twice."""
        found: dict[str, float] = {}
        for word in words:
            name, equals, text = word.rpartition("=")
            if equals and name not in MODELS:
                raise UsageError(
                    f"--operating-point {word}: unknown model '{name}'{suggestion(name, MODELS)}"
                )
            if name in found:
                raise UsageError(f"--operating-point {word}: stands twice; give one")
            if (point := parse_point(text)) is None:
                raise UsageError(f"--operating-point {word}: got '{text}', wanted a number")
            found[name] = point
        every = found.pop("", None)
        return cls(every, found)

    def of(self, name: str, stated: float | None, path: Path) -> float:
        """The operating point of a score file, which may state its own.

        Raises:
          UsageError: there is none, or the file and the command line contradict each other.
        """
        named = self.named.get(name)
        if stated is not None and named is not None and stated != named:
            raise UsageError(f"{path}: states operating point {stated}, the option says {named}")
        for point in (stated, named, self.every):
            if point is not None:
                return point
        raise UsageError(
            f"{path}: no operating point for the {name}; let the file state it, or give "
            f"--operating-point {name}=VALUE: the one chosen on tuning data, never on these cases"
        )

    def refuse_unused(
        self, tables: Mapping[str, "GivenScores"], exports: Mapping[str, GivenExport]
    ) -> None:
        """Raises UsageError for one that no file needs; given what was read, by model."""
        bare = {name for name, export in exports.items() if export.operating_point is None}
        for name in self.named.keys() - bare:
            if name not in tables or not tables[name].table:
                raise UsageError(
                    f"--operating-point {name}=...: the {name} is not a score file without its own"
                )
        stated = all(given.stated for given in tables.values())
        if self.every is not None and stated and not bare:
            raise UsageError(
                f"--operating-point {self.every}: everything given has an operating point of its "
                "own; leave it out"
            )


@dataclass(frozen=True, eq=False)
class GivenScores:
    """Scores out of a file.

    Attributes:
      table: whether it was a score file, of whose model nobody saw the files.
      stated: whether the file carries its operating point.
      ignored: columns that mean nothing here.
      approval: who approved them, of a golden.json.
      export: what kind of artefact gave them, and where; empty for none.
    """

    scores: CaseScores
    table: bool = False
    stated: bool = True
    ignored: tuple[str, ...] = ()
    approval: Approval | None = None
    export: str = ""


def is_file(path: Path) -> bool:
    """Whether there is one; not where nobody may look, or the name is too long to exist."""
    with suppress(OSError):
        return path.is_file()
    return False


def is_saved_model(path: Path) -> bool:
    """Whether a folder with a model was given, which has still to be scored.

    Raises:
      SourceError: a folder that holds none.
    """
    with suppress(OSError):
        if path.is_dir() and not is_export(path):
            if is_file(path / SAVED_MODEL):
                return True
            raise SourceError(
                f"{path}: no {SAVED_MODEL} in it, and no exported artefact; wanted the folder of "
                "one SavedModel or artefact"
            )
    return False


def read_given(name: str, path: Path, points: Points, order: CaseOrder) -> GivenScores:
    """The scores in a file: CSV, Parquet, or the pipeline's scores.json or golden.json.

    Raises:
      SourceError: none of these, or not readable.
      UsageError: no operating point.
      IntegrityError: labels differ from the case set's, or a file of the pipeline was edited.
    """
    if not is_file(path):
        raise SourceError(f"{path}: no such file; wanted the {name}'s scores or its SavedModel")
    if path.suffix.lower() == ".json":
        return _read_pipeline_file(path)
    if path.suffix.lower() not in TABLES:
        raise SourceError(
            f"{path}: wanted scores as .csv, .parquet or .json, the folder of a SavedModel, or an "
            "exported artefact"
        )
    table = read_score_file(path)
    point = points.of(name, table.operating_point, path)
    stated = table.operating_point is not None or name in points.named
    scores = order.scores(table, point, where=str(path))
    return GivenScores(scores, table=True, stated=stated, ignored=table.ignored)


def _read_pipeline_file(path: Path) -> GivenScores:
    content = path.read_bytes()
    if b'"golden_sha256"' in content:
        golden = load_golden(path)
        return GivenScores(golden.scores, approval=golden.approval)
    if b'"scores_sha256"' not in content:
        raise SourceError(f"{path}: wanted a scores.json or golden.json of the pipeline")
    return GivenScores(load_scores(path))


def describe_findings(given: Mapping[str, GivenScores]) -> list[str]:
    """What the decision should say of where the scores came from; names no file."""
    unseen = [name for name, one in given.items() if one.table]
    found = []
    if unseen:
        found.append(
            f"scores given as files: {', '.join(unseen)}; nobody saw the models themselves, whose "
            "hashes are those of their scores"
        )
    if "golden" in given and given["golden"].approval is None:
        found.append("golden: no approval by name stands behind these scores")
    found += [
        f"{name}: an exported artefact, {one.export}" for name, one in given.items() if one.export
    ]
    for name, one in given.items():
        if one.ignored:
            columns = ", ".join(f"'{spell(column)}'" for column in one.ignored)
            found.append(f"{name}: columns that were ignored: {columns}")
    return found


RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CREATED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")


@dataclass(frozen=True)
class GateRequest:
    """What was asked on the command line.

    Attributes:
      models: by candidate, champion and golden: a score file, scores.json, golden.json, the
        folder of a SavedModel, or an exported artefact (a .tflite file, or the folder of one).
      policy: None takes the one beside the case set; as golden does, where there is one.
      points: operating points as typed.
      images: a data source to score models on; None takes the one the lock names.
      workspace: where baselines are looked for.
      ledger: where looks are counted; None counts none.
      vouched: whether a signature names the candidate's files, so that it is no mistake where they
        are golden's or the champion's.
    """

    case_set: str
    models: Mapping[str, Path]
    policy: Path | None = None
    points: tuple[str, ...] = ()
    images: str | None = None
    workspace: Workspace = field(default_factory=lambda: Workspace(Path("workspace").resolve()))
    ledger: Path | None = None
    run_id: str | None = None
    created: str | None = None
    vouched: bool = False


@dataclass(frozen=True, eq=False)
class Gated:
    """The decision, and what it was taken on.

    Attributes:
      images: where a person said that they are.
      models: those that were given as SavedModels, by name.
    """

    decision: Decision
    case_set: CaseSet
    scores: Mapping[str, CaseScores]
    policy_path: Path
    images: "Source | None" = None
    models: Mapping[str, Path] = field(default_factory=dict)

    @property
    def synthetic(self) -> bool:
        """Whether a program drew every judged image; their attributes say so."""
        cases = self.case_set.cases
        return bool(cases) and all(c.attributes.get("origin") == "synthetic" for c in cases)


def gate(request: GateRequest) -> Gated:
    """Judges the candidate, and writes it down where there is a ledger.

    Raises:
      CasegateError: whatever kept it from a decision; its `exit_code` says how.
    """
    run_id = _checked_id(request.run_id or time_id())
    created = _checked_time(request.created or utc_now())
    points = Points.parse(request.points)
    place = find_case_set(request.case_set, request.workspace)
    policy_path = request.policy or place.parent / POLICY
    if not is_file(policy_path):
        raise UsageError(f"{policy_path}: no such policy; give one with --policy FILE")
    policy, models = load_policy(policy_path), dict(request.models)
    if "golden" not in models and is_file(place.parent / GOLDEN):
        models["golden"] = place.parent / GOLDEN
    ledger, runs = None, None
    if request.ledger:
        ledger, runs = Ledger(request.ledger), request.ledger.parent / "runs"
        _refuse_unkeepable(runs / run_id, place)
    case_set = load_case_set(place)
    images = None
    if request.images is not None:
        images = locked_source(place, case_set, named=request.images)
    given = _read(models, points, place, case_set, images)
    scores = {name: one.scores for name, one in given.items()}
    ours = scores["candidate"].model_sha256
    same = {name for name, its in scores.items() if request.vouched and its.model_sha256 == ours}
    decision = judge(
        ledger,
        runs,
        policy=policy,
        case_set=case_set,
        candidate=scores["candidate"],
        champion=scores.get("champion"),
        golden=_golden(given["golden"], created) if "golden" in given else None,
        evaluator=None,
        scores_only=True,
        findings=describe_findings(given),
        same_inputs=same - {"candidate"},
        run_id=run_id,
        created=created,
    )
    saved = {name: path for name, path in models.items() if is_saved_model(path)}
    gated = Gated(decision, case_set, scores, policy_path, images, saved)
    if ledger and runs:
        _keep(runs / run_id, gated, place, models)
        record(ledger, decision)
    return gated


def _read(
    paths: Mapping[str, Path],
    points: Points,
    place: Path,
    case_set: CaseSet,
    images: "Source | None",
) -> dict[str, GivenScores]:
    """The scores of every model that was given."""
    saved = {name: path for name, path in paths.items() if is_saved_model(path)}
    exports = {name: read_export(path) for name, path in paths.items() if is_export(path)}
    order = CaseOrder(case_set)
    files = {name: path for name, path in paths.items() if name not in {**saved, **exports}}
    given = {name: read_given(name, path, points, order) for name, path in files.items()}
    points.refuse_unused(given, exports)
    if exports:
        given |= _read_exports(exports, points, case_set, images or locked_source(place, case_set))
    if saved:
        from pipeline.run.model_scores import score_models

        scored = score_models(saved, case_set, images or locked_source(place, case_set))
        given |= {name: GivenScores(scores) for name, scores in scored.items()}
    return {name: given[name] for name in MODELS if name in given}


def _read_exports(
    exports: Mapping[str, GivenExport], points: Points, case_set: CaseSet, images: "Source"
) -> dict[str, GivenScores]:
    own = {name: points.of(name, one.operating_point, one.path) for name, one in exports.items()}
    scored = score_exports(exports, own, case_set, images)
    return {name: GivenScores(scored[name], export=exports[name].what) for name in exports}


def _golden(given: GivenScores, created: str) -> Golden:
    """Golden as the gate wants it; that nobody approved these scores is among the findings."""
    unapproved = Approval(by="nobody", reason="given on the command line", date=created)
    return Golden(given.scores, given.approval or unapproved)


def _refuse_unkeepable(folder: Path, place: Path) -> None:
    """Raises ConfigError where the decision could not be kept beside the ledger."""
    if folder.exists():
        raise ConfigError(f"--run-id {folder.name}: {folder} exists already; choose another")
    if place.name != CASE_SET:
        raise ConfigError(
            f"{place}: what a ledger records has to rest on a file named {CASE_SET}; judge it "
            "without a ledger, or give the baseline's current version"
        )


def _keep(folder: Path, gated: Gated, place: Path, models: Mapping[str, Path]) -> None:
    """Keeps a decision and its evidence as a run does, so that it can be waived or approved."""
    golden = models.get("golden")
    request = {
        "run_id": folder.name,
        "created": gated.decision.created,
        "case_set": _hashed(place),
        "policy": _hashed(gated.policy_path),
        "golden": _hashed(golden) if golden and is_file(golden) else ["", ""],
        # Nothing was trained here, so no run can find that it would train the same again.
        "training_sha256": "",
        "fingerprint": "",
    }
    write_atomically(folder / REQUEST, json.dumps(request, sort_keys=True).encode())
    save_scores(gated.scores["candidate"], folder / SCORES)
    if "champion" in gated.scores:
        save_scores(gated.scores["champion"], folder / CHAMPION_SCORES)
    save_decision(gated.decision, folder / DECISION)


def _hashed(path: Path) -> list[str]:
    return [str(path.resolve()), sha256_file(path)]


def _checked_id(run_id: str) -> str:
    if not RUN_ID.fullmatch(run_id):
        raise UsageError(
            f"--run-id: got {run_id[:40]!r}, wanted up to 100 letters, digits, dots, dashes and "
            "underscores"
        )
    return run_id


def _checked_time(created: str) -> str:
    with suppress(ValueError):
        parse_time(created)
        if CREATED.fullmatch(created):
            return created
    raise UsageError(f"--created: got {created[:40]!r}, wanted a time such as {utc_now()}")
