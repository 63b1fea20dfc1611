"""What a change of a baseline has to keep to: one set of rules, for git's hooks and `casegate ci`.

Governed are the policy, the case set, golden, and all that history/ keeps of them. None is ever
removed, not even with its whole baseline. A case set is amended into its next version, golden moves
by a named approval, both keep what they take the place of, and history is only added to.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import Golden, load_golden
from components.baselines.history import HISTORY, archived
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.baselines.scores import aligned
from components.gate.policy import Policy, load_policy
from components.gate.preflight import refuse_hopeless
from components.records.errors import CasegateError, IntegrityError, PolicyError

# A baseline's files at one moment: by name in its folder, how to read them.
BaselineFiles = Mapping[str, Callable[[], bytes]]
Loaded = TypeVar("Loaded")


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


@dataclass(frozen=True, eq=False)
class GovernedFiles:
    """The three files that judge; None for one that is not there or is not sound.

    Attributes:
      faults: why a file is not sound, by its name.
    """

    policy: Policy | None
    case_set: CaseSet | None
    golden: Golden | None
    faults: Mapping[str, CasegateError] = field(default_factory=dict)

    def baseline(self, folder: Path) -> Baseline:
        """Them as a baseline.

        Raises:
          IntegrityError: a file is missing or was edited, or golden is not of the case set.
          PolicyError: the policy is none, or asks for what no model can prove.
        """
        for fault in self.faults.values():
            raise fault
        if self.policy is None:
            raise PolicyError(f"{folder / POLICY}: cannot be read: no such file")
        if self.case_set is None:
            raise IntegrityError(f"{folder / CASE_SET}: cannot be read: no such file")
        refuse_hopeless(self.policy, self.case_set, path=folder / POLICY)
        if self.golden is not None:
            aligned(self.golden.scores, self.case_set, who=str(folder / GOLDEN))
        return Baseline(folder, self.case_set, self.policy, self.golden)


@dataclass(frozen=True, eq=False)
class GovernedChange:
    """A baseline before and after a change.

    Attributes:
      folder: of the baseline, as a person knows it.
    """

    folder: str
    before: BaselineFiles
    after: BaselineFiles
    changed: frozenset[str]

    @cached_property
    def old(self) -> GovernedFiles:
        return read_governed(self.before, self.folder)

    @cached_property
    def new(self) -> GovernedFiles:
        return read_governed(self.after, self.folder)

    def touches(self, *names: str) -> bool:
        """Whether one of these files differs."""
        return not self.changed.isdisjoint(names)

    def keeps(self, name: str) -> bool:
        """Whether history/ holds what the file was before."""
        content = self.before[name]()
        kept = sorted((one for one in self.after if one.startswith(f"{HISTORY}/")), reverse=True)
        return any(self.after[one]() == content for one in kept)

    def broken(self, name: str, words: str) -> IntegrityError:
        return IntegrityError(f"{self.folder}/{name}: {words}")


def files_in(folder: Path) -> BaselineFiles:
    """A baseline's files as they lie there now."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes for path in files}


def read_governed(files: BaselineFiles, folder: str) -> GovernedFiles:
    """Reads the governed files, each against its schema and its own hashes."""
    faults: dict[str, CasegateError] = {}

    def load(name: str, loader: Callable[[Path], Loaded]) -> Loaded | None:
        try:
            return _loaded(files, folder, name, loader)
        except CasegateError as error:
            faults[name] = error
            return None

    policy, case_set = load(POLICY, load_policy), load(CASE_SET, load_case_set)
    return GovernedFiles(policy, case_set, load(GOLDEN, load_golden), faults)


def broken_rules(change: GovernedChange) -> Iterator[CasegateError]:
    for rule in (history_faults, policy_faults, case_set_faults, golden_faults):
        yield from rule(change)


def history_faults(change: GovernedChange) -> Iterator[CasegateError]:
    """History is added to and never changed."""
    for name in sorted(change.changed):
        if name.startswith(f"{HISTORY}/") and name in change.before:
            yield change.broken(name, "is history, which is added to and never changed: restore it")


def policy_faults(change: GovernedChange) -> Iterator[CasegateError]:
    """A policy keeps its schema, and each of its checks can be passed on its case set."""
    if not change.touches(POLICY, CASE_SET):
        return
    new, path = change.new, f"{change.folder}/{POLICY}"
    if POLICY in new.faults:
        yield new.faults[POLICY]
    elif POLICY in change.before and POLICY not in change.after:
        yield change.broken(POLICY, "is gone; what judges is never removed: restore it")
    elif new.policy is None and new.case_set is not None:
        yield PolicyError(f"{path}: is not there, though its case set is; add the policy")
    elif new.policy is not None and new.case_set is not None:
        try:
            refuse_hopeless(new.policy, new.case_set)
        except CasegateError as error:
            yield type(error)(f"{path}: {error}")


def case_set_faults(change: GovernedChange) -> Iterator[CasegateError]:
    """A case set is what its hashes say, and each version amends the one before it."""
    if not change.touches(CASE_SET):
        return
    if CASE_SET in change.new.faults:
        yield change.new.faults[CASE_SET]
    elif change.new.case_set is None:
        yield change.broken(CASE_SET, "is gone; what judges is never removed: restore it")
    else:
        for words in _succession(change, change.old.case_set, change.new.case_set):
            yield change.broken(CASE_SET, words)
        if CASE_SET in change.before and not change.keeps(CASE_SET):
            words = "takes the place of a version that is not kept in history/"
            yield change.broken(CASE_SET, f"{words}; amend it with `casegate cases amend`")


def golden_faults(change: GovernedChange) -> Iterator[CasegateError]:
    """Golden is what its hashes say, was scored on the case set, and moves by a named approval."""
    if not change.touches(GOLDEN, CASE_SET):
        return
    golden, cases = change.new.golden, change.new.case_set
    if GOLDEN in change.new.faults:
        yield change.new.faults[GOLDEN]
    elif golden is None:
        if GOLDEN in change.before:
            yield change.broken(GOLDEN, "is gone; golden moves by approval alone: restore it")
    else:
        if cases is not None and golden.scores.scored_case_set != cases.merkle_root:
            yield change.broken(
                GOLDEN,
                f"was scored on case set {golden.scores.scored_case_set[:12]}..., the one beside "
                f"it is {cases.merkle_root[:12]}...; `casegate cases amend` carries golden over",
            )
        if GOLDEN in change.before and change.touches(GOLDEN):
            yield from _golden_moved(change, golden)


def _golden_moved(change: GovernedChange, golden: Golden) -> Iterator[CasegateError]:
    if not change.keeps(GOLDEN):
        yield change.broken(
            GOLDEN,
            "takes the place of a golden that is not kept in history/; golden moves by `casegate "
            "baseline approve`, which keeps it",
        )
    if change.old.golden is not None and change.old.golden.approval == golden.approval:
        words = "moved without a new approval; propose it, and have it approved by name"
        yield change.broken(GOLDEN, words)


def _succession(change: GovernedChange, old: CaseSet | None, new: CaseSet) -> Iterator[str]:
    """What is wrong with how `new` came from `old`, by one amendment or by several."""
    if old is None:
        if (new.version == 1) != (new.parent is None):
            yield f"is version {new.version}, and names a parent: {new.parent or 'none'}"
        return
    versions = [new]
    for number in range(new.version - 1, old.version, -1):
        name = archived(Path(CASE_SET), number).as_posix()
        kept = _loaded(change.after, change.folder, name, load_case_set)
        if kept is None:
            break
        versions.append(kept)
    for later, earlier in pairwise([*versions, old]):
        yield from _not_amended(earlier, later)


def _not_amended(old: CaseSet, new: CaseSet) -> Iterator[str]:
    if new.name != old.name:
        yield f"is {new.name}, took the place of {old.name}; give it a folder of its own"
    if new.version != old.version + 1:
        yield f"is version {new.version}, wanted version {old.version + 1}: it amends {old.version}"
    if new.parent != old.merkle_root:
        got = f"{new.parent[:12]}..." if new.parent else "none"
        yield f"names the parent {got}, wanted {old.merkle_root[:12]}..., which it amends"


def _loaded(
    files: BaselineFiles, folder: str, name: str, load: Callable[[Path], Loaded]
) -> Loaded | None:
    """A file's content, with its own path in an error; None where there is no such file."""
    if name not in files:
        return None
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / Path(name).name
        path.write_bytes(files[name]())
        try:
            return load(path)
        except CasegateError as error:
            words = str(error).replace(str(path), f"{folder}/{name}")
            raise type(error)(" ".join(words.split())) from None
