"""What a commit changes against its base, as paths; and which commit that base is.

What cannot be found out is never taken for no change: then everything counts as changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.records.errors import UsageError
from components.records.git import distrust
from pipeline.ci.git import Checkout, find_checkout, is_revision
from pipeline.ci.provider import CiJob, WantedBase


@dataclass(frozen=True)
class Change:
    """A path relative to the checkout, and git's letter: A added, M modified, D deleted, T type."""

    path: str
    status: str


@dataclass(frozen=True)
class Changes:
    """Attributes:
    checkout: None outside of one.
    base, head: commits; None where not known.
    found: None where nobody knows, so that everything counts as changed.
    summary: how they were found, or why not, in one line.
    clean: whether the work tree is what `head` says.
    """

    checkout: Checkout | None
    base: str | None
    head: str | None
    found: tuple[Change, ...] | None
    summary: str
    clean: bool = False


class _Unknown(Exception):
    """Why nobody knows what changed."""


def find_changes(
    folder: Path, job: CiJob, *, base: str | None, head: str | None, ours: Iterable[Path]
) -> Changes:
    """The changed paths of the checkout around `folder`, those not committed yet among them.

    Args:
      base, head: as a person named them; None takes what the job says, and what is checked out.
      ours: folders that this command writes to, which are no change.

    Raises:
      UsageError: a revision that was named is not here, or `head` is not what is checked out.
    """
    checkout, here, edited = find_checkout(folder), None, None
    try:
        if checkout is None:
            if base or head:
                why = distrust(folder) or "no git checkout"
                raise UsageError(f"{folder}: no --base or --head can be found: {why}")
            raise _Unknown(distrust(folder) or "no git checkout")
        here = checkout.commit("HEAD")
        if here is None:
            raise _Unknown("no commit yet")
        if head is not None:
            _refuse_another(checkout, head, here)
        edited = _uncommitted(checkout, ours, untracked=job.provider is None)
        commit, name = _find_base(checkout, here, base, job)
        committed = _between(checkout, commit, here)
    except _Unknown as why:
        summary = f"{why}: everything counts as changed"
        return Changes(checkout, None, here, None, summary, clean=edited == [])
    paths = {change.path: change for change in (*committed, *edited)}
    merged = tuple(paths[path] for path in sorted(paths))
    count = f"{len(merged)} path{'' if len(merged) == 1 else 's'} changed"
    more = f", {len(edited)} of them not committed" if edited else ""
    summary = f"{count if merged else 'nothing changed'} against {name}{more}"
    return Changes(checkout, commit, here, merged, summary, clean=not edited)


def _find_base(checkout: Checkout, head: str, given: str | None, job: CiJob) -> tuple[str, str]:
    """The commit to compare with, and its name for a person."""
    if given is not None:
        commit = checkout.commit(given)
        if commit is None and is_revision(given):
            commit = checkout.fetch(given) or checkout.fetch(f"refs/heads/{given}")
        if commit is None:
            raise UsageError(f"--base {given}: no such commit here or at origin; fetch it first")
        return _forked(checkout, commit, head, f"--base {given}")
    if job.base is not None:
        commit = _look_up(checkout, job.base)
        if commit is None:
            raise _Unknown(f"{job.base.label}: cannot be had")
        return _forked(checkout, commit, head, job.base.label)
    return _before(checkout, head)


def _look_up(checkout: Checkout, wanted: WantedBase) -> str | None:
    """The commit, from here or else from the remote, which is asked once."""
    for name in wanted.names:
        if commit := checkout.commit(name):
            return commit
    return checkout.fetch(wanted.fetch) if wanted.fetch else None


def _forked(checkout: Checkout, commit: str, head: str, name: str) -> tuple[str, str]:
    """Where the branches parted; the base itself where a shallow clone does not know that.

    Against the base itself, what changed there meanwhile counts as changed, too.
    """
    fork = checkout.merge_base(commit, head)
    if fork is None:
        return commit, f"{name} (as it is now: where the branches parted is not known here)"
    return fork, name if fork == commit else f"{name}, from which this parted at {fork[:12]}"


def _before(checkout: Checkout, head: str) -> tuple[str, str]:
    """Without a word from anybody: the default branch; on that branch, the commit before."""
    main = checkout.commit("refs/remotes/origin/HEAD")
    fork = checkout.merge_base(main, head) if main else None
    if fork and fork != head:
        return fork, f"origin's default branch, {fork[:12]}"
    parent = checkout.parent(head)
    if parent is None:
        raise _Unknown("the first commit")
    if checkout.commit(parent) is None and checkout.fetch(parent) is None:
        raise _Unknown(f"the commit before, {parent[:12]}: cannot be had")
    return parent, f"the commit before, {parent[:12]}"


def _refuse_another(checkout: Checkout, head: str, here: str) -> None:
    """Raises UsageError where another tree than `head`'s would be judged."""
    commit = checkout.commit(head)
    if commit is None:
        raise UsageError(f"--head {head}: no such commit here; fetch it first")
    if checkout.tree(commit) != checkout.tree(here):
        raise UsageError(
            f"--head {head}: got {commit[:12]}, but {here[:12]} is checked out, and that is what "
            "is judged; check it out first"
        )


def _between(checkout: Checkout, base: str, head: str) -> list[Change]:
    """A rename counts as both of its paths."""
    options = ("--name-status", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none")
    listed = checkout.ask("diff", *options, base, head, "--")
    if listed is None:
        raise _Unknown(f"git cannot compare with {base[:12]}")
    words = listed.split("\0")[:-1]
    return [Change(path, status) for status, path in zip(words[::2], words[1::2], strict=True)]


def _uncommitted(checkout: Checkout, ours: Iterable[Path], *, untracked: bool) -> list[Change]:
    """What differs from the commit.

    Args:
      untracked: whether a new file is a change. Not in CI, whose own steps leave files behind.
    """
    files = "all" if untracked else "no"
    listed = checkout.ask("status", "--porcelain=v1", "-z", "--no-renames", f"-u{files}")
    if listed is None:
        raise _Unknown("git cannot say what is not committed")
    root, found = checkout.root.resolve(), []
    skipped = [root / folder.resolve() for folder in ours]
    for entry in listed.split("\0")[:-1]:
        status, path = entry[:2], entry[3:]
        if not any((root / path).is_relative_to(folder) for folder in skipped):
            found.append(Change(path, "A" if status == "??" else status.strip()[:1]))
    return found
