"""What a promotion would do: which settled cases go where, and what each is left out for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.feedback.judged import JudgedCase, judged_cases
from components.feedback.opinion import POSITIVE
from components.feedback.sides import Settled, Sides, take_sides
from pipeline.feedback.images import Image, find_images
from pipeline.feedback.known import Judging, Taught, judging, taught
from pipeline.feedback.places import FeedbackPlaces
from pipeline.feedback.promotion import CASE_SET, TRAINING, Promotion, known_on
from pipeline.feedback.served import ServedCase, ServedCases
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class PromotionPlan:
    """Attributes:
    feedback_head: hash of the last opinion that was read.
    settled, sent_before: how many cases are settled, and how many of them were sent before.
    judged, served, images: of every case that goes somewhere, by id; images by pixel hash.
    """

    feedback_head: str
    settled: int
    sent_before: int
    sides: Sides
    judging: Judging
    taught: Taught
    judged: Mapping[str, JudgedCase]
    served: Mapping[str, ServedCase]
    images: Mapping[str, Image]

    @property
    def empty(self) -> bool:
        return not self.sides.training and not self.sides.proposed


def make_plan(
    config: Config,
    workspace: Workspace,
    served: ServedCases,
    promotions: Sequence[Promotion],
    images: Path | None,
) -> PromotionPlan:
    """Sends every settled case that no promotion sent before to its side.

    Raises:
      ConfigError, SourceError, IntegrityError: as `judging`, `taught` and the record say.
    """
    places = FeedbackPlaces(workspace.root)
    content = places.record.content()
    cases = judged_cases(content.opinions, readers=config.feedback.readers)
    settled = {case.case_id: case for case in cases if case.label is not None}
    proposed, trained = (known_on(side, promotions) for side in (CASE_SET, TRAINING))
    before = settled.keys() & (proposed.case_ids | trained.case_ids)
    new = [case for name, case in settled.items() if name not in before]
    found = {case.case_id: served.find(case.case_id) for case in new}
    known_served = {name: case for name, case in found.items() if case is not None}
    where = {case.pixels_sha256: case.image for case in known_served.values() if case.pixels_sha256}
    shown = find_images(where, places.images, images)
    held, learned = judging(config, workspace), taught(config, workspace)
    sides = take_sides(
        [_settled(case, found[case.case_id], shown) for case in new],
        case_set=held.known,
        proposed=proposed,
        trained=learned.known | trained,
    )
    return PromotionPlan(
        feedback_head=content.last.sha256,
        settled=len(settled),
        sent_before=len(before),
        sides=sides,
        judging=held,
        taught=replace(learned, known=learned.known | trained),
        judged=settled,
        served=known_served,
        images=shown,
    )


def _settled(case: JudgedCase, served: ServedCase | None, images: Mapping[str, Image]) -> Settled:
    assert case.label is not None
    image = images.get(case.pixels_sha256 or "")
    return Settled(
        case_id=case.case_id,
        patient_id=served.patient_id if served else None,
        label=case.label,
        pixels_sha256=case.pixels_sha256,
        bytes_sha256=image.bytes_sha256 if image else None,
        # One whose decision nobody knows may have been missed.
        missed=case.label == POSITIVE and case.predicted.positive is not True,
        unusable=_unusable(case, served, image),
    )


def _unusable(case: JudgedCase, served: ServedCase | None, image: Image | None) -> str:
    """Why the case can go nowhere; empty where nothing is in the way."""
    if served is None:
        return "the prediction log has it no more, and with it its patient and attributes"
    if served.patient_id is None or case.pixels_sha256 is None:
        return ""  # said, with what follows from it, where sides are taken
    if served.pixels_sha256 != case.pixels_sha256:
        return "it was served again with another picture"
    if case.predicted.positive is None:
        return "the log does not say what the model decided, so whether it was missed"
    if not all(map(_survives, (case.case_id, served.patient_id))):
        return "its id or its patient's does not survive being written to a manifest"
    if image is None:
        return "no image with its pixels; say where it is with --images DIR"
    return ""


def _survives(text: str) -> bool:
    return text.isprintable() and text == text.strip()
