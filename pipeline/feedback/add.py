"""Records one opinion: on a case that was served, by somebody with a name."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from components.feedback.opinion import (
    CLI,
    LABELS,
    READER,
    Opinion,
    OpinionDraft,
    Predicted,
)
from components.feedback.record import Record
from components.records.clock import utc_now
from components.records.errors import ConfigError
from components.records.text import spell
from pipeline.feedback.images import keep_image, read_image
from pipeline.feedback.served import FeedbackPlaces, ServedCases
from pipeline.governance.persons import require_text, same_person

if TYPE_CHECKING:
    from components.drift.log import Prediction

LONGEST_NAME, LONGEST_NOTE = 100, 2000


class UnknownCase(ConfigError):
    """A case that was never served."""


class AmbiguousCase(ConfigError):
    """A picture stands for more than one case, or for none by now."""


@dataclass(frozen=True)
class GivenOpinion:
    """What a reader says of a case."""

    label: str
    by: str
    note: str | None = None
    role: str = READER
    source: str = CLI
    nonce: str | None = None


def add(
    places: FeedbackPlaces,
    served: ServedCases,
    given: GivenOpinion,
    *,
    case_id: str | None,
    image: Path | None,
) -> Opinion:
    """Records an opinion on the case with this id, or on the one that this image was served as.

    Raises:
      UnknownCase: the log has no such case; nothing is recorded.
      ConfigError: what was given says nothing or too much.
      SourceError: no log, or the image cannot be read.
      IntegrityError: the record was altered; nothing is recorded.
    """
    if (case_id is None) == (image is None):
        raise ConfigError("feedback: wanted --case ID or --image FILE, one of them")
    given = tidy(given)
    if image is None:
        return record_opinion(places.record, find_served(served, str(case_id)), given)
    shows = read_image(image)
    found = find_picture(served, shows.pixels_sha256, where=str(image))
    keep_image(shows, places.images)  # before the entry, which says that it is there
    return record_opinion(places.record, found, given)


def find_served(served: ServedCases, case_id: str) -> "Prediction":
    """The case as the log has it; UnknownCase where it has none."""
    found = served.find(case_id)
    if found is None:
        raise UnknownCase(
            f"case '{spell(case_id)}': not in the prediction log {served.path}, so it was never "
            "served; nothing was recorded: check the id, or name another log with --log"
        )
    return found


def find_picture(served: ServedCases, pixels_sha256: str, *, where: str) -> "Prediction":
    """The one case under which a picture was served.

    Raises:
      UnknownCase: there is none.
      AmbiguousCase: there are several, or its id stands for another picture by now.
    """
    ids = served.with_picture(pixels_sha256)
    if not ids:
        raise UnknownCase(
            f"{where}: no case in the prediction log {served.path} has its pixels "
            f"({pixels_sha256[:12]}...); nothing was recorded: give the very image that was "
            "served, or its id with --case"
        )
    if len(ids) > 1:
        listed = ", ".join(spell(name) for name in ids[:3])
        raise AmbiguousCase(
            f"{where}: served as {len(ids)} cases, {listed}; nothing was recorded: say which "
            "with --case"
        )
    found = find_served(served, ids[0])
    if found.pixels_sha256 != pixels_sha256:
        raise AmbiguousCase(
            f"{where}: case '{spell(ids[0])}' was served again with another picture; nothing was "
            "recorded: say --case if the newer one is meant"
        )
    return found


def tidy(given: GivenOpinion) -> GivenOpinion:
    """The opinion, each text on one line.

    Raises:
      ConfigError: the label is unknown, or a text says nothing, too much or what cannot be seen.
    """
    if given.label not in LABELS:
        raise ConfigError(f"label: got '{spell(given.label)}', wanted one of {', '.join(LABELS)}")
    by = require_text(given.by, "by")
    note = require_text(given.note, "note") if given.note and given.note.strip() else None
    for name, text, most in (("by", by, LONGEST_NAME), ("note", note or "", LONGEST_NOTE)):
        if len(text) > most:
            raise ConfigError(f"{name}: got {len(text):,} characters, wanted at most {most:,}")
    return replace(given, by=by, note=note)


def record_opinion(record: Record, case: "Prediction", given: GivenOpinion) -> Opinion:
    """Appends an opinion that `tidy` made; names that are one person's are one reader."""
    draft = OpinionDraft(
        at=utc_now(),
        case_id=case.case_id,
        pixels_sha256=case.pixels_sha256,
        predicted=Predicted(case.score, case.positive, case.model, case.at),
        **vars(given),
    )
    return record.append(draft, same_reader=same_person)
