"""The cases that changed, in the order in which a person should look at them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.baselines.case_set import CaseSet, LockedCase
from components.decision import Decision
from components.report.curves import MODELS, CurveScores
from components.report.evidence import ReportEvidence, mapped, thumbnail

PICTURES = 200
ROWS = 400
IDS = 2000
ATTRIBUTES = 6


@dataclass(frozen=True)
class Changed:
    """A case that the candidate calls otherwise than a baseline, or a never-miss case.

    Attributes:
      lost: right before and wrong now; else wrong before and right now.
      against: the baselines it changed against, in order; none for a case that did not change.
      case: None where the case set does not hold it.
      scores: by model.
      picture: a `data:` address, None where there is none.
      maps: of where each model's score came from, over the picture; `data:` addresses by model.
      silent: the models for which nothing in this picture speaks for a finding.
    """

    case_id: str
    lost: bool
    against: tuple[str, ...]
    sentinel: bool
    case: LockedCase | None
    scores: dict[str, float]
    picture: str | None
    maps: dict[str, str]
    silent: tuple[str, ...]


@dataclass(frozen=True)
class Worklist:
    """Attributes:
    rows: the first cases, whole.
    ids: more of them, by id alone.
    left_out: how many are listed only in the decision.
    models: the models that have scores.
    attributes: names of the attributes with a column of their own.
    pictures: whether any row has one; `unseen` rows have none although pictures are at hand.
    unchanged: never-miss cases that did not change, as far as pictures go.
    maps: the models whose maps are at hand; `mapless` ones were asked, and gave none.
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
    unchanged: tuple[Changed, ...]
    maps: tuple[str, ...]
    mapless: tuple[str, ...]

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

    def row(name: str, lost: bool, seen: bool) -> Changed:
        at = places.get(name)
        known = judged.scores if judged is not None and at is not None else {}
        return Changed(
            case_id=name,
            lost=lost,
            against=against.get((name, lost), ()),
            sentinel=name in sentinels,
            case=None if at is None else cases[at],
            scores={model: float(column[at or 0]) for model, column in known.items()},
            **_pictures(evidence if seen else None, name),
        )

    rows = [row(name, lost, place < PICTURES) for place, (name, lost) in enumerate(order[:ROWS])]
    rest = [name for name, _ in order[ROWS:]]
    pictures = any(row.picture for row in rows)
    shown = evidence.maps if evidence else {}
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
        unchanged=tuple(row(name, False, True) for name in _unchanged(order, cases) if shown),
        maps=tuple(model for model in MODELS if shown.get(model)),
        mapless=tuple(model for model in MODELS if not shown.get(model, True)),
    )


def pictured(decision: Decision, case_set: CaseSet) -> tuple[str, ...]:
    """The ids of the cases that a worklist shows with their picture, so that no others are read."""
    order, _ = _ordered(decision, case_set.cases)
    changed = [name for name, _ in order[:PICTURES]]
    return (*changed, *_unchanged(order, case_set.cases))


def _unchanged(order: Sequence[tuple[str, bool]], cases: Sequence[LockedCase]) -> tuple[str, ...]:
    """The never-miss cases that did not change, as many as are shown."""
    changed = {name for name, _ in order}
    same = [case.case_id for case in cases if case.sentinel and case.case_id not in changed]
    return tuple(sorted(same)[: max(0, PICTURES - len(order))])


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


def _pictures(evidence: ReportEvidence | None, case_id: str) -> dict[str, Any]:
    """The fields of a row that are pictures."""
    image = evidence.picture(case_id) if evidence and evidence.picture else None
    if evidence is None or image is None:
        return {"picture": None, "maps": {}, "silent": ()}
    heat = {model: maps[case_id] for model, maps in evidence.maps.items() if case_id in maps}
    over = {model: mapped(image, one) for model, one in heat.items()}
    return {
        "picture": thumbnail(image),
        "maps": {model: address for model, address in over.items() if address},
        "silent": tuple(model for model, one in heat.items() if not one.any()),
    }
