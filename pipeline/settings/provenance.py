"""Which code, environment and person made a model: hashes, versions, git's and CI's word."""

import getpass
import hashlib
import os
import platform
import socket
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from components.lineage.record import Code, Environment, Where, Who
from components.records.files import sha256_file
from components.records.git import ask_git, run_git
from pipeline.settings.config import REPOSITORY

GITHUB, GITLAB, JENKINS = "GitHub Actions", "GitLab CI", "Jenkins"
SOURCES = ("components", "pipeline", "schemas")
LOCK_FILE = REPOSITORY / "uv.lock"
DECIDING = ("tensorflow", "tfx", "keras", "apache-beam", "numpy", "casegate")


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
    return {
        **{name: metadata.version(name) for name in DECIDING},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "lock_file_sha256": _lock_file_sha256() or "absent",
    }


def new_platform(before: Environment) -> tuple[str, ...]:
    """What decides beside casegate and has another version than `before`, as at most one remark."""
    old, new = (
        {"Python": side.python, **{name: side.packages.get(name) for name in DECIDING}}
        for side in (before, recorded_environment())
    )
    moved = [
        f"{name} {old[name]} -> {new[name]}"
        for name in new
        if old[name] != new[name] and name != "casegate"
    ]
    return (f"new software platform since the champion: {', '.join(moved)}",) if moved else ()


def git_state(repository: Path = REPOSITORY) -> dict[str, Any]:
    """Commit and dirty flag; both null where the code does not come from a git checkout."""
    if not _is_checkout(repository):
        return {"git_commit": None, "git_dirty": None}
    commit, status = (
        _git(repository, "rev-parse", "HEAD"),
        _git(repository, "status", "--porcelain"),
    )
    return {"git_commit": commit, "git_dirty": None if status is None else bool(status)}


def code(repository: Path = REPOSITORY) -> tuple[Code, bytes]:
    """Which code runs, and how it differs from its commit: what `git diff` says, to the byte.

    Bytes, because a file need not be UTF-8, and a changed line end would not apply again.
    """
    state = git_state(repository)
    diff = b""
    if state["git_dirty"]:
        diff = run_git(repository, "diff", "--binary", "HEAD").out
    sha256 = hashlib.sha256(diff).hexdigest() if diff else None
    return Code(**state, diff_sha256=sha256, code_sha256=code_sha256()), diff


@lru_cache(maxsize=1)
def recorded_environment() -> Environment:
    """The whole environment, as the run record keeps it."""
    return Environment(
        python=platform.python_version(),
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu(),
        cores=os.cpu_count(),
        memory_bytes=_memory_bytes(),
        container=_container(),
        lock_file_sha256=_lock_file_sha256(),
        packages=dict(
            sorted(
                (about["Name"], about["Version"])
                for about in (found.metadata for found in metadata.distributions())
            )
        ),
    )


def who(owner: str) -> Who:
    try:
        user: str | None = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers may have
        user = None
    return Who(user=user, host=socket.gethostname() or None, owner=owner)


def ci_job(environ: Mapping[str, str]) -> tuple[str | None, str | None, str | None]:
    """Provider, job and the job's page, by the variables that the provider documents."""
    run = [environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    if environ.get("GITHUB_ACTIONS") == "true":
        url = "{}/{}/actions/runs/{}".format(*run) if all(run) else None
        return GITHUB, environ.get("GITHUB_JOB"), url
    if environ.get("GITLAB_CI") == "true":
        return GITLAB, environ.get("CI_JOB_NAME"), environ.get("CI_JOB_URL")
    if "JENKINS_URL" in environ:
        return JENKINS, environ.get("JOB_NAME"), environ.get("BUILD_URL")
    return "CI" if environ.get("CI") else None, None, None


def where(environ: Mapping[str, str] = os.environ, repository: Path = REPOSITORY) -> Where:
    """The CI job that this process belongs to, and the author of the commit."""
    author = None
    if _is_checkout(repository):
        author = _git(repository, "log", "-1", "--format=%an <%ae>")
    return Where(*ci_job(environ), commit_author=author or None)


def committed(path: Path) -> tuple[str | None, str | None]:
    """The commit (and its time, ISO 8601 in UTC) that brought a file to its present content.

    Both None where the file is in no checkout, is not committed, or differs from its commit.
    """
    folder = path.parent
    if not folder.is_dir() or _git(folder, "ls-files", "--error-unmatch", path.name) is None:
        return None, None
    if _git(folder, "status", "--porcelain", "--", path.name) != "":
        return None, None
    found = _git(
        folder, "log", "-1", "--date=iso-strict-local", "--format=%H %cd", "--", path.name, utc=True
    )
    commit, _, time = (found or "").partition(" ")
    return (commit, time.replace("+00:00", "Z")) if commit and time else (None, None)


def _is_checkout(repository: Path) -> bool:
    top = _git(repository, "rev-parse", "--show-toplevel")
    return top is not None and Path(top).resolve() == repository.resolve()


def _git(repository: Path, *arguments: str, utc: bool = False) -> str | None:
    printed = ask_git(repository, *arguments, utc=utc)
    return None if printed is None else printed.strip()


def _lock_file_sha256() -> str | None:
    return sha256_file(LOCK_FILE) if LOCK_FILE.exists() else None


def _cpu() -> str | None:
    models = (line for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name"))
    return next(models, "").partition(":")[2].strip() or platform.processor() or None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _container() -> str | None:
    """The image where its runtime says so, or that there is a container at all."""
    podmans = Path("/run/.containerenv")
    named = (line for line in _lines(podmans) if line.startswith("image="))
    image = os.environ.get("CASEGATE_CONTAINER_IMAGE") or next(named, "").partition("=")[2]
    if not image and (podmans.exists() or Path("/.dockerenv").exists()):
        return "a container, image not known"
    return image.strip('"') or None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
