"""A checkout's commits, index and files, by names that a stranger may have chosen.

A pull request from a fork names its branches itself: no name reaches git before it is known to be a
revision and nothing else, least of all an option.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from components.records.errors import ConfigError
from components.records.git import SECONDS, run_git

REVISION = re.compile(r"[A-Za-z0-9_@][^\s\x00-\x20\x7f:?*\[\\]{0,249}")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
FETCH_SECONDS = 60


@dataclass(frozen=True)
class Blob:
    """A file as git keeps it: its mode, and the id of its content."""

    mode: str
    oid: str


@dataclass(frozen=True)
class Checkout:
    """The work tree that a folder belongs to."""

    root: Path

    def relative(self, path: Path) -> str | None:
        """Where the path is in the checkout, as git writes it; None outside of it."""
        root, path = self.root.resolve(), path.resolve()
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else None

    def commit(self, revision: str) -> str | None:
        """The commit that a branch, tag or hash names; None where there is none here."""
        if not is_revision(revision):
            return None
        commit = self.ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return commit.strip() if commit and COMMIT.fullmatch(commit.strip()) else None

    def tree(self, commit: str) -> str | None:
        """Hash of all files of a commit."""
        tree = self.ask("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}")
        return tree.strip() if tree else None

    def parent(self, commit: str) -> str | None:
        """The first parent's hash, even where a shallow clone has cut the history off there."""
        head, _, _ = (self.ask("cat-file", "commit", commit) or "").partition("\n\n")
        parents = [line[7:] for line in head.splitlines() if line.startswith("parent ")]
        return parents[0] if parents else None

    def merge_base(self, one: str, other: str) -> str | None:
        commit = self.ask("merge-base", one, other)
        return commit.strip() if commit else None

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

    def staged(self, folder: str) -> dict[str, Blob]:
        """Files below a folder in the index."""
        found = {}
        for path, (mode, oid, stage) in self._listed("ls-files", "--stage", "-z", "--", folder):
            if stage != "0":
                raise ConfigError(f"{path}: is in conflict; resolve it and run again")
            found[path] = Blob(mode, oid)
        return found

    def committed(self, commit: str, folder: str) -> dict[str, Blob]:
        """Files below a folder in a commit."""
        listed = self._listed("ls-tree", "-r", "-z", "--full-tree", commit, "--", folder)
        return {path: Blob(mode, oid) for path, (mode, _, oid) in listed}

    def content(self, blob: Blob) -> bytes:
        return self.demand("cat-file", "blob", blob.oid)

    def ids(self, name: str) -> list[str]:
        """The ids in one of git's own files, such as MERGE_HEAD; none where it is not there."""
        path = self.root / os.fsdecode(self.demand("rev-parse", "--git-path", name)).strip()
        return path.read_text(encoding="ascii").split() if path.is_file() else []

    def names(self, *arguments: str) -> tuple[str, ...]:
        """Paths that git lists, ended by NUL."""
        return tuple(os.fsdecode(one) for one in self.demand(*arguments).split(b"\0") if one)

    def strip_comments(self, message: str) -> str:
        """A message without its comments, whatever sign git was told begins one."""
        given = message.encode()
        return run_git(self.root, "stripspace", "--strip-comments", given=given).out.decode()

    def ask(self, *arguments: str, seconds: int = SECONDS) -> str | None:
        """What git prints; None where it refuses or takes too long."""
        answer = run_git(self.root, *arguments, seconds=seconds)
        return None if answer.failed else os.fsdecode(answer.out)

    def demand(self, *arguments: str) -> bytes:
        """What git prints; ConfigError where it refuses, or is not there."""
        answer = run_git(self.root, "--literal-pathspecs", *arguments)
        if answer.failed:
            words = " ".join(answer.error.split())
            raise ConfigError(f"git {arguments[0]} in {self.root}: {words}")
        return answer.out

    def _listed(self, *arguments: str) -> Iterable[tuple[str, list[str]]]:
        """Both of git's listings begin with three words and end with a tab and the path."""
        for line in self.names(*arguments):
            words, _, path = line.partition("\t")
            yield path, words.split()

    def readers(self, blobs: Mapping[str, Blob], folder: str) -> dict[str, Callable[[], bytes]]:
        """How to read the files below a folder, by their names in it."""
        start = "" if folder == "." else f"{folder}/"
        found = {path: blob for path, blob in blobs.items() if path.startswith(start)}
        return {p.removeprefix(start): partial(self.content, blob) for p, blob in found.items()}


def find_checkout(folder: Path) -> Checkout | None:
    """The work tree around `folder`; None outside of one, or where git does not trust it."""
    root = Checkout(folder).ask("rev-parse", "--show-toplevel")
    return Checkout(Path(root.rstrip("\n"))) if root else None


def is_revision(text: str) -> bool:
    """Whether it can only be the name of a revision: no option, no path in a commit, no range."""
    return REVISION.fullmatch(text) is not None and ".." not in text
