"""What rules are held against: what is staged, or each commit of a range, with what was before.

Never what lies in the work tree: a hook that read it would judge another text than the one that is
committed.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from components.records.errors import CasegateError, ConfigError
from pipeline.ci.git import Blob, Checkout
from pipeline.governance.governed_change import GovernedChange

_OPTIONS = ("--no-commit-id", "--root", "-r", "-c", "--name-only", "--no-renames", "-z")
_SCISSORS = " >8 "


@dataclass(frozen=True)
class Revision:
    """Attributes:
    name: the commit's id; None for what is staged.
    folder: where the baselines are, relative to the checkout.
    changed: every path that differs, below `folder` or not.
    before, after: the files below `folder`, by path.
    message: None where there is none yet.
    """

    checkout: Checkout
    name: str | None
    folder: str
    changed: tuple[str, ...]
    before: Mapping[str, Blob]
    after: Mapping[str, Blob]
    message: str | None = None

    @property
    def here(self) -> tuple[str, ...]:
        """The changed paths below `folder`."""
        return tuple(path for path in self.changed if path.startswith(f"{self.folder}/"))

    @cached_property
    def baselines(self) -> tuple[GovernedChange, ...]:
        """The baselines that changed."""
        depth = self.folder.count("/") + 2
        named = {"/".join(path.split("/")[:depth]) for path in self.here}
        return tuple(map(self._change, sorted(named - self.after.keys() - self.before.keys())))

    def _change(self, baseline: str) -> GovernedChange:
        start = f"{baseline}/"
        changed = (path.removeprefix(start) for path in self.here if path.startswith(start))
        before, after = (self.checkout.readers(x, baseline) for x in (self.before, self.after))
        return GovernedChange(baseline, before, after, frozenset(changed))


Rule = Callable[[Revision], Iterator[CasegateError]]


def check_revisions(
    rules: Sequence[Rule],
    folder: Path,
    *,
    baselines: str,
    old: str | None = None,
    new: str | None = None,
    message: Path | None = None,
) -> Iterator[tuple[Revision, CasegateError]]:
    """What does not hold, commit by commit.

    Args:
      baselines: the folder with the baselines, relative to the checkout.
      old, new: the commits that `new` has and `old` has not; None for both takes what is staged.

    Raises:
      ConfigError: git is not there, or has not what was asked for.
    """
    root = Checkout(folder).demand("rev-parse", "--show-toplevel")
    checkout = Checkout(Path(os.fsdecode(root).strip()))
    for revision in _revisions(checkout, _relative(baselines), old, new):
        if message is not None:
            revision = replace(revision, message=_read_message(checkout, message))
        for rule in rules:
            yield from ((revision, fault) for fault in rule(revision))


def _revisions(
    checkout: Checkout, folder: str, old: str | None, new: str | None
) -> Iterable[Revision]:
    if old is not None and new is not None:
        return _between(checkout, folder, old, new)
    if old is not None or new is not None:
        raise ConfigError("--from-ref and --to-ref: give both, or neither for what is staged")
    return [_staged(checkout, folder)]


def _relative(baselines: str) -> str:
    parts = Path(baselines).parts
    if not parts or ".." in parts or Path(baselines).is_absolute():
        raise ConfigError(f"--baselines {baselines}: wanted a folder inside the checkout")
    return "/".join(parts)


def _read_message(checkout: Checkout, path: Path) -> str:
    """The message as git will keep it: without comments, and without the difference below it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    lines = text.splitlines()
    cut = next((n for n, line in enumerate(lines) if _SCISSORS in line), len(lines))
    return checkout.strip_comments("\n".join(lines[:cut]))


def _staged(checkout: Checkout, folder: str) -> Revision:
    """The index, against the last commit; while merging, what is in none of the merged."""
    head = checkout.commit("HEAD")
    after = checkout.staged(folder)
    if head is None:
        return Revision(checkout, None, folder, checkout.names("ls-files", "-z"), {}, after)
    listing = ("diff-index", "--cached", "--name-only", "--no-renames", "-z")
    changed = checkout.names(*listing, head)
    for other in checkout.ids("MERGE_HEAD"):
        differing = set(checkout.names(*listing, other))
        changed = tuple(path for path in changed if path in differing)
    return Revision(checkout, None, folder, changed, checkout.committed(head, folder), after)


def _between(checkout: Checkout, folder: str, old: str, new: str) -> Iterator[Revision]:
    """Each commit that `new` has and `old` has not, oldest first.

    Args:
      old: a commit, or zeros, as git says of a branch that is new: then all commits are taken.

    Raises:
      ConfigError: one of them is not here, or history was cut off in between.
    """
    last = _commit(checkout, new)
    since = [] if set(old) == {"0"} else [f"^{_commit(checkout, old)}"]
    listed = checkout.demand("rev-list", "--reverse", "--topo-order", "--parents", last, *since)
    cut = set(checkout.ids("shallow"))  # commits whose parents a shallow clone left out
    for line in listed.decode().splitlines():
        commit, *parents = line.split()
        if commit in cut:
            raise ConfigError(
                f"commit {commit[:12]}: what came before it is not in this shallow clone; fetch "
                "more of the history and run again"
            )
        # Of a merge only what is in none of its parents: the rest was seen in its own commit.
        changed = checkout.names("diff-tree", *_OPTIONS, commit)
        if any(path.startswith(f"{folder}/") for path in changed):
            before = checkout.committed(parents[0], folder) if parents else {}
            after = checkout.committed(commit, folder)
            message = os.fsdecode(checkout.demand("log", "-1", "--format=%B", commit)).strip()
            yield Revision(checkout, commit, folder, changed, before, after, message)


def _commit(checkout: Checkout, name: str) -> str:
    commit = checkout.commit(name)
    if commit is None:
        raise ConfigError(
            f"{name!r}: no commit in {checkout.root}; fetch more of the history and run again"
        )
    return commit
