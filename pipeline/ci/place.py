"""Where a commit's run works: in the cache, or in a folder that goes with the job."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock

from components.records.files import write_atomically
from pipeline.ci.cache import Cache

PLACE = "place.json"
MOST_RUNS = 4  # of some fifty megabytes each, that every job restores


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
    said = _usable(kept)
    kept.mkdir(parents=True, exist_ok=True)
    write_atomically(kept.parent / ".gitignore", b"*\n")  # or a check takes it for a change
    write_atomically(kept / PLACE, json.dumps({"path": str(kept)}).encode())
    yield kept, said


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
    if not kept.is_dir():
        return False
    lock = filelock.FileLock(kept / ".lock")
    try:
        lock.acquire(blocking=False)
    except (filelock.Timeout, OSError):
        return True
    lock.release()
    return False
