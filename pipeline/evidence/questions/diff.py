"""What changed between two runs or releases, from the code to the cases gained and lost."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from components.baselines.names import POLICY
from components.gate.policy import load_policy
from components.gate.rules import judged_part
from components.lineage.record import RunRecord
from components.lineage.training import TrainingRow, manifest_path, parse_row, verified_lines
from components.metrics import METRICS
from components.records.errors import IntegrityError, NothingEvaluated
from components.records.git import ask_git
from pipeline.evidence.answer import Answer, Columns, Table, Value, facts_of, shown_of
from pipeline.evidence.judged import CANDIDATE, JudgedRun, judged, kept_anywhere
from pipeline.evidence.questions.performance import UNDEFINED, defined, figures, interval
from pipeline.evidence.subject import Evidence, Subject
from pipeline.settings.config import REPOSITORY

MOST_COMMITS = 200  # commits that are listed; the count is of all
_FORM = "--format=%h%x1f%cI%x1f%an%x1f%s%x1f%m"
_SIDES = {"<": "first", ">": "second"}
_BOUNDS = ("estimate", "lower", "upper")
_OF_A_CHECK = ("limit", "margins", "method", "paired_method", "alpha", "role", "rationale")
MOST_CASES = 1000  # cases that are listed; the counts are of all

_OF_RECORD: Columns = {
    "owner": "who.owner",
    "started by": "who.user",
    "trigger": "why.trigger",
    "why": "why.detail",
    "commit author": "where.commit_author",
    "state": "state",
    "candidate": "decision.candidate_sha256",
    "verdict": "decision.verdict",
}

Side = Mapping[str, Any]


def diff(evidence: Evidence, first: Subject, second: Subject) -> Answer:
    """The differences from `first` to `second`; what is equal in both is left out.

    Raises:
      IntegrityError: a part of the evidence was altered or is gone.
    """
    old, new = evidence.record(first.run_id), evidence.record(second.run_id)
    note, differences, cases = training_changes(evidence, old, new)
    count, files, commits = commits_between(old.code.git_commit, new.code.git_commit)
    tables, missing = compare_settings(evidence, old, new)
    figures, more = _figures(evidence, first, second)
    notes = [*missing.values(), note, *more]
    if first.run_id == second.run_id:
        notes.append(f"Both have the model of run {old.run_id}.")
    lengths = {t.title: None if t.name in missing else len(t.rows) for t in tables}
    lengths[cases.title] = differences
    lengths |= {t.title: len(t.rows) for t in figures if t.name == "cases"}
    folders = ((evidence.workspace.run_folder(r.run_id), r.record_sha256) for r in (old, new))
    return Answer(
        question=f"what changed from {first.name} to {second.name}",
        facts={
            "first": f"{first.name} ({old.state}, {old.started})",
            "second": f"{second.name} ({new.state}, {new.started})",
            "commits between": count,
            "files changed between them": files,
            "uncommitted changes: first": old.code.git_dirty,
            "uncommitted changes: second": new.code.git_dirty,
            **{f"{title}: differences": length for title, length in lengths.items()},
            **dict(_approved(evidence, first, old, "first")),
            **dict(_approved(evidence, second, new, "second")),
        },
        tables=tuple(t for t in (*tables, cases, *figures, commits) if t.rows),
        notes=tuple(notes),
        evidence=tuple(f"{folder}: record {sha256}" for folder, sha256 in folders),
    )


def _figures(
    evidence: Evidence, first: Subject, second: Subject
) -> tuple[list[Table], tuple[str, ...]]:
    sides: list[JudgedRun] = []
    for subject in (first, second):
        if evidence.decision(subject.run_id) is None:
            note = f"Metrics and cases are not compared: {subject.name} came to no decision."
            return [], (note,)
        sides.append(judged(evidence, subject))
    return compare_figures(*sides)


def _approved(
    evidence: Evidence, subject: Subject, record: RunRecord, side: str
) -> Iterator[tuple[str, Value]]:
    decision, release = evidence.decision(subject.run_id), subject.release
    waivers = [w for w in decision.waivers if w.state == "applied"] if decision else []
    waived = "; ".join(f"{w.check}, by {w.by} and {w.second}: {w.reason}" for w in waivers)
    yield f"approved, {side}: golden", record.inputs.golden_approved_by or "none on record"
    yield f"approved, {side}: waivers", waived or "none"
    yield f"approved, {side}: put in place by", release.by if release else "not released"
    if release and release.kind == "rollback":
        yield f"approved, {side}: rollback", release.at
    decided, released = shown_of(record.decision, "statement_sha256"), release
    signed = {"decision": decided, "release": shown_of(released, "attestation_sha256")}
    for what, sha256 in signed.items():
        yield f"approved, {side}: signed statement on the {what}", sha256 or "unsigned"


def commits_between(old: str | None, new: str | None) -> tuple[Value, int | None, Table]:
    """What one commit has that the other has not, in both directions.

    Returns:
      How many there are, with their direction where it is not forward, or why that is not known;
      how many files differ, None where that is not known; and the commits, newest first.
    """
    columns = ("commit", "date", "author", "subject", "only in")
    table = Table("commits", "Commits between", columns, (), {"commit": "commit"})
    if old is None or new is None:
        return "not known: a run was not made from a git checkout", None, table
    if old == new:
        return 0, 0, table
    span = f"{old}...{new}"
    listed = ask_git(REPOSITORY, "log", "--left-right", _FORM, span, "--")
    named = ask_git(REPOSITORY, "diff", "--name-only", "-z", old, new, "--")
    if listed is None or named is None:
        return "not known: this checkout does not have both commits", None, table
    lines = [line.split("\x1f") for line in listed.split("\n") if line]
    rows = tuple((*line[:-1], _SIDES.get(line[-1], line[-1])) for line in lines)
    back = sum(row[-1] == "first" for row in rows)
    count = _count(back, len(rows) - back)
    return count, named.count("\0"), replace(table, rows=rows[:MOST_COMMITS])


def _count(back: int, forth: int) -> Value:
    """Forward is a number; an older second commit, or another branch, is named in words."""
    if not back:
        return forth
    if not forth:
        return f"{back}, all of them only in the first: the second is older"
    return f"{forth} only in the second and {back} only in the first: they are on two branches"


def compare_figures(one: JudgedRun, other: JudgedRun) -> tuple[list[Table], tuple[str, ...]]:
    """Metrics side by side, their paired change, and the cases that flipped; and why not all."""
    before, after = (side.decision.operating_points for side in (one, other))
    moved = tuple((m, before.get(m), after.get(m)) for m in after if before.get(m) != after.get(m))
    points = Table("operating_points", "Operating points", ("model", "first", "second"), moved)
    paired, notes = one.case_set.merkle_root == other.case_set.merkle_root, []
    if not paired:
        notes.append(
            "The two were judged on different cases or versions, so their figures are side by side "
            "and no paired change is given."
        )
    ways = [side.decision.patients for side in (one, other)]
    if ways[0] != ways[1]:
        notes.append(
            f"Several images of one patient are taken as {ways[0]} in the first and as {ways[1]} "
            "in the second, each as its decision did; paired changes are taken as the second did."
        )
    flips = [_flips(one, other)] if paired else []
    return [points, _metrics(one, other, paired=paired), *flips], tuple(notes)


def _metrics(one: JudgedRun, other: JudgedRun, *, paired: bool) -> Table:
    rows = []
    for before, after in zip(figures(one, []), figures(other, [])):
        row: list[Value] = [after.metric]
        for side in (before, after):
            row += map(defined, (side.estimate, side.lower, side.upper))
        row += _change(one, other, after.metric) if paired else [None] * 3
        rows.append(tuple(row))
    sides = [f"{side} {what}" for side in ("first", "second", "change") for what in _BOUNDS]
    return Table("metrics", "Metrics, and their paired change", ("metric", *sides), tuple(rows))


def _change(one: JudgedRun, other: JudgedRun, name: str) -> list[Value]:
    _, method, alpha = interval(other.policy, name, {})
    everything = other.cases.mask({})
    sides = (other.on_its_terms(one.scores[CANDIDATE]), other.outputs[CANDIDATE])
    before, after = (judged_part(other.policy, other.cases, side, everything) for side in sides)
    try:
        moved = METRICS[name].change(after, before, alpha=alpha, method=method)
    except NothingEvaluated:
        return [UNDEFINED] * 3
    return [moved.estimate, moved.lower, moved.upper]


def _flips(one: JudgedRun, other: JudgedRun) -> Table:
    before, after = one.outputs[CANDIDATE], other.outputs[CANDIDATE]
    cases = one.case_set.cases
    columns: Columns = {
        "case": lambda i: cases[i].case_id,
        "turned": lambda i: "gained" if after.right[i] else "lost",
        "label": lambda i: "positive" if cases[i].label else "negative",
        "never miss": lambda i: cases[i].sentinel,
        "first score": lambda i: float(before.scores[i]),
        "second score": lambda i: float(after.scores[i]),
        "attributes": lambda i: ", ".join(
            f"{name}={value}" for name, value in sorted(cases[i].attributes.items())
        ),
    }
    flipped = sorted(
        (before.right != after.right).nonzero()[0],
        key=lambda i: (not cases[i].sentinel, bool(after.right[i]), cases[i].case_id),
    )
    return Table.of("cases", "Cases gained and lost", flipped, columns, {"case": "case"})


def compare_settings(
    evidence: Evidence, old: RunRecord, new: RunRecord
) -> tuple[list[Table], Mapping[str, str]]:
    """A table of each kind, without what is equal in both; and by name, which could not be made.

    Raises:
      IntegrityError: a configuration or a policy was altered.
    """
    settings = [_configuration(evidence, record) for record in (old, new)]
    criteria: list[Side | str] = [{}, {}]
    if old.inputs.policy_sha256 != new.inputs.policy_sha256:
        criteria = [_criteria(evidence, record) for record in (old, new)]
    missing = {}
    for what, sides in (("configuration", settings), ("policy", criteria)):
        for record, side in zip((new, old), reversed(sides)):
            if isinstance(side, str):
                missing[what] = f"The {what} is not compared: run {record.run_id} {side}."
    return [
        _table("code", "Code, policy and data", *map(_of_record, (old, new))),
        _table("packages", "Packages", old.environment.packages, new.environment.packages),
        _table("configuration", "Configuration", *settings),
        _table("policy", "Acceptance criteria", *criteria),
        _table("environment", "Machine", *map(_machine, (old, new))),
    ], missing


def _table(name: str, title: str, old: Side | str, new: Side | str) -> Table:
    """Keys whose values differ; none where one side is not known, for then everything would."""
    known = (old, new) if isinstance(old, Mapping) and isinstance(new, Mapping) else ({}, {})
    pairs = {key: [side.get(key) for side in known] for key in sorted({**known[0], **known[1]})}
    rows = tuple((key, *map(_plain, pair)) for key, pair in pairs.items() if pair[0] != pair[1])
    return Table(name, title, ("what", "first", "second"), rows)


def _plain(value: Any) -> Value:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _of_record(record: RunRecord) -> Side:
    found = {
        **vars(record.code),
        **vars(record.inputs),
        **{f"seed: {key}": value for key, value in vars(record.seeds).items()},
        **facts_of(record, _OF_RECORD),
    }
    return {key.replace("_", " "): value for key, value in found.items()}


def _machine(record: RunRecord) -> Side:
    known = vars(record.environment).items()
    return {key.replace("_", " "): value for key, value in known if key != "packages"}


def _configuration(evidence: Evidence, record: RunRecord) -> Side | str:
    config = evidence.config(record)
    return "recorded none" if config is None else dict(_flat(config))


def _criteria(evidence: Evidence, record: RunRecord) -> Side | str:
    """Each criterion by name, or in words why there are none."""
    sha256 = record.inputs.policy_sha256
    if sha256 is None:
        return "stopped before it had read one"
    path = kept_anywhere(evidence, record, POLICY)
    if path is None:
        return f"was judged by {sha256[:12]}..., whose text is kept no more"
    policy = load_policy(path)
    whole = {k: v for k, v in asdict(policy).items() if k not in ("checks", "sha256")}
    found = dict(_flat(whole))
    for check in policy.checks:
        found |= dict(_flat({key: getattr(check, key) for key in _OF_A_CHECK}, f"{check.name} "))
    return found


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def training_changes(
    evidence: Evidence, old: RunRecord, new: RunRecord
) -> tuple[str, int | None, Table]:
    """What differs between the training data of two runs.

    Returns:
      What changed, in words; how many cases differ, None where that is not known; and the first
      MOST_CASES of them.

    Raises:
      IntegrityError: a manifest was altered or is gone.
    """
    columns = ("case", "change", "first", "second")
    table = Table("training_cases", "Training cases", columns, (), {"case": "case"})
    roots = [record.inputs.training_root for record in (old, new)]
    if None in roots:
        return "Training data are not compared: a run stopped before it had read them.", None, table
    if roots[0] == roots[1]:
        note = f"Both were trained and tuned on the same {new.inputs.training_cases} cases."
        return note, 0, table
    rows = _changed_cases(evidence.workspace.training, *map(str, roots))
    counts = Counter(row[1] for row in rows)
    words = ", ".join(f"{counts[change]} {change}" for change in ("added", "removed", "changed"))
    listed = f"; the first {MOST_CASES} are listed." if len(rows) > MOST_CASES else "."
    note = f"Training and tuning cases: {words}{listed}"
    return note, len(rows), replace(table, rows=tuple(rows[:MOST_CASES]))


def _changed_cases(folder: Path, *roots: str) -> list[tuple[Value, ...]]:
    lines = [set(verified_lines(manifest_path(folder, root), root=root)) for root in roots]
    # Lines that both have need no parsing.
    first, second = _by_id(lines[0] - lines[1]), _by_id(lines[1] - lines[0])
    rows: list[tuple[Value, ...]] = []
    for case_id in sorted(first.keys() | second.keys()):
        before, after = first.get(case_id), second.get(case_id)
        # A release of before hashes were kept has the same cases without them.
        if before and after and replace(before, perceptual_hash=after.perceptual_hash) == after:
            continue
        change = "changed" if before and after else "added" if after else "removed"
        rows.append((case_id, change, _words(before, after), _words(after, before)))
    return rows


def _by_id(lines: Iterable[bytes]) -> dict[str, TrainingRow]:
    rows = {}
    for line in lines:
        row = parse_row(line)
        if row is None:
            raise IntegrityError(f"training manifest: got {line[:80]!r}, wanted a training case")
        rows[row.case_id] = row
    return rows


def _words(row: TrainingRow | None, beside: TrainingRow | None) -> str | None:
    """A case in a few words: all of it where it stands alone, else what differs."""
    if row is None:
        return None
    values = _values(row)
    if beside is None:
        return f"{values['split']}, {values['label']}"
    theirs = _values(beside)
    return ", ".join(f"{k}={v}" for k, v in values.items() if theirs.get(k) != v) or "encoding"


def _values(row: TrainingRow) -> dict[str, str]:
    return {
        "split": row.split,
        "label": "positive" if row.label else "negative",
        "patient": row.patient_id,
        "pixels": f"{row.pixels_sha256[:12]}...",
        **row.attributes,
    }
