"""A changed baseline held against the one before it: governed files only ever move one way.

A case set is amended into a next version, golden moves by an approval that keeps the one before,
and nothing in `history/` is ever written over. That holds whatever else a commit changes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import Golden, load_golden
from components.baselines.history import HISTORY, archived, parent_of
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.baselines.scores import aligned
from components.gate.policy import Policy, load_policy
from components.gate.preflight import refuse_hopeless
from components.records.errors import IntegrityError
from pipeline.ci.changes import Change, Changes
from pipeline.ci.plan import shown


@dataclass(frozen=True, eq=False)
class Baseline:
    """What judges: a folder of governed files, read and found sound."""

    folder: Path
    case_set: CaseSet
    policy: Policy
    golden: Golden | None

    @property
    def name(self) -> str:
        return self.folder.name


def touched_folders(changes: Changes, judging: Iterable[Change]) -> tuple[Path, ...]:
    """The baselines whose files changed: folders that hold a case set now, or did at the base."""
    assert changes.checkout is not None
    found: dict[Path, None] = {}
    for change in judging:
        for parent in Path(change.path).parents:
            folder, had = changes.checkout.root / parent, parent / CASE_SET
            if (folder / CASE_SET).is_file() or _at_base(changes, had) is not None:
                found[folder] = None
                break
    return tuple(found)


def verify_baseline(folder: Path, changes: Changes | None = None) -> Baseline:
    """The baseline in `folder`, whose files are whole, fit together and came from those before.

    Args:
      changes: against which base; None where there is none to compare with.

    Raises:
      IntegrityError: a governed file is gone, was edited, or was written over.
      PolicyError: the policy is none, or asks for what no model can prove.
    """
    if changes is not None:
        _refuse_lost(folder, changes)
    place = folder / CASE_SET
    case_set, policy = load_case_set(place), load_policy(folder / POLICY)
    parent_of(place, case_set)
    refuse_hopeless(policy, case_set)
    golden = None
    if (folder / GOLDEN).exists():
        golden = load_golden(folder / GOLDEN)
        aligned(golden.scores, case_set, who=str(folder / GOLDEN))
    if changes is not None:
        _refuse_replaced(folder, case_set, changes)
    return Baseline(folder, case_set, policy, golden)


def base_files(folder: Path, changes: Changes, into: Path) -> Path | None:
    """Writes the files that judge, as the base has them; None where it has no such baseline."""
    into.mkdir(parents=True, exist_ok=True)
    for name in (CASE_SET, POLICY, GOLDEN):
        content = _before(folder, name, changes)
        if content is not None:
            (into / name).write_bytes(content)
    whole = (into / CASE_SET).exists() and (into / POLICY).exists()
    return into if whole else None


def _refuse_lost(folder: Path, changes: Changes) -> None:
    for name in (CASE_SET, POLICY, GOLDEN):
        if not (folder / name).is_file() and _before(folder, name, changes) is not None:
            raise IntegrityError(
                f"{folder / name}: is gone; what judges is never removed: restore it from git"
            )
    for change in _in_history(folder, changes):
        if change.status != "A":
            raise IntegrityError(
                f"{shown(change.path)}: was altered or removed ({change.status}); what is in "
                f"{HISTORY}/ stays as it was: restore it from git"
            )


def _refuse_replaced(folder: Path, case_set: CaseSet, changes: Changes) -> None:
    """Raises IntegrityError where a case set or golden took another's place and kept no copy."""
    place = folder / CASE_SET
    kept = [archived(place, number) for number in range(1, case_set.version)]
    if _replaced(place, changes, kept):
        raise IntegrityError(
            f"{place}: is another case set than before, of which {HISTORY}/ keeps no copy; change "
            "it by `casegate cases amend` only"
        )
    golden = folder / GOLDEN
    if _replaced(golden, changes, (folder / HISTORY).glob("golden-*.json")):
        raise IntegrityError(
            f"{golden}: is another golden than before, of which {HISTORY}/ keeps no copy; it "
            "moves by `casegate baseline approve` only"
        )


def _replaced(file: Path, changes: Changes, kept: Iterable[Path]) -> bool:
    """Whether other content stood here at the base that none of `kept` holds."""
    before = _before(file.parent, file.name, changes)
    if before is None or before == file.read_bytes():
        return False
    return all(one.read_bytes() != before for one in kept if one.is_file())


def _in_history(folder: Path, changes: Changes) -> Iterator[Change]:
    history = _relative(folder, changes)
    for change in changes.found or ():
        if history is not None and Path(change.path).is_relative_to(history / HISTORY):
            yield change


def _before(folder: Path, name: str, changes: Changes) -> bytes | None:
    """A file as the base has it; None where it has none, or there is no base."""
    relative = _relative(folder, changes)
    return None if relative is None else _at_base(changes, relative / name)


def _at_base(changes: Changes, path: Path) -> bytes | None:
    if changes.checkout is None or changes.base is None:
        return None
    return changes.checkout.show(changes.base, path.as_posix())


def _relative(folder: Path, changes: Changes) -> Path | None:
    """Where the folder is in the checkout; None outside of it."""
    if changes.checkout is None:
        return None
    root, folder = changes.checkout.root.resolve(), folder.resolve()
    return folder.relative_to(root) if folder.is_relative_to(root) else None
