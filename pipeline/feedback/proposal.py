"""Missed cases, proposed as sentinels: images, a manifest and the commands, for a person to decide.

A case set moves only by `casegate cases amend`, and every run reads its images again from the case
set's own source. So a proposal is made to be copied into that source: where it is a folder with a
manifest, the proposal holds that manifest with the proposed cases added.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.case_set import load_case_set
from components.cases.manifest import MANIFEST, list_manifest
from components.feedback.sides import KnownSides
from components.records.errors import IntegrityError
from components.records.files import sha256_file, sync_tree, write_atomically
from pipeline.feedback.images import read_image
from pipeline.feedback.manifest import (
    ManifestRow,
    image_path,
    row_of,
    served_attributes,
    write_folder,
)
from pipeline.feedback.places import FeedbackPlaces
from pipeline.feedback.planning import PromotionPlan
from pipeline.governance.case_sets import typed
from pipeline.settings.config import Config


@dataclass(frozen=True)
class CaseProposal:
    """Attributes:
    document: what is written to `ID.json`.
    next: what to type, after looking at each image.
    """

    folder: Path
    document: dict[str, Any]
    next: tuple[str, ...]


def proposal_paths(places: FeedbackPlaces, promotion_id: str) -> tuple[Path, Path]:
    """The folder and the document of a proposal."""
    return places.proposals / promotion_id, places.proposals / f"{promotion_id}.json"


def write_proposal(
    config: Config,
    places: FeedbackPlaces,
    plan: PromotionPlan,
    promotion_id: str,
    said: dict[str, str],
) -> CaseProposal:
    """Writes the folder, and then the document that says it is whole.

    Args:
      said: at, by and reason of the promotion.
    """
    folder, path = proposal_paths(places, promotion_id)
    source = _manifest_folder(config)
    rows = _rows(plan, promotion_id)
    images = {row.path: plan.images[plan.judged[row.case_id].pixels_sha256 or ""] for row in rows}
    there = [
        row_of(file, split)
        for split, files in (list_manifest(source).items() if source else ())
        for file in files
    ]
    shutil.rmtree(folder, ignore_errors=True)
    # Attributes are locked too: a new column would change every case that is there.
    names = list(there[0].attributes) if there else None
    write_folder(folder, [*there, *rows], images, names)
    sync_tree(folder)
    commands = tuple(_commands(config, places, plan, folder, source))
    document = {
        "proposal_id": promotion_id,
        **said,
        "feedback_head": plan.feedback_head,
        "case_set": _case_set(plan),
        "source": str(source) if source else None,
        "source_manifest_sha256": sha256_file(source / MANIFEST) if source else None,
        "cases": [_described(plan, row) for row in rows],
        "next": list(commands),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return CaseProposal(folder, document, commands)


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


def _rows(plan: PromotionPlan, promotion_id: str) -> list[ManifestRow]:
    rows = []
    for case in plan.sides.proposed:
        served, image = plan.served[case.case_id], plan.images[case.pixels_sha256 or ""]
        assert served.patient_id is not None
        path = image_path(image, f"feedback/{promotion_id}")
        attributes = served_attributes(served.attributes)
        rows.append(
            ManifestRow(path, case.label, case.case_id, served.patient_id, "test", attributes)
        )
    return rows


def _manifest_folder(config: Config) -> Path | None:
    """The folder with a manifest that the case set's images come from; None for another source."""
    named = config.case_set.source
    folder = Path(named).expanduser().resolve() if named else None
    return folder if folder and (folder / MANIFEST).is_file() else None


def _commands(
    config: Config, places: FeedbackPlaces, plan: PromotionPlan, folder: Path, source: Path | None
) -> Sequence[str]:
    amend = [f"casegate cases amend {typed(str(plan.judging.case_set.parent))}"]
    amend += [f"--workspace {typed(str(places.workspace))}"]
    amend += [f"--add {typed(case.case_id)}" for case in plan.sides.proposed]
    amend += [f"--sentinel {typed(case.case_id)}" for case in plan.sides.proposed if case.missed]
    amend += [f"--source {typed(str(source)) if source else 'DIR'}", "--by NAME --reason TEXT"]
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


def _case_set(plan: PromotionPlan) -> dict[str, Any]:
    case_set = load_case_set(plan.judging.case_set)
    return {
        "file": str(plan.judging.case_set),
        "name": case_set.name,
        "version": case_set.version,
        "merkle_root": case_set.merkle_root,
    }


def _described(plan: PromotionPlan, row: ManifestRow) -> dict[str, Any]:
    judged = plan.judged[row.case_id]
    image = plan.images[judged.pixels_sha256 or ""]
    return {
        "case_id": row.case_id,
        "patient_id": row.patient_id,
        "label": row.label,
        "sentinel": judged.missed,
        "image": row.path,
        "pixels_sha256": image.pixels_sha256,
        "bytes_sha256": image.bytes_sha256,
        "attributes": dict(row.attributes),
        "score": judged.predicted.score,
        "model": judged.predicted.model,
        "settled_by": judged.settled_by,
        "opinions": [
            {"seq": one.seq, "by": one.by, "role": one.role, "label": one.label, "note": one.note}
            for one in judged.opinions
        ],
    }
