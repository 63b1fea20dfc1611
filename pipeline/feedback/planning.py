"""Where settled cases were sent, kept for ever, and where a promotion would send the next.

What was sent once is never sent again. The record of a promotion is written before anything can be
trained on, with the very body that its ledger entry will have. So a promotion that was cut short is
one whose body is not in the ledger, and what is on disk says whether it is finished or taken back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from components.baselines.case_set import CaseSet, LockedCase, load_case_set
from components.baselines.history import archived
from components.baselines.names import CASE_SET
from components.cases.files import ImageFile, file_sha256, read_image_file
from components.cases.images import bytes_sha256, pixels_sha256
from components.cases.sources import open_source
from components.cases.spans import Span, SpanRow, find_spans, span_pattern
from components.drift.log import Prediction
from components.feedback.opinion import POSITIVE, JudgedCase, judged_cases
from components.feedback.sides import KnownSides, Settled, Sides, take_sides
from components.lineage.training import TrainingRow, read_manifest
from components.records.case import BadCase, Case
from components.records.errors import IntegrityError
from components.records.files import canonical_json, sha256_json, write_atomically
from components.records.ledger.ledger import Entry
from pipeline.feedback.images import Image, find_images
from pipeline.feedback.served import FeedbackPlaces, ServedCases
from pipeline.settings.baselines import SHIPPED_BASELINES, find_case_set
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace

TRAINING_SIDE, CASE_SET_SIDE = "training", "case set"


@dataclass(frozen=True)
class Sent:
    """A case that was sent to a side: training, or case set."""

    case_id: str
    patient_id: str
    label: str
    pixels_sha256: str
    bytes_sha256: str
    side: str
    sentinel: bool


@dataclass(frozen=True)
class Promotion:
    """Attributes:
    body: of the ledger's entry.
    span: the folder of the span, absolute; None where there is none.
    """

    promotion_id: str
    at: str
    by: str
    body: dict[str, Any]
    span: str | None
    cases: tuple[Sent, ...]

    @property
    def request(self) -> dict[str, str]:
        return {"at": self.at, "by": self.by, "reason": self.body["reason"]}


def known_cases(
    cases: Iterable[Sent | LockedCase | TrainingRow], *, names: bool = True
) -> KnownSides:
    """These cases, by picture and bytes, and where `names` is said by id and patient too."""
    listed = list(cases)
    return KnownSides(
        case_ids=frozenset(case.case_id for case in listed if names),
        patients=frozenset(case.patient_id for case in listed if names),
        pixels=frozenset(case.pixels_sha256 for case in listed),
        bytes=frozenset(case.bytes_sha256 for case in listed),
    )


def save_promotion(promotion: Promotion, folder: Path) -> None:
    document = asdict(promotion)
    document["record_sha256"] = sha256_json(document)
    write_atomically(folder / f"{promotion.promotion_id}.json", canonical_json(document) + b"\n")


def load_promotions(folder: Path) -> tuple[Promotion, ...]:
    """Every promotion on record, oldest first; IntegrityError where a record was altered."""
    return tuple(_load(path) for path in sorted(folder.glob("*.json")))


def unfinished(promotions: Sequence[Promotion], entries: Iterable[Entry]) -> list[Promotion]:
    """Those that the ledger does not know.

    Raises:
      IntegrityError: the ledger knows of one whose record is gone, so what it sent is not known.
    """
    recorded = [dict(entry.body) for entry in entries if entry.kind == "promotion"]
    known = [promotion.body for promotion in promotions]
    for body in recorded:
        if body not in known:
            raise IntegrityError(
                f"the ledger knows a promotion of {len(body['cases'])} cases to {body['span']}, "
                "but feedback/promotions has no record of it; restore that folder from a copy"
            )
    return [promotion for promotion in promotions if promotion.body not in recorded]


def known_on(side: str, promotions: Iterable[Promotion]) -> KnownSides:
    return known_cases(case for one in promotions for case in one.cases if case.side == side)


def _load(path: Path) -> Promotion:
    try:
        document = orjson.loads(path.read_bytes())
        sha256 = document.pop("record_sha256")
        cases = tuple(Sent(**case) for case in document.pop("cases"))
        found = Promotion(**document, cases=cases)
        sound = sha256_json(asdict(found)) == sha256 and found.promotion_id == path.stem
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        sound = False
    if not sound:
        raise IntegrityError(
            f"{path}: was altered, so what was promoted before is not known; restore it from a copy"
        )
    return found


def find_judging_cases(config: Config, workspace: Workspace) -> tuple[Path, KnownSides]:
    """Reads every version of every case set, verified.

    Returns:
      The case set that judges releases, as a person names it, and what the case sets hold: by
      picture and bytes of all of them; by id and patient of those that this configuration judges
      by, since ids mean something within a source only.

    Raises:
      ConfigError: no case set judges, so nothing could be kept apart from it.
      IntegrityError: one was edited, or one of its versions is not kept.
    """
    judges = _judging_paths(config, workspace)
    folders = {SHIPPED_BASELINES, workspace.baselines}
    folders |= {Path(named) for named in (config.case_set.directory, config.ci.directory) if named}
    every = {path for folder in folders for path in folder.glob(f"*/{CASE_SET}")} | set(judges)
    known = KnownSides()
    for path in sorted({path.resolve() for path in every}):
        judged_by = path in {judge.resolve() for judge in judges}
        for version in _versions(path):
            known |= known_cases(version.cases, names=judged_by)
    return judges[0], known


def _judging_paths(config: Config, workspace: Workspace) -> list[Path]:
    source = config.case_set.source or config.data.source
    name = config.case_set.baseline
    if not name:  # the source's name chooses the baseline, as in a run
        folder = Path(source).expanduser().resolve().parent
        name = (
            folder.name if span_pattern(source) else open_source(source, config.data.reading).name
        )
    named = [(name, config.case_set.directory)]
    if config.ci.baseline is not None:
        named.append((config.ci.baseline, config.ci.directory))
    return [find_case_set(str(Path(at) / name) if at else name, workspace) for name, at in named]


def _versions(path: Path) -> Iterator[CaseSet]:
    """The current version and every one before it.

    Raises:
      IntegrityError: one is not there, so that its retired cases would be forgotten.
    """
    current = load_case_set(path)
    for number in range(1, current.version):
        file = archived(path, number)
        if not file.exists():
            raise IntegrityError(
                f"{file}: version {number} is missing, so cases that were retired since cannot be "
                "kept out of training; restore it from version control"
            )
        yield load_case_set(file)
    yield current


def find_training_cases(config: Config, workspace: Workspace) -> tuple[KnownSides, dict[str, str]]:
    """What runs trained and tuned on, and what lies in the spans for the next one.

    Images are decoded only where no run has read them yet. The patients come with the split, train
    or tune, in which the spans have them.

    Raises:
      SourceError: no span, or one that cannot be used.
      IntegrityError: a manifest of training data was altered.
    """
    manifests = sorted(workspace.training.glob("*.jsonl"))
    known = known_cases(row for manifest in manifests for row in read_manifest(manifest))
    ids, pixels, encoded = set[str](), set[str](), set(known.bytes)
    split_of: dict[str, str] = {}
    for number, path in sorted(find_spans(config.data.source).items()):
        span = Span.found(number, path)
        for split, rows in span.rows().items():
            ids.update(row.case_id for row in rows)
            split_of.update((row.patient_id, split) for row in rows)
            for image in _new_images(span, split, rows, frozenset(encoded)):
                pixels.add(pixels_sha256(image))
                encoded.add(bytes_sha256(image))
    there = KnownSides(frozenset(ids), frozenset(split_of), frozenset(pixels), frozenset(encoded))
    return known | there, split_of


def _new_images(
    span: Span, split: str, rows: Sequence[SpanRow], known: frozenset[str]
) -> Iterator[bytes]:
    """The usable images of a split, but for files whose bytes are `known`, by SHA-256."""
    if not all(isinstance(row, ImageFile) for row in rows):
        cases: Iterable[Case | BadCase] = span.read(split, 0, len(rows))
    else:
        images = (row for row in rows if isinstance(row, ImageFile) and row.is_image)
        new = (row for row in images if file_sha256(span.path / row.path) not in known)
        cases = (read_image_file(span.path, row) for row in new)
    for case in cases:
        if isinstance(case, Case):
            yield case.image


@dataclass(frozen=True)
class PromotionPlan:
    """Attributes:
    feedback_head: hash of the last opinion that was read.
    case_set, split_of: as `find_judging_cases` and `find_training_cases` have them.
    settled, sent_before: how many cases are settled, and how many of them were sent before.
    judged, served, images: of every case that goes somewhere, by id; images by pixel hash.
    """

    feedback_head: str
    settled: int
    sent_before: int
    sides: Sides
    case_set: Path
    split_of: Mapping[str, str]
    judged: Mapping[str, JudgedCase]
    served: Mapping[str, Prediction]
    images: Mapping[str, Image]

    @property
    def empty(self) -> bool:
        return not self.sides.training and not self.sides.proposed

    def image_of(self, case_id: str) -> Image:
        return self.images[self.judged[case_id].pixels_sha256 or ""]


def make_plan(
    config: Config,
    workspace: Workspace,
    served: ServedCases,
    promotions: Sequence[Promotion],
    images: Path | None,
) -> PromotionPlan:
    """Sends every settled case that no promotion sent before to its side.

    Raises:
      ConfigError, SourceError, IntegrityError: the data, a case set or the record is unusable.
    """
    places = FeedbackPlaces(workspace.root)
    content = places.record.content()
    cases = judged_cases(content.entries, readers=config.feedback.readers)
    settled = {case.case_id: case for case in cases if case.label is not None}
    proposed, trained = (known_on(side, promotions) for side in (CASE_SET_SIDE, TRAINING_SIDE))
    before = settled.keys() & (proposed.case_ids | trained.case_ids)
    new = [case for name, case in settled.items() if name not in before]
    found = {case.case_id: one for case in new if (one := served.find(case.case_id))}
    where = {
        one.pixels_sha256: served.folder / one.image if one.image else None
        for one in found.values()
        if one.pixels_sha256
    }
    shown = find_images(where, places.images, images)
    case_set, judging = find_judging_cases(config, workspace)
    training, split_of = find_training_cases(config, workspace)
    sides = take_sides(
        [_settled(case, found.get(case.case_id), shown) for case in new],
        case_set=judging,
        proposed=proposed,
        trained=training | trained,
    )
    return PromotionPlan(
        feedback_head=content.last.sha256,
        settled=len(settled),
        sent_before=len(before),
        sides=sides,
        case_set=case_set,
        split_of=split_of,
        judged=settled,
        served=found,
        images=shown,
    )


def _settled(case: JudgedCase, served: Prediction | None, images: Mapping[str, Image]) -> Settled:
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


def _unusable(case: JudgedCase, served: Prediction | None, image: Image | None) -> str:
    if served is None:
        return "the prediction log has it no more, and with it its patient and attributes"
    if served.patient_id is None or case.pixels_sha256 is None:
        return ""  # `take_sides` gives the reason, and what follows from it
    if served.pixels_sha256 != case.pixels_sha256:
        return "it was served again with another picture"
    if case.predicted.positive is None:
        return "the log does not say what the model decided, so whether it was missed"
    names = (case.case_id, served.patient_id)
    if not all(name.isprintable() and name == name.strip() for name in names):
        return "its id or its patient's does not survive being written to a manifest"
    if image is None:
        return "no image with its pixels; say where it is with --images DIR"
    return ""
