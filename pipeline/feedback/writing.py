"""What a promotion writes: the next training span, and proposals for the case set.

A span is written whole, checked by the reader of spans, and only then renamed into its place: until
then no run can see it.

A case set moves only by `casegate cases amend`, and every run reads its images again from the case
set's own source. So a proposal is made to be copied into that source: where it is a folder with a
manifest, the proposal holds that manifest with the proposed cases added.
"""

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.case_set import load_case_set
from components.cases.columns import OPTIONAL, REQUIRED
from components.cases.files import MANIFEST, ImageFile
from components.cases.images import bytes_sha256, pixels_sha256
from components.cases.labels import LABELS
from components.cases.manifest import list_manifest
from components.cases.spans import Span, find_spans
from components.cases.splits import TRAIN_TUNE, assign_split
from components.feedback.sides import KnownSides, Settled
from components.records.case import Case
from components.records.errors import ConfigError, IntegrityError
from components.records.files import (
    canonical_json,
    sha256_file,
    sha256_tree,
    sync,
    sync_tree,
    write_atomically,
)
from pipeline.feedback.images import Image, read_image
from pipeline.feedback.planning import Promotion, PromotionPlan
from pipeline.feedback.served import FeedbackPlaces
from pipeline.governance.case_sets import typed
from pipeline.settings.config import Config

# A span's name is an attribute of its cases already.
_RESERVED = {*REQUIRED, *OPTIONAL, "span"}


ManifestRow = tuple[str, ImageFile]  # the split, and the rest of the line


def _row(plan: PromotionPlan, case: Settled, folder: str, split: str | None = None) -> ManifestRow:
    """A promoted case, its image named by what it shows: an id may hold what no file name can.

    Args:
      split: None keeps the patient where the training data have it.
    """
    served, image = plan.served[case.case_id], plan.image_of(case.case_id)
    patient = served.patient_id
    assert patient is not None
    split = split or plan.split_of.get(patient) or assign_split(patient, TRAIN_TUNE)
    path = f"{folder}/{image.pixels_sha256[:32]}{image.suffix}"
    # What a log says of a case, as it survives being written to a manifest.
    attributes = {
        name: " ".join(value.split())
        for name, value in served.attributes.items()
        if name and name == name.strip() and name.lower() not in _RESERVED
    }
    return split, ImageFile(path, case.case_id, patient, LABELS[case.label], attributes)


def _images(plan: PromotionPlan, rows: Sequence[ManifestRow]) -> dict[str, Image]:
    return {file.path: plan.image_of(file.case_id) for _, file in rows}


def write_folder(
    folder: Path,
    rows: Sequence[ManifestRow],
    images: Mapping[str, Image],
    attributes: Sequence[str] | None = None,
) -> None:
    """Writes the manifest and the images of those rows that have one.

    Args:
      attributes: the columns there are to be for them; None makes one of each that a row has.
    """
    for path, image in images.items():
        write_atomically(folder / path, image.content)
    every = {name for _, file in rows for name in file.attributes}
    names = sorted(every) if attributes is None else attributes
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*REQUIRED, *OPTIONAL, *names])
    for split, file in rows:
        label = "positive" if file.label else "negative"
        cells = [file.attributes.get(name, "") for name in names]  # empty where it has none
        writer.writerow([file.path, label, file.case_id, file.patient_id, split, *cells])
    write_atomically(folder / MANIFEST, stream.getvalue().encode())


PROMOTION = "promotion.json"  # in a span, says which promotion made it
_SPAN = re.compile(r"\{SPAN(?::(\d+))?\}")


def next_span(pattern: str) -> tuple[int, Path]:
    """Number and folder of the span after the highest.

    Raises:
      SourceError: no span is there, or the pattern is none.
      ConfigError: the pattern is for files, or its digits are used up.
    """
    number = max(find_spans(pattern)) + 1
    path = Path(pattern).expanduser()
    width = _SPAN.search(path.name)
    name = _SPAN.sub(lambda found: str(number).zfill(int(found[1] or 0)), path.name)
    if path.suffix.lower() == ".npz":
        raise ConfigError(
            f"data.source: {pattern} stands for .npz files, and what is promoted is a folder of "
            "images; deliver spans as folders"
        )
    if width and width[1] and len(str(number)) > int(width[1]):
        raise ConfigError(f"data.source: {pattern} has no room for span {number}; widen it")
    return number, (path.parent / name).resolve()


def temporary(span: Path, workspace: Path, promotion_id: str) -> Path:
    """Where a span is written: beside its place, under a name that no pattern finds."""
    return span.parent / f".promoting-{_tag(workspace)}-{promotion_id}"


def clear_leftovers(span: Path, workspace: Path) -> None:
    """Removes what promotions of this workspace left half written beside `span`."""
    for folder in span.parent.glob(f".promoting-{_tag(workspace)}-*"):
        shutil.rmtree(folder)


def write_span(folder: Path, plan: PromotionPlan, promotion: Promotion) -> str:
    """Writes the promoted cases to `folder`, flushed to disk; returns its hash."""
    rows = [_row(plan, case, "images") for case in plan.sides.training]
    write_folder(folder, rows, _images(plan, rows))
    document = {"promotion_id": promotion.promotion_id, **promotion.request}
    write_atomically(folder / PROMOTION, canonical_json(document) + b"\n")
    sync_tree(folder)
    return sha256_tree(folder)


def rename(folder: Path, span: Path) -> None:
    """Gives the span its name; ConfigError where another span has taken it."""
    if span.exists():
        raise ConfigError(f"{span}: appeared meanwhile; nothing was promoted: run again")
    try:
        folder.rename(span)
    except OSError as error:
        raise ConfigError(f"{span}: cannot be made: {error.strerror}; run again") from None
    sync(span.parent)


def check_span(
    folder: Path, number: int, cases: Sequence[Settled], forbidden: Sequence[KnownSides]
) -> None:
    """Reads a span back, as a run will, and holds it against what must not be in it.

    Args:
      forbidden: what stands in the case sets and in proposals.

    Raises:
      IntegrityError: it has other cases, or one that is judged on or proposed.
    """
    wanted = {case.case_id: case for case in cases}
    span = Span(number, folder.name, folder)
    for split, rows in span.rows().items():
        for case in span.read(split, 0, len(rows)):
            meant = wanted.pop(case.case_id, None) if isinstance(case, Case) else None
            if meant is None or not isinstance(case, Case) or not _is_same(case, meant):
                raise IntegrityError(
                    f"{folder}: reads back as other cases than were promoted; nothing was promoted"
                )
            for known in forbidden:
                if by := known.holds(meant) or (known.knows(meant) and "the patient"):
                    raise IntegrityError(
                        f"{folder}: case '{case.case_id}' must not be trained on: {by} is in the "
                        "case set or proposed for it; nothing was promoted"
                    )
    if wanted:
        raise IntegrityError(f"{folder}: case '{min(wanted)}' is missing; nothing was promoted")


def _is_same(case: Case, meant: Settled) -> bool:
    label = "positive" if case.label else "negative"
    found = (case.case_id, case.patient_id, label, pixels_sha256(case.image))
    wanted = (meant.case_id, meant.patient_id, meant.label, meant.pixels_sha256)
    return found == wanted and bytes_sha256(case.image) == meant.bytes_sha256


def _tag(workspace: Path) -> str:
    return hashlib.sha256(str(workspace).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class CaseProposal:
    """A folder of cases for the case set, and what is written to `ID.json` beside it."""

    folder: Path
    document: dict[str, Any]

    @property
    def next(self) -> list[str]:
        """What to type, after looking at each image."""
        return list(self.document["next"])


def proposal_paths(places: FeedbackPlaces, promotion_id: str) -> tuple[Path, Path]:
    return places.proposals / promotion_id, places.proposals / f"{promotion_id}.json"


def write_proposal(
    config: Config, places: FeedbackPlaces, plan: PromotionPlan, promotion: Promotion
) -> CaseProposal:
    """Writes the folder, and then the document that says it is whole."""
    folder, path = proposal_paths(places, promotion.promotion_id)
    source = _manifest_folder(config)
    rows = [_row(plan, one, f"feedback/{folder.name}", "test") for one in plan.sides.proposed]
    # With all that was left to its defaults spelled out.
    listed = list_manifest(source, "", config.data.reading).files.items() if source else ()
    there = [(split, file) for split, files in listed for file in files]
    shutil.rmtree(folder, ignore_errors=True)
    # Attributes are locked too: a new column would change every case that is there.
    names = list(there[0][1].attributes) if there else None
    write_folder(folder, [*there, *rows], _images(plan, rows), names)
    sync_tree(folder)
    case_set = load_case_set(plan.case_set)
    document = {
        "proposal_id": promotion.promotion_id,
        **promotion.request,
        "feedback_head": plan.feedback_head,
        "case_set": {
            "file": str(plan.case_set),
            "name": case_set.name,
            "version": case_set.version,
            "merkle_root": case_set.merkle_root,
        },
        "source": str(source) if source else None,
        "source_manifest_sha256": sha256_file(source / MANIFEST) if source else None,
        "cases": [_described(plan, file) for _, file in rows],
        "next": _commands(config, places, plan, folder, source),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return CaseProposal(folder, document)


def check_proposal(proposal: CaseProposal, trained: KnownSides) -> None:
    """Reads the proposed images back, and holds them against what is trained on.

    Raises:
      IntegrityError: an image is another one, or is trained on.
    """
    for case in proposal.document["cases"]:
        path = proposal.folder / case["image"]
        image = read_image(path)
        hashes = image.pixels_sha256, image.bytes_sha256
        if hashes != (case["pixels_sha256"], case["bytes_sha256"]):
            raise IntegrityError(f"{path}: reads back as another image; nothing was promoted")
        if hashes[0] in trained.pixels or hashes[1] in trained.bytes:
            raise IntegrityError(f"{path}: is trained on; nothing was promoted")


def remove_proposal(places: FeedbackPlaces, promotion_id: str) -> None:
    """Takes a proposal back; its document first, so that none is left without its images."""
    folder, path = proposal_paths(places, promotion_id)
    path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _manifest_folder(config: Config) -> Path | None:
    """The folder with a manifest that the case set's images come from; None for another source."""
    named = config.case_set.source
    folder = Path(named).expanduser().resolve() if named else None
    return folder if folder and (folder / MANIFEST).is_file() else None


def _commands(
    config: Config, places: FeedbackPlaces, plan: PromotionPlan, folder: Path, source: Path | None
) -> list[str]:
    amend = [
        f"casegate cases amend {typed(str(plan.case_set.parent))}",
        f"--workspace {typed(str(places.workspace))}",
        *(f"--add {typed(case.case_id)}" for case in plan.sides.proposed),
        *(f"--sentinel {typed(case.case_id)}" for case in plan.sides.proposed if case.missed),
        f"--source {typed(str(source)) if source else 'DIR'}",
        "--by NAME --reason TEXT",
    ]
    if source:
        copy = f"cp -R {typed(str(folder))}/. {typed(str(source))}/"
    else:
        images = config.case_set.source or config.data.source
        copy = (
            f"# the case set's images come from {images}, which takes no single images: make it a "
            f"folder DIR with {MANIFEST}, add the rows of {folder / MANIFEST}, and copy "
            f"{folder / 'feedback'} into it"
        )
    return [copy, " ".join(amend)]


def _described(plan: PromotionPlan, file: ImageFile) -> dict[str, Any]:
    judged = plan.judged[file.case_id]
    image = plan.image_of(file.case_id)
    opinion = ("seq", "by", "role", "label", "note")
    return {
        "case_id": file.case_id,
        "patient_id": file.patient_id,
        "label": judged.label,
        "sentinel": judged.missed,
        "image": file.path,
        "pixels_sha256": image.pixels_sha256,
        "bytes_sha256": image.bytes_sha256,
        "attributes": dict(file.attributes),
        "score": judged.predicted.score,
        "model": judged.predicted.model,
        "settled_by": judged.settled_by,
        "opinions": [{key: getattr(one, key) for key in opinion} for one in judged.opinions],
    }
