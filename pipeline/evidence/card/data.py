"""What a model card says of data: what the model was trained on, and what it was judged on."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from components.baselines.locked_case import LockedCase
from components.card import CardSection, CardTable
from components.lineage.training import manifest_path, read_manifest
from components.lineage.training_row import TrainingRow
from pipeline.evidence.card.stated import Stated
from pipeline.evidence.judged import JudgedRun
from pipeline.evidence.questions.independence import Join, has_patient, join_cases
from pipeline.evidence.questions.performance import attributes_of
from pipeline.evidence.subject import Evidence


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
    }
    rows = tuple((n, v, c) for (n, v), c in sorted(trained.groups.items())) if trained else ()
    title = "Composition of training and tuning cases"
    table = CardTable(title, ("attribute", "value", "cases"), rows)
    no_groups = ("The training cases have no attribute on record.",) if trained and not rows else ()
    return CardSection("Training data", no_groups, facts, (table,) if rows else ())


def evaluation_section(found: JudgedRun, trained: TrainedOn | None) -> CardSection:
    inputs, cases = found.record.inputs, found.cases
    rows = []
    for name in attributes_of(found):
        for value in cases.values(name):
            mask = cases.mask({name: value})
            positives = int(cases.labels[mask].sum())
            rows.append((name, value, positives, int(mask.sum()) - positives))
    table = CardTable("Composition", ("attribute", "value", "positives", "negatives"), tuple(rows))
    texts = ["Fixed historical cases, locked by hash."]
    if not rows:
        texts.append("The cases have no attribute on record, so no group can be told apart.")
    return CardSection(
        "Evaluation data",
        texts=tuple(texts),
        facts={
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
        },
        tables=(table,) if rows else (),
    )


def _patients(cases: tuple[LockedCase, ...]) -> int | None:
    """How many the source names; None where it names none."""
    return len({case.patient_id for case in cases if has_patient(case)}) or None


def _shared(found: JudgedRun, trained: TrainedOn | None) -> dict[str, int | None]:
    """Cases that the training data know too, by exact comparison; patients where both name them."""
    if trained is None:
        return {"of these, also in the training data": None}
    named = bool(trained.patients) and _patients(found.case_set.cases) is not None
    pictures = trained.join.cases["bytes_sha256"] | trained.join.cases["pixels_sha256"]
    return {
        "cases whose image is in the training data": len(pictures),
        "cases whose patient is in the training data": len(trained.join.cases["patient_id"])
        if named
        else None,
    }
