"""Equal pictures that stand more than once: how often, and what the cases say of them.

One picture under both labels teaches or judges nothing, and one that stands many times is counted
as so many cases that nobody has. A public set has a pair here and there, which is reported.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from components.baselines.case_set import LABELS
from components.records.case import CaseRecord, has_patient
from components.records.errors import SourceError
from components.records.text import spell

MOST_COPIES = 2  # of a picture in a case set
MOST_REPEATED = 0.05  # share of a case set that may be copies; of published ones .5 and 1 %
NAMED = 5


@dataclass
class Repeats:
    """What a pass over some cases found.

    Attributes:
      copies: by the id of the first case with a picture, how many more there are.
      other_labels, other_patients: pairs of cases of one picture that contradict each other, each
        with the first case of that picture.
    """

    cases: int = 0
    copies: Counter[str] = field(default_factory=Counter)
    other_labels: list[tuple[CaseRecord, CaseRecord]] = field(default_factory=list)
    other_patients: list[tuple[CaseRecord, CaseRecord]] = field(default_factory=list)

    def clauses(self) -> list[str]:
        """The contradictions, a clause for each kind with the names of the first pairs."""
        labels = [
            _pair(one, LABELS[one.label], other, LABELS[other.label])
            for one, other in self.other_labels
        ]
        patients = [
            _pair(one, spell(one.patient_id), other, spell(other.patient_id))
            for one, other in self.other_patients
        ]
        return [
            *([_listed("under both labels", labels)] if labels else []),
            *([_listed("of two patients", patients)] if patients else []),
        ]


def find_repeats(records: Iterable[CaseRecord], *, beside: Iterable[CaseRecord] = ()) -> Repeats:
    """Pictures that stand more than once among these cases, each of which is read once.

    Args:
      beside: cases that these are held against, too, but not among each other.
    """
    first: dict[bytes, CaseRecord] = {}
    for known in beside:
        first.setdefault(bytes.fromhex(known.pixels_sha256), known)
    found = Repeats()
    for record in records:
        found.cases += 1
        before = first.setdefault(bytes.fromhex(record.pixels_sha256), record)
        if before is record:
            continue
        found.copies[before.case_id] += 1
        if before.label != record.label:
            found.other_labels.append((before, record))
        named = has_patient(before) and has_patient(record)
        if named and before.patient_id != record.patient_id:
            found.other_patients.append((before, record))
    return found


def refuse_repeats(records: Iterable[CaseRecord], *, where: str) -> None:
    """Refuses to lock cases that contradict each other, or many of which are copies.

    Raises:
      SourceError: naming the first of them.
    """
    found = find_repeats(records)
    faults = found.clauses()[: bool(found.other_labels)]
    often = [(name, more + 1) for name, more in found.copies.most_common() if more >= MOST_COPIES]
    if often:
        named = [f"{spell(name)} {times} times" for name, times in often]
        faults.append(_listed(f"more than {MOST_COPIES} times", named))
    copies = found.copies.total()
    if copies > MOST_REPEATED * found.cases:
        faults.append(f"{copies} of {found.cases} cases repeat the picture of another")
    if faults:
        raise SourceError(
            f"{where}: {'; '.join(faults)}; a case set judges by each picture once: remove them "
            "from the test split"
        )


def _pair(one: CaseRecord, of_one: str, other: CaseRecord, of_other: str) -> str:
    return f"{spell(one.case_id)} ({of_one}) and {spell(other.case_id)} ({of_other})"


def _listed(what: str, named: list[str]) -> str:
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    count = "1 picture" if len(named) == 1 else f"{len(named)} pictures"
    return f"{count} {what}: {', '.join(named[:NAMED])}{more}"
