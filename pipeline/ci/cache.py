"""Results of full runs, kept where CI can restore them, under the hash of all that decides them.

What is read back is held against its hashes, and what is damaged is as good as absent: a cache can
make a job quicker, never different.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.baselines.scores import CaseScores, load_scores
from components.decision import Decision, load_decision
from components.records.errors import CasegateError, WorkspaceBusy
from components.records.files import lock_file, sha256_file, write_atomically
from components.records.run_files import DECISION, HTML_REPORT, SCORES

FILES = "files.json"
KEPT = 50
PLACE = "place.json"
MOST_RUNS = 4  # of some fifty megabytes each, that every job restores


@dataclass(frozen=True, eq=False)
class Kept:
    """The result of a run on the same inputs; `report` is the page for people."""

    decision: Decision
    scores: CaseScores
    report: Path


@dataclass(frozen=True)
class Cache:
    """Attributes:
    root: holds `results/`, by key, and `trees/`, by what git calls the files of a commit.
    """

    root: Path

    @property
    def results(self) -> Path:
        return self.root / "results"

    def find(self, key: str) -> Kept | None:
        """The result under a key, whole and as it was kept; None where there is none."""
        folder = self.results / key
        try:
            files = json.loads((folder / FILES).read_text(encoding="utf-8"))
            if set(files) != {DECISION, SCORES, HTML_REPORT}:
                return None
            if any(sha256_file(folder / name) != sha256 for name, sha256 in files.items()):
                return None
            decision, scores = load_decision(folder / DECISION), load_scores(folder / SCORES)
            if scores.scores_sha256 != decision.hashes["candidate_scores"]:
                return None
            os.utime(folder / FILES)  # the newest stay
        except (OSError, ValueError, TypeError, CasegateError):
            return None
        return Kept(decision, scores, folder / HTML_REPORT)

    def keep(self, key: str, files: Mapping[str, Path], *, tree: str | None) -> str | None:
        """Keeps a result; the oldest make room.

        Args:
          files: decision, scores and report, by the names they have in a run's folder.
          tree: the files of the commit that it is the result of, None where they are no commit's.

        Returns:
          Why that could not be done: a result that is not kept is no fault of the model.
        """
        try:
            self.results.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=self.results) as folder:
                made = Path(folder)
                for name, path in files.items():
                    shutil.copyfile(path, made / name)
                hashes = {name: sha256_file(made / name) for name in files}
                write_atomically(made / FILES, json.dumps(hashes, sort_keys=True).encode())
                made.chmod(0o755)
                shutil.rmtree(self.results / key, ignore_errors=True)
                made.rename(self.results / key)
            self.note_tree(tree, key)
            self._prune()
        except OSError as error:
            return f"{self.root}: the result cannot be kept: {error.strerror}"
        return None

    def note_tree(self, tree: str | None, key: str) -> None:
        """Remembers that a commit with these files has the result under `key`."""
        if tree:
            with contextlib.suppress(OSError):
                write_atomically(self.root / "trees" / tree, key.encode())

    def of_tree(self, tree: str) -> Kept | None:
        """The result of a commit with these files."""
        try:
            key = (self.root / "trees" / tree).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
        return self.find(key) if key.isalnum() else None

    def _prune(self) -> None:
        """Leaves the newest results, and no word of a tree whose result is gone."""
        found = sorted(
            self.results.glob(f"*/{FILES}"), key=lambda path: path.stat().st_mtime, reverse=True
        )
        for path in found[KEPT:]:
            shutil.rmtree(path.parent, ignore_errors=True)
        left = {path.parent.name for path in found[:KEPT]}
        for tree in (self.root / "trees").glob("*"):
            if tree.read_text(encoding="utf-8", errors="replace") not in left:
                tree.unlink(missing_ok=True)


@contextlib.contextmanager
def run_workspace(cache: Cache | None) -> Iterator[tuple[Path, str]]:
    """A workspace for the run, and one line on it: in the cache, where TFX finds what it did
    before, as long as it lies where it lay; else one that goes when this ends.
    """
    kept = cache.root.resolve() / "workspace" if cache else None
    if kept is None or _busy(kept):
        with tempfile.TemporaryDirectory(prefix="casegate-ci-") as folder:
            why = "another job works in that of the cache" if kept else "no --cache"
            yield Path(folder).resolve() / "workspace", f"in a workspace of its own: {why}"
        return
    note = _usable(kept)
    kept.mkdir(parents=True, exist_ok=True)
    write_atomically(kept.parent / ".gitignore", b"*\n")  # or a check takes it for a change
    write_atomically(kept / PLACE, json.dumps({"path": str(kept)}).encode())
    yield kept, note


def _usable(kept: Path) -> str:
    """Clears the workspace away where nothing in it can be used again; one line on what it is."""
    if not kept.exists():
        return "in a new workspace"
    try:
        path = json.loads((kept / PLACE).read_text(encoding="utf-8"))["path"]
    except (OSError, ValueError, KeyError, TypeError):
        path = None
    runs = len(list((kept / "runs").glob("*")))
    if path == str(kept) and runs < MOST_RUNS:
        return f"in the cache's workspace, after {runs} run{'' if runs == 1 else 's'}"
    shutil.rmtree(kept, ignore_errors=True)
    why = f"it was made in {path}" if path != str(kept) else f"it held {runs} runs"
    return f"in a new workspace: that of the cache could not be used, as {why}"


def _busy(kept: Path) -> bool:
    if kept.is_dir():
        try:
            with lock_file(kept / ".lock", str):
                pass
        except (WorkspaceBusy, OSError):
            return True
    return False
