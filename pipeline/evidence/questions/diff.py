"""What changed between two runs or releases, from the code to the cases gained and lost."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from components.baselines.names import POLICY
from components.gate.policy import load_policy
from components.gate.rules import judged_part
from components.lineage.record import RunRecord
from components.lineage.training import TrainingRow, manifest_path, parse_row, verified_lines
from components.metrics import METRICS
from components.records.errors import IntegrityError, NothingEvaluated
from components.records.git import ask_git
from pipeline.evidence.answer import Answer, Columns, Table, Value
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
    facts: dict[str, Value] = {
        "first": f"{first.name} ({old.state}, {old.started})",
        "second": f"{second.name} ({new.state}, {new.started})",
        "commits between": count,
        "files changed between them": files,
        "uncommitted changes: first": old.code.git_dirty,
        "uncommitted changes: second": new.code.git_dirty,
    }
    facts |= {
        f"{table.title}: differences": None if table.name in missing else len(table.rows)
        for table in tables
    }
    facts[f"{cases.title}: differences"] = differences
    facts |= {f"{t.title}: differences": len(t.rows) for t in figures if t.name == "cases"}
    facts |= dict(_approved(evidence, first, old, "first"))
    facts |= dict(_approved(evidence, second, new, "second"))
    return Answer(
        question=f"what changed from {first.name} to {second.name}",
        facts=facts,
        tables=tuple(t for t in (*tables, cases, *figures, commits) if t.rows),
        notes=tuple(notes),
        evidence=tuple(
            f"{evidence.workspace.run_folder(r.run_id)}: record {r.record_sha256}"
            for r in (old, new)
        ),
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
    """Who answers for one side; given also where both sides have the same people."""
    given, decision = record.inputs, evidence.decision(subject.run_id)
    waivers = [w for w in decision.waivers if w.state == "applied"] if decision else []
    yield f"approved, {side}: golden", given.golden_approved_by or "none on record"
    yield (
        f"approved, {side}: waivers",
        "; ".join(f"{w.check}, by {w.by} and {w.second}: {w.reason}" for w in waivers) or "none",
    )
    release = subject.release
    yield f"approved, {side}: put in place by", release.by if release else "not released"
    if release and release.kind == "rollback":
        yield f"approved, {side}: rollback", release.at
    signed = {
        "decision": record.decision.statement_sha256 if record.decision else None,
        "release": release.attestation_sha256 if release else None,
    }
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
    counted = ask_git(REPOSITORY, "rev-list", "--left-right", "--count", span, "--")
    listed = ask_git(REPOSITORY, "log", f"-{MOST_COMMITS}", "--left-right", _FORM, span, "--")
    named = ask_git(REPOSITORY, "diff", "--name-only", "-z", old, new, "--")
    if counted is None or listed is None or named is None:
        return "not known: this checkout does not have both commits", None, table
    lines = [line.split("\x1f") for line in listed.split("\n") if line]
    rows = tuple((*line[:-1], _SIDES.get(line[-1], line[-1])) for line in lines)
    return _count(*map(int, counted.split())), named.count("\0"), replace(table, rows=rows)


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
    if one.case_set.merkle_root == other.case_set.merkle_root:
        return [points, _metrics(one, other, paired=True), _flips(one, other)], _bases(one, other)
    note = (
        "The two were judged on different cases or versions, so their figures are side by side and "
        "no paired change is given."
    )
    return [points, _metrics(one, other, paired=False)], (note, *_bases(one, other))


def _bases(one: JudgedRun, other: JudgedRun) -> tuple[str, ...]:
    """What makes the two columns of figures unlike, if anything."""
    ways = [side.decision.patients for side in (one, other)]
    if ways[0] == ways[1]:
        return ()
    return (
        f"Several images of one patient are taken as {ways[0]} in the first and as {ways[1]} in "
        "the second, each as its decision did; paired changes are taken as the second did.",
    )


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
    """The paired change, by the interval that the second's policy asks for."""
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
    """Every case that one of the two has right and the other has not; never-miss cases first."""
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
    missing: dict[str, str] = {}
    configuration = _both(_configuration, "configuration", evidence, (old, new), missing)
    criteria: tuple[Side, Side] = ({}, {})
    if old.inputs.policy_sha256 != new.inputs.policy_sha256:
        criteria = _both(_criteria, "policy", evidence, (old, new), missing)
    return [
        _table("code", "Code, policy and data", _of_record(old), _of_record(new)),
        _table("packages", "Packages", old.environment.packages, new.environment.packages),
        _table("configuration", "Configuration", *configuration),
        _table("policy", "Acceptance criteria", *criteria),
        _table("environment", "Machine", _machine(old), _machine(new)),
    ], missing


def _table(name: str, title: str, old: Side, new: Side) -> Table:
    """Keys whose values differ; what one side has not is None there."""
    rows = tuple(
        (key, _plain(old.get(key)), _plain(new.get(key)))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )
    return Table(name, title, ("what", "first", "second"), rows)


def _both(
    read: Callable[[Evidence, RunRecord], Side | str],
    what: str,
    evidence: Evidence,
    records: tuple[RunRecord, RunRecord],
    missing: dict[str, str],
) -> tuple[Side, Side]:
    """Both sides, or neither: half a comparison would call everything changed."""
    sides: list[Side] = []
    for record in records:
        side = read(evidence, record)
        if isinstance(side, str):
            missing[what] = f"The {what} is not compared: run {record.run_id} {side}."
            return {}, {}
        sides.append(side)
    return sides[0], sides[1]


def _plain(value: Any) -> Value:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _of_record(record: RunRecord) -> Side:
    """Code, inputs, people and the reason, as the record has them."""
    found = {
        **vars(record.code),
        **vars(record.inputs),
        **{f"seed: {key}": value for key, value in vars(record.seeds).items()},
        "owner": record.who.owner,
        "started by": record.who.user,
        "trigger": record.why.trigger,
        "why": record.why.detail,
        "commit author": record.where.commit_author,
        "state": record.state,
        "candidate": record.decision.candidate_sha256 if record.decision else None,
        "verdict": record.decision.verdict if record.decision else None,
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
    folder = evidence.workspace.training
    manifests = ((manifest_path(folder, str(root)), str(root)) for root in roots)
    # Lines that both have need no parsing.
    old_lines, new_lines = (set(verified_lines(path, root=root)) for path, root in manifests)
    first, second = _by_id(old_lines - new_lines), _by_id(new_lines - old_lines)
    rows: list[tuple[Value, ...]] = []
    for case_id in sorted(first.keys() | second.keys()):
        before, after = first.get(case_id), second.get(case_id)
        change = "changed" if before and after else "added" if after else "removed"
        rows.append((case_id, change, _words(before, after), _words(after, before)))
    counts = Counter(row[1] for row in rows)
    words = ", ".join(f"{counts[change]} {change}" for change in ("added", "removed", "changed"))
    listed = f"; the first {MOST_CASES} are listed." if len(rows) > MOST_CASES else "."
    note = f"Training and tuning cases: {words}{listed}"
    return note, len(rows), replace(table, rows=tuple(rows[:MOST_CASES]))


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
