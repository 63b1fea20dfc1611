"""What changed between two runs or releases, from the code to the cases gained and lost."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from components.baselines.files import sha256_file
from components.errors import CasegateError, NothingEvaluated
from components.gate.judged_cases import JudgedCases
from components.gate.policy import Policy, load_policy
from components.lineage.record import RunRecord
from components.metrics import METRICS
from pipeline.lineage.answer import Answer, Table, Value
from pipeline.lineage.commits_between import commits_between
from pipeline.lineage.judged import CANDIDATE, Judged, judged
from pipeline.lineage.subject import Evidence, Subject
from pipeline.lineage.training_changes import training_changes

CONFIG = "config.json"
COLUMNS = ("what", "first", "second")


def diff(evidence: Evidence, first: Subject, second: Subject) -> Answer:
    """The differences from `first` to `second`; what is equal in both is left out."""
    old, new = evidence.record(first.run_id), evidence.record(second.run_id)
    judges = {
        name: _judged(evidence, subject) for name, subject in (("first", first), ("second", second))
    }
    data, data_notes = training_changes(evidence, old, new)
    tables = [
        _table("code", "Code, policy and data", _of_record(old, new)),
        _table("packages", "Packages", _keys(old.environment.packages, new.environment.packages)),
        _table("configuration", "Configuration", _configuration(evidence, old, new)),
        _table("policy", "Acceptance criteria", _policies(evidence, old, new)),
        _table("environment", "Machine", _environment(old, new)),
        data,
    ]
    notes = list(data_notes)
    one, other = judges["first"], judges["second"]
    if one is not None and other is not None:
        tables += _measured(one, other, notes)
    else:
        notes.append("Metrics and cases are not compared: a run without a decision has none.")
    count, commits = commits_between(old.code.git_commit, new.code.git_commit)
    facts: dict[str, Value] = {
        "first": f"{first.name} ({old.state}, {old.started})",
        "second": f"{second.name} ({new.state}, {new.started})",
        "commits between": count,
        **{
            f"{table.title}: differences": len(table.rows)
            for table in tables
            if table.name not in ("metrics",)
        },
    }
    return Answer(
        question=f"what changed from {first.name} to {second.name}",
        facts=facts,
        tables=tuple(table for table in (*tables, commits) if table is not None and table.rows),
        notes=tuple(notes),
        evidence=tuple(
            f"{evidence.workspace.run_folder(r.run_id)}: record {r.record_sha256}"
            for r in (old, new)
        ),
    )


def _judged(evidence: Evidence, subject: Subject) -> Judged | None:
    return judged(evidence, subject) if evidence.decision(subject.run_id) is not None else None


def _table(name: str, title: str, rows: Iterator[tuple[Value, ...]]) -> Table:
    return Table(name, title, COLUMNS, tuple(rows))


def _keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Value, ...]]:
    """Keys whose values differ; what one side has not is shown as None."""
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield key, _plain(old.get(key)), _plain(new.get(key))


def _plain(value: Any) -> Value:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _of_record(old: RunRecord, new: RunRecord) -> Iterator[tuple[Value, ...]]:
    """Code, inputs, people and the reason, as the records have them."""
    sides = []
    for record in (old, new):
        flat = {
            **vars(record.code),
            **vars(record.inputs),
            **{f"seed: {k}": v for k, v in vars(record.seeds).items()},
            "owner": record.who.owner,
            "started by": record.who.user,
            "trigger": record.why.trigger,
            "why": record.why.detail,
            "commit author": record.where.commit_author,
            "state": record.state,
            "candidate": record.decision.candidate_sha256 if record.decision else None,
            "verdict": record.decision.verdict if record.decision else None,
        }
        sides.append({key.replace("_", " "): value for key, value in flat.items()})
    yield from _keys(*sides)


def _environment(old: RunRecord, new: RunRecord) -> Iterator[tuple[Value, ...]]:
    sides = [
        {k.replace("_", " "): v for k, v in vars(r.environment).items() if k != "packages"}
        for r in (old, new)
    ]
    yield from _keys(*sides)


def _configuration(
    evidence: Evidence, old: RunRecord, new: RunRecord
) -> Iterator[tuple[Value, ...]]:
    sides = []
    for record in (old, new):
        path = evidence.workspace.run_folder(record.run_id) / CONFIG
        sides.append(dict(_flat(orjson.loads(path.read_bytes()))) if path.exists() else {})
    yield from _keys(*sides)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _policies(evidence: Evidence, old: RunRecord, new: RunRecord) -> Iterator[tuple[Value, ...]]:
    """Criteria by name; where a text is not kept any more, that alone is said."""
    if old.inputs.policy_sha256 == new.inputs.policy_sha256:
        return
    sides = [_policy(evidence, record) for record in (old, new)]
    if None in sides:
        yield (
            "the text of one policy is not kept any more",
            *("here" if side else "missing" for side in sides),
        )
        return
    yield from _keys(*(_criteria(side) for side in sides if side))


def _policy(evidence: Evidence, record: RunRecord) -> Policy | None:
    sha256 = record.inputs.policy_sha256
    path = evidence.workspace.kept("policy.yaml", sha256) if sha256 else Path()
    if sha256 is None or not path.exists() or sha256_file(path) != sha256:
        return None
    return load_policy(path)


def _criteria(policy: Policy) -> dict[str, Any]:
    whole = {key: value for key, value in asdict(policy).items() if key not in ("checks", "sha256")}
    found: dict[str, Any] = {key: str(value) for key, value in whole.items()}
    for check in policy.checks:
        for key in ("limit", "margins", "method", "paired_method", "alpha", "role", "rationale"):
            found[f"{check.name} {key}"] = _plain(getattr(check, key))
    return found


def _measured(one: Judged, other: Judged, notes: list[str]) -> list[Table]:
    """Metrics side by side, their paired change, and the cases that flipped."""
    same = one.case_set.merkle_root == other.case_set.merkle_root
    if not same:
        notes.append(
            "The two were judged on different cases or versions, so their figures are side by "
            "side and no paired change is given."
        )
    tables = [_metrics(one, other, paired=same)]
    if same:
        tables.append(_flips(one.cases, one, other))
    return tables


def _metrics(one: Judged, other: Judged, *, paired: bool) -> Table:
    rows = []
    for name, metric in METRICS.items():
        row: list[Value] = [name]
        for side in (one, other):
            try:
                got = metric.estimate(
                    side.outputs[CANDIDATE], alpha=side.policy.alpha, method=metric.methods[0]
                )
                row += [got.estimate, got.lower, got.upper]
            except NothingEvaluated:
                row += ["undefined"] * 3
        change: list[Value] = [None] * 3
        if paired:
            try:
                moved = metric.change(
                    other.outputs[CANDIDATE],
                    one.outputs[CANDIDATE],
                    alpha=other.policy.alpha,
                    method=metric.paired_methods[0],
                )
                change = [moved.estimate, moved.lower, moved.upper]
            except CasegateError:
                change = ["undefined"] * 3
        rows.append((*row, *change))
    sides = [
        f"{side} {what}"
        for side in ("first", "second", "change")
        for what in ("estimate", "lower", "upper")
    ]
    return Table("metrics", "Metrics, and their paired change", ("metric", *sides), tuple(rows))


def _flips(cases: JudgedCases, one: Judged, other: Judged) -> Table:
    """Every case that one of the two has right and the other has not; never-miss cases first."""
    before, after = one.outputs[CANDIDATE], other.outputs[CANDIDATE]
    rows = []
    for place in (before.right != after.right).nonzero()[0]:
        case = one.case_set.cases[place]
        told = ", ".join(f"{k}={v}" for k, v in sorted(case.attributes.items()))
        rows.append(
            (
                case.case_id,
                "gained" if after.right[place] else "lost",
                "positive" if case.label else "negative",
                case.sentinel,
                float(before.scores[place]),
                float(after.scores[place]),
                told,
            )
        )
    rows.sort(key=lambda row: (not row[3], row[1] == "gained", row[0]))
    columns = ("case", "turned", "label", "never miss", "first score", "second score", "attributes")
    return Table("cases", "Cases gained and lost", columns, tuple(rows), links={"case": "case"})
