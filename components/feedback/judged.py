"""What the readers of each case say by now, and whether that settles what the case is."""

from collections.abc import Iterable
from dataclasses import dataclass

from components.feedback.opinion import ADJUDICATOR, POSITIVE, UNSURE, Opinion, Predicted

BY_READERS, BY_ADJUDICATOR = "readers", "adjudicator"


@dataclass(frozen=True)
class JudgedCase:
    """A served case and the newest opinion of everybody who gave one.

    Attributes:
      opinions: one of each reader, in the order in which they came.
      predicted: the newest prediction that any of them speaks of.
      pixels_sha256: of the picture; None where the log has none, or two.
      label: what is settled, positive or negative; None where nothing is.
      settled_by: readers or adjudicator; None as above.
      open_because: why nothing is settled; empty where it is.
    """

    case_id: str
    opinions: tuple[Opinion, ...]
    predicted: Predicted
    pixels_sha256: str | None
    label: str | None
    settled_by: str | None
    open_because: str

    @property
    def right(self) -> bool | None:
        """Whether the model's decision is the settled label; None where either is unknown."""
        if self.label is None or self.predicted.positive is None:
            return None
        return self.predicted.positive == (self.label == POSITIVE)

    @property
    def missed(self) -> bool:
        """A settled positive that the model called negative."""
        return self.label == POSITIVE and self.predicted.positive is False


def judged_cases(opinions: Iterable[Opinion], *, readers: int) -> tuple[JudgedCase, ...]:
    """Every case that somebody gave an opinion on, by its id.

    A case is settled by an adjudicator's newest opinion, or else by at least `readers` readers who
    all say the same and none of whom is unsure.
    """
    newest: dict[str, dict[str, Opinion]] = {}
    for opinion in opinions:
        of_case = newest.setdefault(opinion.case_id, {})
        of_case.pop(opinion.by, None)  # so that the newer one stands at the end
        of_case[opinion.by] = opinion
    return tuple(
        _judged(case_id, tuple(of_case.values()), readers)
        for case_id, of_case in sorted(newest.items())
    )


def _judged(case_id: str, opinions: tuple[Opinion, ...], readers: int) -> JudgedCase:
    pictures = {one.pixels_sha256 for one in opinions if one.pixels_sha256 is not None}
    by, label, because = _settle(opinions, readers)
    if len(pictures) > 1:
        by, label, because = None, None, "two pictures were served under its id"
    return JudgedCase(
        case_id=case_id,
        opinions=opinions,
        predicted=max((one.predicted for one in opinions), key=lambda one: one.at),
        pixels_sha256=pictures.pop() if len(pictures) == 1 else None,
        label=label,
        settled_by=by,
        open_because=because,
    )


def _settle(opinions: tuple[Opinion, ...], readers: int) -> tuple[str | None, str | None, str]:
    """Who settles the case and with which label, or why nobody does."""
    settling = [one for one in opinions if one.role == ADJUDICATOR]
    counting, by = (settling, BY_ADJUDICATOR) if settling else (list(opinions), BY_READERS)
    labels = {one.label for one in counting}
    if len(labels) > 1:
        return None, None, f"{'adjudicators' if settling else 'readers'} disagree"
    if UNSURE in labels:
        return None, None, f"{'the adjudicator' if settling else 'whoever read it'} is unsure"
    if not settling and len(counting) < readers:
        return None, None, f"read by {len(counting)} of {readers}"
    return by, labels.pop(), ""
