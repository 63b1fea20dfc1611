"""A changed baseline held against the one at the base, and what may be judged by read from it."""

from collections.abc import Iterable
from pathlib import Path

from components.baselines.case_set import load_case_set
from components.baselines.golden import load_golden
from components.baselines.history import parent_of
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.gate.policy import load_policy
from components.records.errors import IntegrityError
from pipeline.ci.changes import Change, Changes
from pipeline.governance.governed_change import (
    Baseline,
    BaselineFiles,
    GovernedChange,
    GovernedFiles,
    broken_rules,
)


def touched_folders(changes: Changes, judging: Iterable[Change]) -> tuple[Path, ...]:
    """The baselines whose files changed: folders that hold a case set now, or did at the base."""
    assert changes.checkout is not None
    found: dict[Path, None] = {}
    for change in judging:
        for parent in Path(change.path).parents:
            folder = changes.checkout.root / parent
            if (folder / CASE_SET).is_file() or CASE_SET in _files_before(folder, changes):
                found[folder] = None
                break
    return tuple(found)


def baseline_change(folder: Path, changes: Changes) -> GovernedChange:
    """What became of the baseline in `folder`; without a base, nothing was there before."""
    before, relative = _files_before(folder, changes), _relative(folder, changes)
    after = {
        path.relative_to(folder).as_posix(): path.read_bytes
        for path in folder.rglob("*")
        if path.is_file()
    }
    changed = set()
    for path in (Path(change.path) for change in changes.found or ()):
        if relative is not None and path.is_relative_to(relative):
            name = path.relative_to(relative).as_posix()
            if not (name in before and name in after and before[name]() == after[name]()):
                changed.add(name)
    return GovernedChange(str(folder), before, after, frozenset(changed))


def verify_baseline(change: GovernedChange) -> Baseline:
    """A changed baseline that kept to every rule, and whose files are whole and fit together.

    Raises:
      IntegrityError: a governed file is gone, was edited, or was written over.
      PolicyError: the policy is none, or asks for what no model can prove.
    """
    for fault in broken_rules(change):
        raise fault
    if not change.after:
        raise IntegrityError(
            f"{change.folder}: is gone; what judges is never removed: restore it from git"
        )
    return _sound(change.new, Path(change.folder))


def load_baseline(folder: Path) -> Baseline:
    """The baseline in `folder`, whatever it was before; raises as `verify_baseline`."""
    golden = load_golden(folder / GOLDEN) if (folder / GOLDEN).exists() else None
    files = GovernedFiles(load_policy(folder / POLICY), load_case_set(folder / CASE_SET), golden)
    return _sound(files, folder)


def _sound(files: GovernedFiles, folder: Path) -> Baseline:
    baseline = files.baseline(folder)
    parent_of(folder / CASE_SET, baseline.case_set)
    return baseline


def _files_before(folder: Path, changes: Changes) -> BaselineFiles:
    """The files as the base has them; none where it has none, or there is no base."""
    relative = _relative(folder, changes)
    if relative is None or changes.checkout is None or changes.base is None:
        return {}
    name = relative.as_posix()
    return changes.checkout.readers(changes.checkout.committed(changes.base, name), name)


def _relative(folder: Path, changes: Changes) -> Path | None:
    """Where the folder is in the checkout; None outside of it."""
    if changes.checkout is None:
        return None
    root, folder = changes.checkout.root.resolve(), folder.resolve()
    return folder.relative_to(root) if folder.is_relative_to(root) else None
