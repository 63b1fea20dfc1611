"""The parts of a model card that say what it was trained on, judged on and found to be."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from components.baselines.case_set import LockedCase
from components.card.card import (
    CardSection,
    CardTable,
    Value,
)
from components.decision import RuntimeFindings
from components.lineage.training import TrainingRow, manifest_path, read_manifest
from components.records.case import has_patient
from pipeline.evidence.answer import Columns, facts_of
from pipeline.evidence.card.stated import TEXTS, Stated
from pipeline.evidence.judged import CANDIDATE, CHAMPION, GOLDEN, JudgedRun
from pipeline.evidence.questions.independence import Join, join_cases
from pipeline.evidence.questions.performance import (
    OVERALL,
    SliceFigure,
    attributes_of,
    defined,
)
from pipeline.evidence.subject import Evidence, Subject


@dataclass
class TrainedOn:
    """The training and tuning cases, counted as they pass.

    Attributes:
      groups: attribute and value -> cases.
      join: what they share with the case set.
    """

    splits: Counter[str] = field(default_factory=Counter)
    positives: int = 0
    patients: set[str] = field(default_factory=set)
    groups: Counter[tuple[str, str]] = field(default_factory=Counter)
    join: Join = field(default_factory=Join)

    def counted(self, rows: Iterator[TrainingRow]) -> Iterator[TrainingRow]:
        for row in rows:
            self.splits[row.split] += 1
            self.positives += row.label
            if has_patient(row):
                self.patients.add(row.patient_id)
            self.groups.update(row.attributes.items())
            yield row


Row = tuple[Value, ...]

NONE = "none"  # there is no such figure; unlike one that is not known
FEW = 30  # cases of a class, below which a group's figures say little
WIDE = 0.2  # an interval as wide as this leaves the figure open


def _tables(title: str, columns: tuple[str, ...], rows: Iterable[Row]) -> tuple[CardTable, ...]:
    """The table, where it has rows."""
    cells = tuple(rows)
    return (CardTable(title, columns, cells),) if cells else ()


def _texts(words: Stated, *keys: str) -> tuple[str, ...]:
    return tuple(f"{TEXTS[key]}: {words.text(key)}" for key in keys)


def trained_on(evidence: Evidence, found: JudgedRun) -> TrainedOn | None:
    """What the run's manifest has; None where the run recorded no training data.

    Raises:
      IntegrityError: the manifest was altered or is gone.
    """
    root = found.record.inputs.training_root
    if root is None:
        return None
    trained = TrainedOn()
    rows = read_manifest(manifest_path(evidence.workspace.training, root), root=root)
    trained.join = join_cases(trained.counted(rows), found.case_set.cases)
    return trained


def training_section(found: JudgedRun, trained: TrainedOn | None, words: Stated) -> CardSection:
    inputs = found.record.inputs
    facts = {
        "source": inputs.data,
        "SHA-256 of the source": inputs.data_sha256,
        "training and tuning cases": inputs.training_cases,
        **({f"of these, {k}": n for k, n in sorted(trained.splits.items())} if trained else {}),
        "positives": trained.positives if trained else None,
        "patients": (len(trained.patients) or None) if trained else None,
        "Merkle root over them": inputs.training_root,
        "licence": words.text("training_data_licence"),
        "differential privacy": _promise(found),
        "not covered by it": "; ".join(found.scores[CANDIDATE].privacy.get("not_private", ()))
        or NONE,
    }
    rows = [(n, v, c) for (n, v), c in sorted(trained.groups.items())] if trained else []
    title = "Composition of training and tuning cases"
    no_groups = ("The training cases have no attribute on record.",) if trained and not rows else ()
    tables = _tables(title, ("attribute", "value", "cases"), rows)
    return CardSection("Training data", no_groups, facts, tables)


def _promise(found: JudgedRun) -> str:
    """What was judged of a promise; what is only stated, and by nobody signed, is called so."""
    for check in found.decision.checks:
        if check.rule == "privacy":
            return f"{check.verdict.value}: {check.reason}"
    said = found.scores[CANDIDATE].privacy
    return f"states epsilon {said.get('epsilon')}, which no policy judged" if said else "no promise"


def evaluation_section(found: JudgedRun, trained: TrainedOn | None) -> CardSection:
    inputs, cases = found.record.inputs, found.cases
    rows = []
    for name in attributes_of(found):
        for value in cases.values(name):
            mask = cases.mask({name: value})
            positives = int(cases.labels[mask].sum())
            rows.append((name, value, positives, int(mask.sum()) - positives))
    texts = ["Fixed historical cases, locked by hash."]
    if not rows:
        texts.append("The cases have no attribute on record, so no group can be told apart.")
    facts: dict[str, Value] = {
        "case set": inputs.case_set,
        "version": inputs.case_set_version,
        "source": found.case_set.source or None,
        "cases": len(cases.ids),
        "positives": int(cases.labels.sum()),
        "patients": _patients(found.case_set.cases),
        "never-miss cases": int(cases.sentinels.sum()),
        "Merkle root over them": inputs.case_set_root,
        **_shared(found, trained),
        "looks at these cases so far": found.decision.looks.used,
        "looks planned": found.decision.looks.planned,
    }
    tables = _tables("Composition", ("attribute", "value", "positives", "negatives"), rows)
    return CardSection("Evaluation data", tuple(texts), facts, tables)


def _patients(cases: tuple[LockedCase, ...]) -> int | None:
    """How many the source names; None where it names none."""
    return len({case.patient_id for case in cases if has_patient(case)}) or None


def _shared(found: JudgedRun, trained: TrainedOn | None) -> dict[str, int | None]:
    """Cases that the training data know too, by exact comparison; patients where both name them."""
    if trained is None:
        return {"of these, also in the training data": None}
    named = bool(trained.patients) and _patients(found.case_set.cases) is not None
    cases = trained.join.cases
    return {
        "cases whose image is in the training data": len(
            cases["bytes_sha256"] | cases["pixels_sha256"]
        ),
        "cases whose patient is in the training data": len(cases["patient_id"]) if named else None,
    }


def performance_section(found: JudgedRun, rows: list[SliceFigure]) -> CardSection:
    """Every figure, those without a value too: a group that is left out looks like a good one."""
    columns = ("slice", "metric", "n", "estimate", "lower", "upper")
    cells = [
        (row.slice, row.metric, row.n, *map(defined, (row.estimate, row.lower, row.upper)))
        for row in rows
    ]
    tables = (
        *_tables("Overall", columns, (row for row in cells if row[0] == OVERALL)),
        *_tables("By attribute", columns, (row for row in cells if row[0] != OVERALL)),
    )
    level = 1 - 2 * found.policy.alpha
    text = (
        f"Intervals are two-sided at {level:.1%} where a check names no level of its own, each "
        f"taken alone; several images of one patient are taken as {found.decision.patients}."
    )
    return CardSection("Performance", texts=(text,), tables=tables)


def compared_section(found: JudgedRun, rows: list[SliceFigure]) -> CardSection:
    known = [model for model in (CHAMPION, GOLDEN) if model in found.outputs]
    texts = {
        CHAMPION: "There was no champion: nothing was in service before this model.",
        GOLDEN: "There was no golden: no model had been approved on these cases.",
    }
    missing = tuple(text for model, text in texts.items() if model not in known)
    overall = [
        (row.metric, *(defined(getattr(row, name)) for name in ("estimate", *known)))
        for row in rows
        if row.slice == OVERALL
    ]
    flips = found.decision.flips
    turned = [(f.against, len(f.gained), len(f.lost), len(f.lost_sentinels)) for f in flips]
    columns = ("against", "cases gained", "cases lost", "never-miss cases lost")
    tables = (
        *_tables("Overall figures", ("metric", "this model", *known), overall),
        *_tables("Cases that turned", columns, turned),
    )
    return CardSection("Against what went before", missing, tables=tables if known else ())


_CRITERIA: Columns = {
    "policy": "policy.name",
    "SHA-256 of the policy": "record.inputs.policy_sha256",
    "committed": "record.inputs.policy_committed",
    "one-sided alpha": "policy.alpha",
    "verdict": "decision.verdict.value",
    "operating point judged at": f"decision.operating_points.{CANDIDATE}",
}


def checks_section(found: JudgedRun) -> CardSection:
    """Each check with its verdict, whatever became of it, and whether it decided anything."""
    rows = []
    for check in found.decision.checks:
        verdict = check.verdict.value + (", waived" if check.waived else "")
        bounds = (check.estimate, check.lower, check.upper, check.limit)
        known = (NONE if figure is None else figure for figure in bounds)
        rows.append((check.check, verdict, check.role, *known))
    columns = ("check", "verdict", "role", "estimate", "lower", "upper", "limit")
    table = CardTable("Checks", columns, tuple(rows))
    return CardSection("Acceptance criteria", facts=facts_of(found, _CRITERIA), tables=(table,))


def exports_section(subject: Subject, found: JudgedRun) -> Iterator[CardSection]:
    """The forms of the model for devices and browsers, each of which is a model of its own."""
    released = subject.release.exports if subject.release else {}
    rows: list[Row] = []
    for export in found.decision.exports:
        known = (export.verdict.value, "yes" if export.kind in released else "no")
        size = (export.operating_point, export.size_bytes, export.sha256)
        for runtime, seen in export.runtimes.items() or [(NONE, RuntimeFindings())]:
            alike = f"{seen.alike} of {seen.n}"
            rows.append((export.kind, *known, runtime, alike, seen.largest_difference, *size))
    if rows:
        columns = (
            *("artefact", "verdict", "released", "runtime", "called as the model does"),
            *("largest difference", "operating point", "bytes", "SHA-256"),
        )
        text = "Each was judged in its own runtime, on the same cases and by the same policy."
        yield CardSection("Exported artefacts", (text,), tables=_tables("Artefacts", columns, rows))


ORIGIN, SYNTHETIC = "origin", "synthetic"


def limits_section(
    found: JudgedRun, rows: list[SliceFigure], trained: TrainedOn | None, words: Stated
) -> CardSection:
    """What people stated, then what the figures and the data show."""
    stated = f"{TEXTS['limitations']}: {words.text('limitations')}"
    return CardSection("Limits", texts=(stated, *_of_figures(rows), *_of_groups(found, trained)))


def _of_figures(rows: list[SliceFigure]) -> Iterator[str]:
    shares = [row for row in rows if row.metric in ("sensitivity", "specificity")]
    none = [f"{r.slice} ({r.metric})" for r in shares if r.n == 0]
    few = [f"{r.slice} ({r.metric}: {r.n})" for r in shares if 0 < r.n < FEW]
    wide = [
        f"{r.slice} ({r.metric})"
        for r in rows
        if r.lower is not None and r.upper is not None and r.upper - r.lower > WIDE
    ]
    if none:
        yield f"Not judged, for there is no such case: {'; '.join(none)}."
    if few:
        yield f"Judged on fewer than {FEW}: {'; '.join(few)}."
    if wide:
        yield f"Intervals wider than {WIDE}: {'; '.join(wide)}."


def _of_groups(found: JudgedRun, trained: TrainedOn | None) -> Iterator[str]:
    if trained is None:
        yield "Whether each group was trained on is not known: the run recorded no training data."
        return
    judged = {(name, v) for name in attributes_of(found) for v in found.cases.values(name)}
    names = {name for name, _ in judged} & {name for name, _ in trained.groups}
    unseen = sorted(f"{n}={v}" for n, v in judged - trained.groups.keys() if n in names)
    unjudged = sorted(f"{n}={v}" for n, v in trained.groups.keys() - judged if n in names)
    if unseen:
        yield f"In the case set and not in the training data: {', '.join(unseen)}."
    if unjudged:
        yield f"In the training data and not in the case set: {', '.join(unjudged)}."
    if unrecorded := sorted({name for name, _ in judged} - names):
        yield f"The training data do not record {', '.join(unrecorded)}."
    if unrecorded := sorted({name for name, _ in trained.groups} - names):
        yield f"The case set does not record {', '.join(unrecorded)}, so no such group was judged."


def synthetic(found: JudgedRun, trained: TrainedOn | None) -> Iterator[str]:
    """What has to be read first of data that no scanner took."""
    cases = found.case_set.cases
    judged = sum(case.attributes.get(ORIGIN) == SYNTHETIC for case in cases)
    if judged == len(cases):
        yield "Every case of the case set is synthetic: these figures say nothing about patients."
    elif judged:
        yield f"{judged} of the {len(cases)} cases of the case set are synthetic."
    learned = trained.groups[ORIGIN, SYNTHETIC] if trained else 0
    if trained and learned:
        total = sum(trained.splits.values())
        yield f"{learned} of {total} training and tuning cases are synthetic."
