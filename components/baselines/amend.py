"""The next version of a case set, what may be changed in it, and what changed between two.

A version is never edited. An amendment says what it adds, retires, relabels and marks, and makes
the version after it, whose parent is the root of the one before.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from components.baselines.case_set import LABELS, CaseSet, LockedCase, cases_root, nearest
from components.records.case import CaseRecord
from components.records.errors import ConfigError
from components.records.text import spell


@dataclass(frozen=True)
class CaseChanges:
    """What an amendment asks for, by case id; `relabel` with the label, 1 positive, 0 negative."""

    add: tuple[CaseRecord, ...] = ()
    retire: tuple[str, ...] = ()
    relabel: tuple[tuple[str, int], ...] = ()
    sentinel: tuple[str, ...] = ()
    unsentinel: tuple[str, ...] = ()


def amend_case_set(
    case_set: CaseSet,
    changes: CaseChanges,
    *,
    author: str,
    reason: str,
    date: str,
) -> CaseSet:
    """The next version of `case_set`.

    Args:
      date: ISO 8601.

    Raises:
      ConfigError: nothing would change; an id is unknown, is named twice or is asked for two
        things at once; a change is none; no positive or no negative would be left.
    """
    where = f"case set {case_set.name} version {case_set.version}"
    cases = {case.case_id: case for case in case_set.cases}
    _refuse_contradictions(changes, where)
    _refuse_unknown(changes, cases, where)
    _refuse_no_change(changes, cases, where)
    _apply(changes, cases)
    left = {case.label for case in cases.values()}
    for label in sorted({case.label for case in case_set.cases} - left):
        raise ConfigError(
            f"{where}: no {LABELS[label]} case would be left; a gate needs both: add one first"
        )
    new = tuple(cases.values())
    relabelled = {*case_set.relabelled, *(case_id for case_id, _ in changes.relabel)}
    return replace(
        case_set,
        version=case_set.version + 1,
        parent=case_set.merkle_root,
        author=author,
        reason=reason,
        date=date,
        cases=new,
        merkle_root=cases_root(new),
        retired=tuple(sorted({*case_set.retired, *changes.retire} - cases.keys())),
        relabelled=tuple(sorted(relabelled & cases.keys())),
    )


def _apply(changes: CaseChanges, cases: dict[str, LockedCase]) -> None:
    for case_id in changes.retire:
        del cases[case_id]
    for case_id, label in changes.relabel:
        cases[case_id] = replace(cases[case_id], label=label)
    cases |= {case.case_id: LockedCase.of(case) for case in changes.add}
    for marked, ids in ((True, changes.sentinel), (False, changes.unsentinel)):
        for case_id in ids:
            cases[case_id] = replace(cases[case_id], sentinel=marked)


def _named(changes: CaseChanges) -> dict[str, Sequence[str]]:
    """The ids that stand behind each option of the command."""
    return {
        "--add": [case.case_id for case in changes.add],
        "--retire": changes.retire,
        "--relabel": [case_id for case_id, _ in changes.relabel],
        "--sentinel": changes.sentinel,
        "--unsentinel": changes.unsentinel,
    }


# Every other pair of options contradicts itself, or says twice what is in the source.
_TOGETHER = ({"--relabel", "--sentinel"}, {"--relabel", "--unsentinel"}, {"--add", "--sentinel"})


def _refuse_contradictions(changes: CaseChanges, where: str) -> None:
    options: dict[str, list[str]] = {}
    for option, ids in _named(changes).items():
        for case_id, times in Counter(ids).items():
            if times > 1:
                raise ConfigError(f"{where}: {option} names case '{spell(case_id)}' {times} times")
            options.setdefault(case_id, []).append(option)
    if not options:
        raise ConfigError(
            f"{where}: nothing to change; wanted --add, --retire, --relabel, --sentinel or "
            "--unsentinel"
        )
    for case_id, asked in options.items():
        if len(asked) > 1 and set(asked) not in _TOGETHER:
            raise ConfigError(
                f"{where}: case '{spell(case_id)}' is named by {' and '.join(asked)}; choose one"
            )


def _refuse_unknown(changes: CaseChanges, cases: dict[str, LockedCase], where: str) -> None:
    added = {case.case_id for case in changes.add}
    for option, ids in _named(changes).items():
        for case_id in ids:
            if option == "--add":
                if case_id in cases:
                    raise ConfigError(f"{where}: --add: case '{spell(case_id)}' is in it already")
            elif case_id not in cases and case_id not in added:
                raise ConfigError(
                    f"{where}: {option}: no case '{spell(case_id)}' among its {len(cases)}"
                    f"{nearest(case_id, cases)}"
                )


def _refuse_no_change(changes: CaseChanges, cases: dict[str, LockedCase], where: str) -> None:
    marked = {case_id for case_id, case in cases.items() if case.sentinel}
    none = [
        *(
            f"--relabel: case '{spell(i)}' is {LABELS[label]} already"
            for i, label in changes.relabel
            if cases[i].label == label
        ),
        *(
            f"--sentinel: case '{spell(i)}' is a sentinel already"
            for i in changes.sentinel
            if i in marked
        ),
        *(
            f"--unsentinel: case '{spell(i)}' is no sentinel"
            for i in changes.unsentinel
            if i not in marked
        ),
    ]
    if none:
        raise ConfigError(f"{where}: {'; '.join(none[:3])}; leave that out")


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

    def changed(shown: Callable[[LockedCase], str]) -> dict[str, Change]:
        return {b.case_id: (shown(a), shown(b)) for a, b in both if shown(a) != shown(b)}

    pictures = changed(lambda case: case.pixels_sha256)
    sentinels = {name for name, case in old.items() if case.sentinel}
    return Diff(
        added=tuple(name for name in new if name not in old),
        retired=tuple(name for name in old if name not in new),
        relabelled=changed(lambda case: LABELS[case.label]),
        attributes={b.case_id: _attributes(a, b) for a, b in both if a.attributes != b.attributes},
        patients=changed(lambda case: case.patient_id),
        pictures=tuple(pictures),
        recoded=tuple(
            name
            for name in changed(lambda case: case.bytes_sha256 + case.perceptual_hash)
            if name not in pictures
        ),
        sentinels_added=tuple(
            name for name, case in new.items() if case.sentinel and name not in sentinels
        ),
        sentinels_removed=tuple(b.case_id for a, b in both if a.sentinel and not b.sentinel),
    )


def _attributes(a: LockedCase, b: LockedCase) -> dict[str, Change]:
    names = sorted({*a.attributes, *b.attributes})
    changes = {name: (a.attributes.get(name), b.attributes.get(name)) for name in names}
    return {name: change for name, change in changes.items() if change[0] != change[1]}
