"""git, asked for what is staged and committed; never for what lies in the working tree.

A hook that read the working tree would judge another text than the one that is committed.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from components.records.errors import ConfigError
from components.records.git import GitAnswer, run_git

LINK, SUBMODULE = "120000", "160000"


@dataclass(frozen=True)
class Blob:
    """A file as git keeps it: its mode, and the id of its content."""

    mode: str
    oid: str


class Repository:
    """The checkout around a folder."""

    def __init__(self, folder: Path) -> None:
        self._at = folder
        self._at = Path(self.text("rev-parse", "--show-toplevel"))

    @property
    def root(self) -> Path:
        return self._at

    def commit(self, name: str) -> str:
        """The id of a commit.

        Raises:
          ConfigError: there is no such commit here.
        """
        if name and not name.startswith("-"):
            found = self._run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
            if not found.failed:
                return found.out.decode().strip()
        raise ConfigError(
            f"{name!r}: no commit in {self.root}; fetch more of the history and run again"
        )

    def head(self) -> str | None:
        """The commit that the index is held against; None before the first one."""
        found = self._run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return found.out.decode().strip() if not found.failed else None

    def merged(self) -> list[str]:
        """The commits that are being merged into HEAD, where a merge is under way."""
        return self.state("MERGE_HEAD")

    def state(self, name: str) -> list[str]:
        """The ids in one of git's own files; none where it is not there."""
        path = self.root / self.text("rev-parse", "--git-path", name)
        return path.read_text(encoding="ascii").split() if path.is_file() else []

    def staged(self, folder: str) -> dict[str, Blob]:
        """Files below a folder in the index."""
        return self._blobs("ls-files", "--stage", "-z", "--", folder)

    def committed(self, commit: str, folder: str) -> dict[str, Blob]:
        """Files below a folder in a commit."""
        return self._blobs("ls-tree", "-r", "-z", "--full-tree", commit, "--", folder)

    def content(self, blob: Blob) -> bytes:
        return self.ask("cat-file", "blob", blob.oid)

    def names(self, *arguments: str) -> tuple[str, ...]:
        """Paths that git lists, ended by NUL."""
        return tuple(os.fsdecode(one) for one in self.ask(*arguments).split(b"\0") if one)

    def text(self, *arguments: str) -> str:
        return os.fsdecode(self.ask(*arguments)).strip()

    def ask(self, *arguments: str) -> bytes:
        """What git says.

        Raises:
          ConfigError: it refuses, or is not there.
        """
        found = self._run(*arguments)
        if found.failed:
            words = " ".join(found.error.split())
            raise ConfigError(f"git {arguments[0]} in {self._at}: {words}")
        return found.out

    def stripped(self, message: str) -> str:
        """A message without its comments, whatever sign git was told begins one."""
        return self._run("stripspace", "--strip-comments", given=message.encode()).out.decode()

    def _blobs(self, *arguments: str) -> dict[str, Blob]:
        """Both of git's listings begin with the mode and end with a tab and the path."""
        found = {}
        for line in self.names(*arguments):
            words, _, path = line.partition("\t")
            mode, *rest = words.split()
            if arguments[0] == "ls-files" and rest[1] != "0":
                raise ConfigError(f"{path}: is in conflict; resolve it and run again")
            found[path] = Blob(mode, rest[0] if arguments[0] == "ls-files" else rest[1])
        return found

    def _run(self, *arguments: str, given: bytes = b"") -> GitAnswer:
        return run_git(self._at, "--literal-pathspecs", *arguments, given=given)
