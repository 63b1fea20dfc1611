"""Runs a recorded run once more, and says whether the same came out.

With the recorded code, packages, configuration, data, judges, champion and ledger, in a scratch
workspace; what could not be the same is listed beside the outcome.
"""

import math
import shutil
import tempfile
from dataclasses import fields
from pathlib import Path

from components.baselines.scores import load_scores
from components.decision import Decision, load_decision
from components.lineage.record import Environment, RunRecord, load_record
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_file, sha256_tree
from components.records.problems import parse_json_line
from components.records.run_files import DECISION, RUN_RECORD, SCORES
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.reproduce.exports import SameExport, compare_exports
from pipeline.evidence.reproduce.restore import (
    RestoredCode,
    Say,
    ScratchInputs,
    lay_out,
    recorded_code,
    watched,
)
from pipeline.evidence.reproduce.scores import (
    DIFFERENT,
    IDENTICAL,
    SameScores,
    compare_scores,
)
from pipeline.evidence.subject import Evidence, Subject

TOLERANCE = 1e-6
_SHOWN = 20
# Of a training that promised privacy.
OTHER_AGAIN = (
    "The training promised privacy: its draws and noise came of a secret that nobody kept, so "
    "another model has to come out, and no repetition can tell whether the recorded one was "
    "trained as its record says."
)
SAME_AGAIN = (
    "The training promised privacy, and yet the same scores came out: its noise cannot have been "
    "secret, so the promise does not hold."
)


def reproduce(
    evidence: Evidence,
    subject: Subject,
    *,
    repository: Path,
    say: Say,
    tolerance: float = TOLERANCE,
    data: str | None = None,
    fresh: bool = False,
    keep: bool = False,
) -> Answer:
    """Repeats the run and compares.

    Args:
      repository: the git checkout that has the run's commit.
      say: gets the progress, line by line.
      tolerance: the largest difference of a score that still counts as reproduced.
      data: where the training data are now; None looks where they were.
      fresh: makes the environment anew even where this one is the recorded one.
      keep: leaves the scratch folder, and names it.

    Raises:
      ConfigError, SourceError: the run left no scores, or cannot be repeated here.
      IntegrityError: data, code or evidence is not what was recorded.
    """
    record, decision = evidence.record(subject.run_id), evidence.decision(subject.run_id)
    folder = evidence.workspace.run_folder(record.run_id)
    if decision is None or not (folder / SCORES).exists():
        raise ConfigError(
            f"run {record.run_id}: {record.state} without scores of its own, so there is nothing "
            "to reproduce; choose a run that judged a candidate"
        )
    recorded = load_scores(folder / SCORES)
    if recorded.scores_sha256 != decision.hashes["candidate_scores"]:
        raise IntegrityError(f"{folder / SCORES}: are not the scores that the decision names")
    scratch = Path(tempfile.mkdtemp(prefix="casegate-reproduce-"))
    try:
        laid = lay_out(evidence, record, scratch, data=data)
        code = recorded_code(record, folder, scratch, say=say, repository=repository, fresh=fresh)
        exit_code, last = _run(code, laid, record, say)
        # The last run is the one that was just made; the others hold what judged.
        again = [path.parent for path in sorted(laid.workspace.runs.glob(f"*/{RUN_RECORD}"))][-1:]
        if not again or not (again[0] / SCORES).exists():
            facts: dict[str, Value] = {
                "run": subject.run_id,
                "scores": f"{DIFFERENT}: the repetition came to none",
                "it ended with": f"exit code {exit_code}: {last}",
                "code and environment": code.how,
            }
            return Answer(_question(subject), facts, notes=laid.notes, exit_code=1)
        found = Repetition(again[0], laid)
        scores = compare_scores(recorded, load_scores(again[0] / SCORES), tolerance=tolerance)
        judged, repeated = (folder, decision), (again[0], found.decision)
        exports = compare_exports(judged, repeated, tolerance=tolerance)
        compared = (scores, exports)
        answer = _answer(evidence, subject, record, decision, compared, found, code, tolerance)
    finally:
        if keep:
            say(f"kept: {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    return answer


class Repetition:
    """What the repetition came to."""

    def __init__(self, folder: Path, laid: ScratchInputs) -> None:
        self.laid = laid
        self.record = load_record(folder / RUN_RECORD)
        self.decision = load_decision(folder / DECISION)
        models = laid.workspace.artifacts.glob("Trainer/model/*/Format-Serving")
        self.model = next(iter(sorted(models)), None)


def _run(code: RestoredCode, laid: ScratchInputs, record: RunRecord, say: Say) -> tuple[int, str]:
    command = code.command(
        *("run", "--config", str(laid.config), "--workspace", str(laid.workspace.root)),
        *("--trigger", "manual", "--why", f"reproduces {record.run_id}", "--format", "json"),
    )
    exit_code, lines = watched(command, code, say=say)
    last = lines[-1] if lines else "it said nothing"
    error = parse_json_line(last)
    return exit_code, error.line if error else last


def _answer(
    evidence: Evidence,
    subject: Subject,
    record: RunRecord,
    decision: Decision,
    compared: tuple[SameScores, list[SameExport]],
    found: Repetition,
    code: RestoredCode,
    tolerance: float,
) -> Answer:
    scores, exports = compared
    checks, first, most = differing_checks(decision, found.decision), scores.first, scores.largest
    points = (decision.operating_points["candidate"], found.decision.operating_points["candidate"])
    facts: dict[str, Value] = {
        "run": record.run_id,
        "scores": scores.outcome,
        "scores: cases": scores.cases,
        "scores: cases that differ": len(scores.differing),
        "scores: largest difference": f"{most.size:.3g} ({most.case_id})" if most else "0",
        "scores: tolerance": tolerance,
        "scores: first difference": (
            f"{first.case_id}: recorded {first.recorded}, again {first.again}" if first else "none"
        ),
        "operating point": _both(*points),
        "verdict": _both(decision.verdict.value, found.decision.verdict.value),
        "checks": f"{len(checks)} of {len(decision.checks)} with another verdict",
        "training data": _both(record.inputs.training_root, found.record.inputs.training_root),
        "model: all files": _both(decision.hashes["candidate"], found.decision.hashes["candidate"]),
        "model: files of its weights": _weights(evidence, subject, decision, found),
        **dict(fact for export in exports for fact in export.facts()),
        "code and environment": code.how,
    }
    same_exports = all(export.reproduced for export in exports)
    exit_code, said = ending(scores.outcome, same_exports=same_exports, noisy=found.laid.noisy)
    differing = differing_environment(record.environment, found.record.environment)
    columns = ("check", "recorded", "again", "recorded_reason", "again_reason")
    what = ("what", "recorded", "again")
    return Answer(
        _question(subject),
        facts,
        tables=(
            _scores_table(scores),
            Table("checks", "Checks with another verdict", columns, tuple(checks)),
            Table("environment", "What differs in the environment", what, tuple(differing)),
        ),
        notes=(*found.laid.notes, *said, *_notes(scores, decision, found.decision)),
        evidence=(
            f"runs/{record.run_id}/{SCORES}, SHA-256 of its scores "
            f"{decision.hashes['candidate_scores']}, named by decision {decision.decision_sha256}",
        ),
        exit_code=exit_code,
    )


def ending(outcome: str, *, same_exports: bool, noisy: bool) -> tuple[int, tuple[str, ...]]:
    """The exit code, and what has to be said of it.

    Args:
      outcome: of the scores.
      noisy: whether noise that nobody can make again is in them.
    """
    if noisy:
        return (1, (SAME_AGAIN,)) if outcome == IDENTICAL else (3, (OTHER_AGAIN,))
    return (0 if outcome != DIFFERENT and same_exports else 1), ()


def differing_checks(
    recorded: Decision, again: Decision
) -> list[tuple[str, str | None, str | None, str | None, str | None]]:
    """Checks whose verdict is another, or that only one of the decisions has, by name."""
    old = {check.check: check for check in recorded.checks}
    new = {check.check: check for check in again.checks}
    rows = []
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        verdicts = [check.verdict.value if check else None for check in (before, after)]
        if verdicts[0] != verdicts[1]:
            reasons = [check.reason if check else None for check in (before, after)]
            rows.append((name, verdicts[0], verdicts[1], reasons[0], reasons[1]))
    return rows


def differing_environment(
    recorded: Environment, again: Environment
) -> list[tuple[str, Value, Value]]:
    """What may change what is computed: Python, system, processor, lock file, packages."""
    plain = [f.name for f in fields(Environment) if f.name not in ("packages", "memory_bytes")]
    rows = [(name, getattr(recorded, name), getattr(again, name)) for name in plain]
    old, new = recorded.packages, again.packages
    rows += [(f"package {name}", old.get(name), new.get(name)) for name in sorted({**old, **new})]
    return [row for row in rows if row[1] != row[2]]


def _weights(
    evidence: Evidence, subject: Subject, decision: Decision, found: Repetition
) -> str | None:
    old = evidence.folder(subject.release) if subject.release else None
    if old is None or found.model is None or sha256_tree(old) != decision.hashes["candidate"]:
        return None
    pair = [
        {path.name: sha256_file(path) for path in (model / "variables").iterdir()}
        for model in (old, found.model)
    ]
    return "the same bytes" if pair[0] == pair[1] else "other bytes, which hold names too"


def _scores_table(scores: SameScores) -> Table:
    title = "Cases whose scores differ"
    if len(scores.differing) > _SHOWN:
        title = f"The first {_SHOWN} cases whose scores differ"
    rows = tuple(
        (one.case_id, *map(_finite, (one.recorded, one.again, one.size)))
        for one in scores.differing[:_SHOWN]
    )
    columns = ("case_id", "recorded", "again", "difference")
    return Table("scores", title, columns, rows, {"case_id": "case"})


def _notes(scores: SameScores, recorded: Decision, again: Decision) -> list[str]:
    notes = []
    hashes = [decision.hashes["candidate"] for decision in (recorded, again)]
    if scores.outcome != DIFFERENT and hashes[0] != hashes[1]:
        notes.append(
            "A model's files hold the hash of its configuration, which names other folders here; "
            "so they hash otherwise where the weights are the same."
        )
    if any(waiver.state == "applied" for waiver in recorded.waivers):
        notes.append("A waiver held then; it holds for that candidate alone, and until it expires.")
    return notes


def _question(subject: Subject) -> str:
    return f"does {subject.name} come out again"


def _both(recorded: Value, again: Value) -> str:
    old, new = ("not known" if value is None else value for value in (recorded, again))
    return f"the same: {old}" if old == new else f"recorded {old}, again {new}"


def _finite(value: float | None) -> Value:
    return value if value is None or math.isfinite(value) else str(value)
