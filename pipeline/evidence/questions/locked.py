"""Every version of every case set that a workspace's runs may have been judged on."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import load_golden
from components.baselines.history import archived
from components.baselines.names import CASE_SET, GOLDEN
from components.records.errors import IntegrityError
from pipeline.evidence.subject import Evidence
from pipeline.governance.decided import baseline_named_by
from pipeline.settings.baselines import SHIPPED_BASELINES


@dataclass(frozen=True)
class LockedSet:
    """A version in a baseline's folder; `current`: the next run is judged on it."""

    folder: Path
    case_set: CaseSet
    current: bool

    @property
    def name(self) -> str:
        """As `casegate cases show` takes it."""
        return f"{self.case_set.name}@{self.case_set.version}"

    @property
    def golden_sha256(self) -> str | None:
        """The model whose scores on this very version are golden; None where there is none."""
        path = self.folder / GOLDEN
        there = self.current and path.exists()
        return load_golden(path).scores.model_sha256 if there else None


@lru_cache(maxsize=1)
def locked_sets(evidence: Evidence) -> tuple[LockedSet, ...]:
    """The shipped ones, the workspace's own and those that its runs name, each root once.

    Raises:
      IntegrityError: one was edited.
    """
    found: dict[tuple[str, str], LockedSet] = {}
    for folder in _folders(evidence):
        current = load_case_set(folder / CASE_SET)
        for number in range(current.version, 0, -1):
            path, is_current = archived(folder / CASE_SET, number), number == current.version
            if is_current or path.exists():
                version = current if is_current else load_case_set(path)
                key = (version.name, version.merkle_root)
                found.setdefault(key, LockedSet(folder, version, is_current))
    return tuple(found.values())


def locked_with_root(evidence: Evidence, root: str) -> LockedSet | None:
    """The version with this Merkle root; None where it is kept nowhere any more."""
    found = (locked for locked in locked_sets(evidence) if locked.case_set.merkle_root == root)
    return next(found, None)


def _folders(evidence: Evidence) -> Iterator[Path]:
    """Baselines' folders, each once, those that runs name first: they are what was judged on."""
    named: list[Path] = []
    for run_id in sorted(evidence.run_ids(), reverse=True):
        with contextlib.suppress(IntegrityError):  # it stopped before it was judged
            named.append(baseline_named_by(evidence.workspace.run_folder(run_id)))
    for place in (evidence.workspace.baselines, SHIPPED_BASELINES):
        named += sorted(path.parent.resolve() for path in place.glob(f"*/{CASE_SET}"))
    return (folder for folder in dict.fromkeys(named) if (folder / CASE_SET).exists())
