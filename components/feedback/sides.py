"""On which side of the line a settled case may stand: training data, or the case set; never both.

A case that is judged on must not be known from training, be it by its bytes, its picture or its
patient. So whole patients are sent to one side, what was sent once stays there, and where it cannot
be told, a case goes nowhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SET, PROPOSED, TRAINED = "the case set", "an earlier proposal", "the training data"


@dataclass(frozen=True)
class Settled:
    """A settled case that was not sent anywhere yet.

    Attributes:
      patient_id, pixels_sha256: None where unknown.
      bytes_sha256: of the image that was found for it; None where none was.
      missed: a positive that the model called negative.
      unusable: why it can go nowhere, whatever its side; empty where nothing is in the way.
    """

    case_id: str
    patient_id: str | None
    label: str
    pixels_sha256: str | None
    bytes_sha256: str | None
    missed: bool
    unusable: str = ""


@dataclass(frozen=True)
class KnownSides:
    """What stands on a side already."""

    case_ids: frozenset[str] = field(default_factory=frozenset)
    patients: frozenset[str] = field(default_factory=frozenset)
    pixels: frozenset[str] = field(default_factory=frozenset)
    bytes: frozenset[str] = field(default_factory=frozenset)

    def holds(self, case: Settled) -> str | None:
        """By what the case itself is known: bytes, picture or id; None where it is not."""
        if case.bytes_sha256 in self.bytes:
            return "the same bytes"
        if case.pixels_sha256 in self.pixels:
            return "the same picture"
        return "the same id" if case.case_id in self.case_ids else None

    def knows(self, case: Settled) -> bool:
        """Whether it knows the case or its patient."""
        return case.patient_id in self.patients or self.holds(case) is not None

    def __or__(self, other: "KnownSides") -> "KnownSides":
        return KnownSides(*map(frozenset.union, vars(self).values(), vars(other).values()))


@dataclass(frozen=True)
class LeftOut:
    case_id: str
    why: str


@dataclass(frozen=True)
class Sides:
    """Where each case goes.

    Attributes:
      training: into the next span.
      proposed: for the case set: missed ones as sentinels, and what else there is of their patient.
      left_out: by case id.
    """

    training: tuple[Settled, ...]
    proposed: tuple[Settled, ...]
    left_out: tuple[LeftOut, ...]


def take_sides(
    cases: Sequence[Settled], *, case_set: KnownSides, proposed: KnownSides, trained: KnownSides
) -> Sides:
    """Sends each case to its side, whole patients together, or nowhere with a reason.

    Args:
      case_set: every case of every version of every case set that judges.
      proposed: what earlier promotions proposed.
      trained: what was trained on, or lies in a span.
    """
    left_out: list[LeftOut] = []
    training: list[Settled] = []
    proposals: list[Settled] = []
    sides = {SET: case_set, PROPOSED: proposed, TRAINED: trained}
    for group in _together(sorted(cases, key=lambda case: case.case_id)):
        fresh = []
        for case in _once(group, left_out):
            in_sides = (
                f"stands in {name} already ({by})"
                for name, known in sides.items()
                if (by := known.holds(case))
            )
            if why := next(in_sides, None) or case.unusable or _unknown(case):
                left_out.append(LeftOut(case.case_id, why))
            else:
                fresh.append(case)
        side, why = _side_of(group, sides)
        for case in fresh:
            if side == TRAINED:
                training.append(case)
            elif side == SET or (side == PROPOSED and case.missed):
                proposals.append(case)
            else:
                left_out.append(LeftOut(case.case_id, why))
    return Sides(
        tuple(training), tuple(proposals), tuple(sorted(left_out, key=lambda one: one.case_id))
    )


def _unknown(case: Settled) -> str | None:
    if case.patient_id is None:
        return "the log names no patient_id, so whether its patient is judged on cannot be told"
    if case.pixels_sha256 is None:
        return "the log names no pixels_sha256, so no image can be compared with it"
    return None


def _side_of(group: Sequence[Settled], sides: dict[str, KnownSides]) -> tuple[str, str]:
    """The side of all cases of a patient, and why those that cannot go there go nowhere.

    PROPOSED stands for: missed cases to the case set, the others nowhere.
    """
    judged = next((name for name in (SET, PROPOSED) if any(map(sides[name].knows, group))), None)
    trained = any(map(sides[TRAINED].knows, group))
    if judged and trained:
        return "", f"its patient stands in {judged} and in the training data: mend that first"
    if judged:
        return PROPOSED, f"its patient stands in {judged}"
    if trained:
        return TRAINED, ""
    missed = [case for case in group if case.missed]
    if any(case.unusable or _unknown(case) for case in missed):
        return "", f"case {missed[0].case_id} of its patient was missed, and has to be usable first"
    return (SET if missed else TRAINED), ""


def _together(cases: Iterable[Settled]) -> list[list[Settled]]:
    """Cases that share a patient or a picture, however many steps apart."""
    groups: list[tuple[set[tuple[str, str | None]], list[Settled]]] = []
    for case in cases:
        picture = ("pixels", case.pixels_sha256), ("bytes", case.bytes_sha256)
        keys = {key for key in (("patient", case.patient_id), *picture) if key[1] is not None}
        joined = [group for group in groups if group[0] & keys]
        groups = [group for group in groups if not group[0] & keys]
        members = [one for _, group in joined for one in group]
        groups.append((keys.union(*(known for known, _ in joined)), [*members, case]))
    return [members for _, members in groups]


def _once(group: Sequence[Settled], left_out: list[LeftOut]) -> list[Settled]:
    """The cases with each picture once; all of one are left out where their labels differ."""
    of_picture: dict[str, list[Settled]] = {}
    for case in group:
        of_picture.setdefault(case.pixels_sha256 or case.case_id, []).append(case)
    kept = []
    for first, *others in of_picture.values():
        other = next((case for case in others if case.label != first.label), None)
        why = f"the same picture as case {first.case_id}"
        if other is None:
            kept.append(first)
        else:
            because = f"case {other.case_id} is the same picture with another label"
            left_out.append(LeftOut(first.case_id, because))
            why += " with another label"
        left_out += [LeftOut(case.case_id, why) for case in others]
    return kept
