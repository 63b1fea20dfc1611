"""Which code and which environment made a model: hashes, versions, git's word."""

import hashlib
import platform
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from components.baselines.files import sha256_file
from pipeline.config import REPOSITORY

SOURCES = ("components", "pipeline", "schemas")
LOCK_FILE = REPOSITORY / "uv.lock"


@lru_cache(maxsize=1)
def code_sha256() -> str:
    """SHA-256 over the project's own source, so that an edit is never served from a cache."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.is_file() and path.suffix in {".py", ".yaml", ".json", ".pbtxt"}:
                digest.update(f"{path.relative_to(REPOSITORY).as_posix()}\0".encode())
                digest.update(sha256_file(path).encode())
    return digest.hexdigest()


def environment() -> dict[str, str]:
    """Versions that decide what a training run computes; reads metadata, imports nothing."""
    versions = {
        name: metadata.version(name)
        for name in ("tensorflow", "tfx", "keras", "apache-beam", "numpy", "casegate")
    }
    return {
        **versions,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "lock_file_sha256": sha256_file(LOCK_FILE) if LOCK_FILE.exists() else "absent",
    }


def git_state(repository: Path = REPOSITORY) -> dict[str, Any]:
    """Commit and dirty flag; both null where the code does not come from a git checkout."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(repository), *arguments],
                capture_output=True,
                text=True,
                timeout=20,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    top = git("rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != repository.resolve():
        return {"git_commit": None, "git_dirty": None}
    status = git("status", "--porcelain")
    return {
        "git_commit": git("rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
    }
