"""git, asked without a shell, about names that a stranger may have chosen.

A pull request from a fork names its branches itself: no name reaches git before it is known to be a
revision and nothing else, least of all an option.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from components.records.git import SECONDS, run_git

REVISION = re.compile(r"[A-Za-z0-9_@][^\s\x00-\x20\x7f:?*\[\\]{0,249}")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
FETCH_SECONDS = 60


@dataclass(frozen=True)
class Checkout:
    """The work tree that a folder belongs to."""

    root: Path

    def commit(self, revision: str) -> str | None:
        """The commit that a branch, tag or hash names; None where there is none here."""
        if not is_revision(revision):
            return None
        said = self.ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return said.strip() if said and COMMIT.fullmatch(said.strip()) else None

    def tree(self, commit: str) -> str | None:
        """Hash of all files of a commit."""
        said = self.ask("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}")
        return said.strip() if said else None

    def parent(self, commit: str) -> str | None:
        """The first parent's hash, even where a shallow clone has cut the history off there."""
        said = self.ask("cat-file", "commit", commit) or ""
        head, _, _ = said.partition("\n\n")
        parents = [line[7:] for line in head.splitlines() if line.startswith("parent ")]
        return parents[0] if parents else None

    def merge_base(self, one: str, other: str) -> str | None:
        said = self.ask("merge-base", one, other)
        return said.strip() if said else None

    @property
    def shallow(self) -> bool:
        return (self.ask("rev-parse", "--is-shallow-repository") or "").strip() == "true"

    def fetch(self, wanted: str) -> str | None:
        """Asks the remote once for one commit or ref; returns the commit, None where it can't.

        Only a shallow clone is fetched into with a depth: a whole one would become shallow.
        """
        if not (COMMIT.fullmatch(wanted) or (wanted.startswith("refs/") and is_revision(wanted))):
            return None
        depth = ["--depth=1"] if self.shallow else []
        options = ["--quiet", "--no-tags", "--no-recurse-submodules", *depth]
        if self.ask("fetch", *options, "--", "origin", wanted, seconds=FETCH_SECONDS) is None:
            return None
        return self.commit(wanted if COMMIT.fullmatch(wanted) else "FETCH_HEAD")

    def show(self, commit: str, path: str) -> bytes | None:
        """A file as a commit has it; None where it has none."""
        return self._bytes("cat-file", "blob", f"{commit}:{path}")

    def ask(self, *arguments: str, seconds: int = SECONDS) -> str | None:
        """What git says; None where it refuses or takes too long."""
        said = self._bytes(*arguments, seconds=seconds)
        return None if said is None else said.decode("utf-8", "surrogateescape")

    def _bytes(self, *arguments: str, seconds: int = SECONDS) -> bytes | None:
        said = run_git(self.root, *arguments, seconds=seconds)
        return None if said.failed else said.out


def find_checkout(folder: Path) -> Checkout | None:
    """The work tree around `folder`; None outside of one, or where git does not trust it."""
    said = Checkout(folder).ask("rev-parse", "--show-toplevel")
    return Checkout(Path(said.rstrip("\n"))) if said else None


def is_revision(text: str) -> bool:
    """Whether it can only be the name of a revision: no option, no path in a commit, no range."""
    return REVISION.fullmatch(text) is not None and ".." not in text
