"""Which models, runs and releases a withdrawn or mislabelled image reached.

An image reaches a model by being trained or tuned on, and a decision by standing in the case set.
It is looked for in every training manifest and in every version of every case set.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from components.baselines.case_set import LockedCase
from components.cases.images import bytes_sha256, pixels_sha256
from components.lineage.training import (
    Sought,
    TrainingRow,
    is_sought,
    manifest_path,
    read_manifest,
    search,
)
from components.records.errors import ConfigError, SourceError
from pipeline.evidence.answer import Answer, Columns, Table, Value
from pipeline.evidence.questions.impact import Affected, contradictions, run_rows
from pipeline.evidence.questions.locked import LockedSet, locked_sets
from pipeline.evidence.subject import Evidence

SPLIT_WORDS = {"train": "trained on it", "tune": "tuned on it"}
JUDGED = "judged on it"


@dataclass
class ImagePlaces:
    """Where an image stands.

    Attributes:
      training: the rows of each training manifest that has it, by Merkle root.
      locked: the case sets that have it, with the cases.
      missing: roots that runs recorded and of which there is no manifest.
    """

    training: dict[str, list[TrainingRow]] = field(default_factory=dict)
    locked: list[tuple[LockedSet, list[LockedCase]]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def impact_of_case(evidence: Evidence, case_id: str, *, reread: bool = False) -> Answer:
    """Everything that a case reached, and its picture where it stands under another id.

    Args:
      reread: whether to read every manifest from end to end instead of trusting their indices.

    Raises:
      ConfigError: no training data and no case set has a case of this id.
      IntegrityError: a manifest or case set was altered.
    """
    found = _find(evidence, [("case_id", case_id)], reread)
    cases = [*chain(*found.training.values()), *chain(*(cases for _, cases in found.locked))]
    if not cases:
        raise ConfigError(
            f"--case {case_id!r}: no training manifest and no case set has it; check the id, or "
            "ask by --image FILE"
        )
    pictures = sorted({case.pixels_sha256 for case in cases})
    sought = [("case_id", case_id), *(("pixels_sha256", picture) for picture in pictures)]
    notes = []
    if len(pictures) > 1:
        notes.append(
            f"{len(pictures)} different pictures have this case id, in different sources or at "
            "different times: each is listed; ask by --image FILE for one of them."
        )
    return _answer(evidence, f"what case {case_id!r} reached", sought, reread, {}, notes)


def impact_of_image(evidence: Evidence, image: Path, *, reread: bool = False) -> Answer:
    """Everything that a picture reached, whatever its case is called and however it is encoded.

    Raises:
      SourceError: the file cannot be read as an image.
      IntegrityError: a manifest or case set was altered.
    """
    hashes = hashes_of(image)
    facts: dict[str, Value] = {f"image: {kind}": value for kind, value in hashes}
    return _answer(evidence, f"what the image {image.name!r} reached", hashes, reread, facts, [])


def hashes_of(image: Path) -> list[Sought]:
    """Hashes of a file's bytes and of its picture.

    Raises:
      SourceError: it cannot be read as an image.
    """
    try:
        content = image.read_bytes()
        pixels = pixels_sha256(content)
    except OSError as error:
        raise SourceError(f"{image}: cannot be read: {error.strerror}") from None
    except SourceError as error:
        raise SourceError(f"{image}: {error}") from None
    return [("bytes_sha256", bytes_sha256(content)), ("pixels_sha256", pixels)]


def _find(evidence: Evidence, wanted: Collection[Sought], reread: bool) -> ImagePlaces:
    folder = evidence.workspace.training
    recorded = {row["training_root"] for row in evidence.runs if "training_root" in row}
    missing = sorted(root for root in recorded if not manifest_path(folder, root).is_file())
    places = ImagePlaces(missing=missing)
    if reread:
        for path in sorted(folder.glob("*.jsonl")):
            if rows := [row for row in read_manifest(path) if is_sought(row, wanted)]:
                places.training[path.stem] = rows
    else:
        places.training = search(folder, wanted)
    for locked in locked_sets(evidence):
        if cases := [case for case in locked.case_set.cases if is_sought(case, wanted)]:
            places.locked.append((locked, cases))
    return places


def _answer(
    evidence: Evidence,
    question: str,
    wanted: Collection[Sought],
    reread: bool,
    facts: dict[str, Value],
    notes: list[str],
) -> Answer:
    places = _find(evidence, wanted, reread)
    affected, contradicted = _affected(evidence, places)
    if unknown := run_rows(evidence, "training_root", places.missing):
        notes.append(
            f"Not known for {len(unknown)} runs, {unknown[0]['run_id']} the first: the manifest of "
            f"their training data ({places.missing[0][:12]}...) is missing from "
            f"{evidence.workspace.training}; restore it."
        )
    how = (
        "every manifest was read again and fits its Merkle root"
        if reread
        else "searched by the indices beside the manifests; --reread trusts none of them"
    )
    return affected.answer(
        question,
        {**facts, **_place_facts(places)},
        (_training_table(places), _case_set_table(evidence, places)),
        notes,
        contradicted,
        (
            f"{evidence.workspace.training}: {how}",
            evidence.ledger_line,
            f"{evidence.workspace.store}: runs by training and case set roots",
        ),
        unknown=bool(unknown),
    )


def _affected(evidence: Evidence, places: ImagePlaces) -> tuple[Affected, tuple[str, ...]]:
    affected = Affected(evidence)
    trained = run_rows(evidence, "training_root", places.training)
    for row in trained:
        for split in sorted({case.split for case in places.training[row["training_root"]]}):
            affected.add([row], SPLIT_WORDS.get(split, f"in split {split}"))
    roots = {locked.case_set.merkle_root for locked, _ in places.locked}
    judged = run_rows(evidence, "case_set_root", roots)
    affected.add((row for row in judged if row.get("verdict")), JUDGED, model=False)
    return affected, (
        *contradictions(evidence, "training_root", places.training, trained),
        *contradictions(evidence, "case_set_root", roots, judged),
    )


def _place_facts(places: ImagePlaces) -> dict[str, Value]:
    splits = sorted({row.split for cases in places.training.values() for row in cases})
    manifests = f"in {len(places.training)} of the manifests ({', '.join(splits)})"
    now = [locked.name for locked, _ in places.locked if locked.current]
    earlier = [locked.name for locked, _ in places.locked if not locked.current]
    return {
        "training data": manifests if places.training else "in none of the manifests",
        "case sets": ", ".join(now) or "in none",
        "earlier versions of case sets": ", ".join(earlier) or "in none",
    }


def _training_table(places: ImagePlaces) -> Table:
    rows = [
        (root, case.split, case.case_id, case.patient_id, case.label, case.pixels_sha256)
        for root, cases in places.training.items()
        for case in cases
    ]
    columns = ("training_data", "split", "case", "patient", "label", "pixels_sha256")
    links = {"training_data": "sha256", "case": "case", "pixels_sha256": "sha256"}
    return Table("training_data", "Training data it stands in", columns, tuple(rows), links)


def _case_set_table(evidence: Evidence, places: ImagePlaces) -> Table:
    decisions = Counter(e.body["case_set_root"] for e in evidence.entries if e.kind == "decision")
    found = [(locked, case) for locked, cases in places.locked for case in cases]
    columns: Columns = {
        "case_set": lambda it: it[0].name,
        "version": lambda it: "current" if it[0].current else "earlier",
        "case": lambda it: it[1].case_id,
        "patient": lambda it: it[1].patient_id,
        "label": lambda it: it[1].label,
        "sentinel": lambda it: it[1].sentinel,
        "decisions": lambda it: decisions[it[0].case_set.merkle_root],
        "golden": lambda it: it[0].golden_sha256,
        "pixels_sha256": lambda it: it[1].pixels_sha256,
    }
    links = {"case_set": "case_set", "case": "case", "golden": "sha256"}
    return Table.of("case_sets", "Case sets it stands in", found, columns, links)
