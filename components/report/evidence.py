"""What a report may show beside the decision: the cases, every model's scores, the pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from components.baselines.case_set import CaseSet
from components.baselines.scores import CaseScores
from components.pages.heat import data_address, overlay, read_shown

PAIRS = 24  # that are shown
THUMBNAIL_PIXELS = 160


@dataclass(frozen=True)
class PicturedPair:
    """Two cases of nearly equal pictures, as DataGate writes them.

    Attributes:
      cases: of each the case_id, patient_id, label and split.
      pictures: a `data:` address each, None where one cannot be shown.
      words: how the second differs.
      contradicts: the labels differ.
    """

    cases: tuple[Mapping[str, Any], Mapping[str, Any]]
    pictures: tuple[str | None, str | None]
    words: str
    contradicts: bool


@dataclass(frozen=True)
class Admitted:
    """What was found of the pictures before training was allowed.

    Attributes:
      pairs: the worst of the nearly equal ones, of which there are `near_duplicates`.
      associations: features with the label or the split, the strongest first, as DataGate writes
        them.
    """

    pairs: tuple[PicturedPair, ...] = ()
    near_duplicates: int = 0
    associations: tuple[Mapping[str, Any], ...] = ()


def admitted(
    found: Mapping[str, Any], picture: Callable[[Mapping[str, Any]], bytes | None]
) -> Admitted:
    """What a report shows of `admission.json`, which has no pictures where an older run wrote it.

    Args:
      picture: the encoded image of a case as it is described there; None where there is none.
    """
    pairs = []
    for pair in found.get("near_duplicates", ())[:PAIRS]:
        one, other = pair["cases"]
        images = (picture(one), picture(other))
        first, second = (None if image is None else thumbnail(image) for image in images)
        words = f"{pair['way']}, {pair['distance']} of 256 bits differ"
        shown = PicturedPair((one, other), (first, second), words, pair["labels_differ"])
        pairs.append(shown)
    count = found.get("compared", {}).get("pairs", 0)
    return Admitted(tuple(pairs), count, tuple(found.get("associations", ())))


@dataclass(frozen=True, eq=False)
class ReportEvidence:
    """Attributes:
    case_set: the cases that the decision was taken on.
    scores: of the candidate, and of champion and golden where there are any.
    picture: the encoded image (PNG or JPEG) of a case id, or None where there is none; None as a
      whole where no pictures are at hand.
    admitted: what was found of the pictures before training; None where nobody looked.
    maps: by model and case id, float32 (h, w) in [0, 1]: where the score came from.
    """

    case_set: CaseSet
    scores: Mapping[str, CaseScores]
    picture: Callable[[str], bytes | None] | None = None
    admitted: Admitted | None = None
    maps: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)


def thumbnail(image: bytes) -> str | None:
    """A picture of at most 160 x 160 pixels as a `data:` address; None where it cannot be read."""
    shown = read_shown(image, THUMBNAIL_PIXELS)
    return None if shown is None else data_address(shown)


def mapped(image: bytes, heat: np.ndarray) -> str | None:
    """As `thumbnail`, under its map."""
    shown = read_shown(image, THUMBNAIL_PIXELS)
    return None if shown is None else data_address(overlay(shown, heat), "JPEG")
