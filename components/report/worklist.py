"""The cases that changed, in the order in which a person should look at them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from components.baselines.case_set import CaseSet, LockedCase
from components.decision import Decision
from components.report.curves import MODELS, CurveScores
from components.report.evidence import ReportEvidence, thumbnail

PICTURES = 200
ROWS = 400
IDS = 2000
ATTRIBUTES = 6


@dataclass(frozen=True)
class Changed:
    """A case that the candidate calls otherwise than a baseline.

    Attributes:
      lost: right before and wrong now; else wrong before and right now.
      against: the baselines it changed against, in order.
      case: None where the case set does not hold it.
      scores: by model.
      picture: a `data:` address, None where there is none.
    """

    case_id: str
    lost: bool
    against: tuple[str, ...]
    sentinel: bool
    case: LockedCase | None
    scores: dict[str, float]
    picture: str | None


@dataclass(frozen=True)
class Worklist:
    """Attributes:
    rows: the first cases, whole.
    ids: more of them, by id alone.
    left_out: how many are listed only in the decision.
    models: the models that have scores.
    attributes: names of the attributes with a column of their own.
    pictures: whether any row has one; `unseen` rows have none although pictures are at hand.
    """

    lost: int
    gained: int
    rows: tuple[Changed, ...]
    ids: tuple[str, ...]
    left_out: int
    models: tuple[str, ...]
    attributes: tuple[str, ...]
    pictures: bool
    unseen: int

    @property
    def total(self) -> int:
        return self.lost + self.gained


def worklist(
    decision: Decision, evidence: ReportEvidence | None, judged: CurveScores | None
) -> Worklist:
    """Lost before gained, never-miss cases first, then by id; the first PICTURES with picture."""
    against = _against(decision)
    cases = evidence.case_set.cases if evidence else ()
    places = {case.case_id: place for place, case in enumerate(cases)}
    order, sentinels = _ordered(decision, cases)
    rows = []
    for place, (name, lost) in enumerate(order[:ROWS]):
        at = places.get(name)
        case = None if at is None else cases[at]
        known = judged.scores if judged is not None and at is not None else {}
        scores = {model: float(column[at or 0]) for model, column in known.items()}
        picture = _picture(evidence, name) if place < PICTURES else None
        rows.append(
            Changed(name, lost, against[name, lost], name in sentinels, case, scores, picture)
        )
    rest = [name for name, _ in order[ROWS:]]
    pictures = any(row.picture for row in rows)
    return Worklist(
        lost=sum(lost for _, lost in order),
        gained=sum(not lost for _, lost in order),
        rows=tuple(rows),
        ids=tuple(rest[:IDS]),
        left_out=len(rest[IDS:]),
        models=tuple(m for m in MODELS if judged and m in judged.scores),
        attributes=_attributes(rows),
        pictures=pictures,
        unseen=sum(row.picture is None for row in rows) if pictures else 0,
    )


def pictured(decision: Decision, case_set: CaseSet) -> tuple[str, ...]:
    """The ids of the cases that a worklist shows with their picture, so that no others are read."""
    order, _ = _ordered(decision, case_set.cases)
    return tuple(name for name, _ in order[:PICTURES])


def others(row: Changed, named: Sequence[str]) -> dict[str, str]:
    """The attributes of a case that have no column of their own."""
    attributes = row.case.attributes if row.case else {}
    return {name: attributes[name] for name in sorted(attributes) if name not in named}


def _ordered(
    decision: Decision, cases: Sequence[LockedCase]
) -> tuple[list[tuple[str, bool]], set[str]]:
    """Every changed case with whether it was lost, most urgent first; and the never-miss ones."""
    sentinels = {case.case_id for case in cases if case.sentinel}
    sentinels |= {name for flips in decision.flips for name in flips.lost_sentinels}
    changed = _against(decision)
    return sorted(changed, key=lambda c: (not c[1], c[0] not in sentinels, c[0])), sentinels


def _against(decision: Decision) -> dict[tuple[str, bool], tuple[str, ...]]:
    """The baselines that a case changed against, by its id and whether it was lost."""
    found: dict[tuple[str, bool], tuple[str, ...]] = {}
    for flips in decision.flips:
        for ids, lost in ((flips.lost, True), (flips.gained, False)):
            for name in ids:
                found[name, lost] = (*found.get((name, lost), ()), flips.against)
    return found


def _attributes(rows: Sequence[Changed]) -> tuple[str, ...]:
    """The most common attributes, by name."""
    names = Counter(name for row in rows if row.case for name in row.case.attributes)
    common = sorted(names, key=lambda name: (-names[name], name))[:ATTRIBUTES]
    return tuple(sorted(common))


def _picture(evidence: ReportEvidence | None, case_id: str) -> str | None:
    if evidence is None or evidence.picture is None:
        return None
    image = evidence.picture(case_id)
    return None if image is None else thumbnail(image)
