"""What changed between two versions of a case set, case by case."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from components.baselines.case_set import LABELS, CaseSet, LockedCase

Change = tuple[str | None, str | None]  # before and after; None where it was or is absent


@dataclass(frozen=True)
class Diff:
    """Ids, in order, of what changed from one version to another.

    Attributes:
      relabelled: id to the words before and after, such as ("negative", "positive").
      attributes: id to each changed attribute's value before and after.
      patients: id to the patient before and after.
      pictures: the decoded pixels differ; recoded: only the bytes of the file do.
      sentinels_added, sentinels_removed: marks on cases of the later version.
    """

    added: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    relabelled: dict[str, Change] = field(default_factory=dict)
    attributes: dict[str, dict[str, Change]] = field(default_factory=dict)
    patients: dict[str, Change] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    recoded: tuple[str, ...] = ()
    sentinels_added: tuple[str, ...] = ()
    sentinels_removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, item.name) for item in fields(self))

    def as_json(self) -> dict[str, Any]:
        """What changed, for the ledger and for machines; what did not is left out."""
        return {name: value for name, value in asdict(self).items() if value}


def diff_case_sets(before: CaseSet, after: CaseSet) -> Diff:
    """What one has to do to `before` to get the cases of `after`."""
    old = {case.case_id: case for case in before.cases}
    new = {case.case_id: case for case in after.cases}
    both = [(old[name], new[name]) for name in new if name in old and old[name] != new[name]]
    return Diff(
        added=tuple(name for name in new if name not in old),
        retired=tuple(name for name in old if name not in new),
        relabelled={
            b.case_id: (LABELS[a.label], LABELS[b.label]) for a, b in both if a.label != b.label
        },
        attributes={b.case_id: _attributes(a, b) for a, b in both if a.attributes != b.attributes},
        patients={
            b.case_id: (a.patient_id, b.patient_id) for a, b in both if a.patient_id != b.patient_id
        },
        pictures=tuple(b.case_id for a, b in both if a.pixels_sha256 != b.pixels_sha256),
        recoded=tuple(
            b.case_id
            for a, b in both
            if a.pixels_sha256 == b.pixels_sha256 and a.bytes_sha256 != b.bytes_sha256
        ),
        sentinels_added=tuple(
            case.case_id
            for case in after.cases
            if case.sentinel and not (case.case_id in old and old[case.case_id].sentinel)
        ),
        sentinels_removed=tuple(b.case_id for a, b in both if a.sentinel and not b.sentinel),
    )


def _attributes(a: LockedCase, b: LockedCase) -> dict[str, Change]:
    names = sorted({*a.attributes, *b.attributes})
    changes = {name: (a.attributes.get(name), b.attributes.get(name)) for name in names}
    return {name: change for name, change in changes.items() if change[0] != change[1]}
