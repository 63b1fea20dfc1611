"""One change at a time: what is staged, or each commit of a range, with what was there before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.records.errors import CasegateError, ConfigError
from pipeline.ci.hooks.repository import Blob, Repository

_LISTING = (
    "diff-tree",
    "--no-commit-id",
    "--root",
    "-r",
    "-c",
    "--name-only",
    "--no-renames",
    "-z",
)


@dataclass(frozen=True)
class Finding:
    """What is wrong with a path, in words; `code` is the exit code that it asks for."""

    path: str
    words: str
    code: int

    @classmethod
    def of(cls, path: str, error: CasegateError) -> "Finding":
        words = " ".join(str(error).split())
        return cls(path, words.removeprefix(f"{path}: "), error.exit_code)


@dataclass(frozen=True)
class Revision:
    """Attributes:
    name: the commit's id; None for what is staged.
    folder: where the baselines are, relative to the checkout.
    changed: every path that differs, below `folder` or not.
    before, after: the files below `folder`, by path.
    message: None where there is none yet.
    """

    repository: Repository
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

    def baselines(self) -> list[str]:
        """Folders of the baselines that changed."""
        depth = self.folder.count("/") + 2
        named = {"/".join(path.split("/")[:depth]) for path in self.here}
        return sorted(named - self.after.keys() - self.before.keys())

    def read(self, blob: Blob) -> bytes:
        return self.repository.content(blob)

    def touches(self, baseline: str, *names: str) -> bool:
        """Whether one of a baseline's own files changed."""
        return any(f"{baseline}/{name}" in self.here for name in names)

    def removed(self, baseline: str) -> bool:
        """Whether nothing of a baseline is left."""
        return not any(path.startswith(f"{baseline}/") for path in self.after)

    def archived(self, baseline: str, path: str) -> bool:
        """Whether what stood at `path` before is kept in the baseline's history now."""
        kept = {b.oid for at, b in self.after.items() if at.startswith(f"{baseline}/history/")}
        return self.before[path].oid in kept


def staged(repository: Repository, folder: str) -> Revision:
    """The index, against the last commit; while merging, what is in none of the merged."""
    head = repository.head()
    after = repository.staged(folder)
    if head is None:
        return Revision(repository, None, folder, repository.names("ls-files", "-z"), {}, after)
    listing = ("diff-index", "--cached", "--name-only", "--no-renames", "-z")
    changed = repository.names(*listing, head)
    for other in repository.merged():
        differing = set(repository.names(*listing, other))
        changed = tuple(path for path in changed if path in differing)
    return Revision(repository, None, folder, changed, repository.committed(head, folder), after)


def between(repository: Repository, folder: str, old: str, new: str) -> Iterator[Revision]:
    """Each commit that `new` has and `old` has not, oldest first.

    Args:
      old: a commit, or zeros, as git says of a branch that is new: then all commits are taken.

    Raises:
      ConfigError: one of them is not here, or history was cut off in between.
    """
    last = repository.commit(new)
    since = [] if set(old) == {"0"} else [f"^{repository.commit(old)}"]
    listed = repository.text("rev-list", "--reverse", "--topo-order", "--parents", last, *since)
    cut = _cut_off(repository)
    for line in listed.splitlines():
        commit, *parents = line.split()
        if commit in cut:
            raise ConfigError(
                f"commit {commit[:12]}: what came before it is not in this shallow clone; fetch "
                "more of the history and run again"
            )
        # Of a merge only what is in none of its parents: the rest was seen in its own commit.
        changed = repository.names(*_LISTING, commit)
        if any(path.startswith(f"{folder}/") for path in changed):
            yield _commit(repository, folder, commit, parents, changed)


def _commit(
    repository: Repository, folder: str, commit: str, parents: list[str], changed: tuple[str, ...]
) -> Revision:
    return Revision(
        repository,
        commit,
        folder,
        changed,
        repository.committed(parents[0], folder) if parents else {},
        repository.committed(commit, folder),
        repository.text("log", "-1", "--format=%B", commit),
    )


def _cut_off(repository: Repository) -> set[str]:
    """Commits whose parents a shallow clone left out."""
    return set(repository.state("shallow"))
