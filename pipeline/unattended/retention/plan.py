"""What would go and what stays, before anything is touched."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from components.records.files import sha256_file, sha256_tree
from pipeline.evidence.subject import Evidence
from pipeline.settings.config import RetentionConfig
from pipeline.unattended.retention.found import Found, links_in, logs, outputs, scratch
from pipeline.unattended.retention.needed import Needed, all_runs, needed
from pipeline.unattended.retention.used import Used, used


@dataclass(frozen=True)
class Goes:
    """A folder or a file that goes as a whole.

    Attributes:
      path: relative to the workspace.
      sha256: of a file, or over the names and contents of a folder's files, as `sha256_tree`;
        None until it is known that it goes.
      run_id: the run that wrote it last, None for what belongs to no run.
    """

    path: str
    files: int
    bytes: int
    sha256: str | None
    run_id: str | None

    def document(self) -> dict[str, str | int | None]:
        return asdict(self)


@dataclass(frozen=True)
class PruningPlan:
    """Attributes:
    kept: runs whose files stay, in whole or in part, and why.
    unknown: folders that stay because no run's record knows them, or because links are in them.
    """

    goes: tuple[Goes, ...]
    kept: Mapping[str, str]
    unknown: tuple[str, ...]


def plan(
    evidence: Evidence, config: RetentionConfig, *, now: datetime, hashed: bool
) -> PruningPlan:
    """What the policy lets go.

    Args:
      hashed: whether to read all of it, so that the list says what it was.

    Raises:
      IntegrityError: what a run, a baseline or the ledger needs cannot be known.
    """
    users = used(evidence, all_runs(evidence))
    there = list(outputs(evidence.workspace))
    with_files = sorted({run for one in there for run in users.runs_of(str(one.name))})
    wanted = needed(evidence, config, with_files, now=now)
    goes, unknown = [], []
    for one in there:
        runs = users.runs_of(str(one.name))
        if not runs or not _plain(one.path):
            unknown.append(_relative(evidence, one.path))
        elif not _stays(one, runs, wanted, users):
            goes.append(_going(evidence, one.path, max(runs), hashed=hashed))
    oldest = now - timedelta(days=config.keep_days)
    aged = [_going(evidence, path, None, hashed=hashed) for path in _aged(evidence, oldest)]
    goes += [one for one in aged if one.files]  # TFX leaves an empty folder for each execution
    kept = {run_id: why for run_id in with_files if (why := wanted.why(run_id))}
    return PruningPlan(tuple(goes), kept, tuple(unknown))


def _stays(one: Found, runs: set[str], wanted: Needed, users: Used) -> bool:
    if runs & wanted.whole.keys():
        return True
    return bool(runs & wanted.model.keys()) and one.name not in users.images


def _aged(evidence: Evidence, oldest: datetime) -> Iterator[Path]:
    for one in (*scratch(evidence.workspace), *logs(evidence.workspace)):
        if one.path.stat().st_mtime < oldest.timestamp() and _plain(one.path):
            yield one.path


def _plain(path: Path) -> bool:
    """Whether it is where its path says, and holds nothing but files and folders."""
    return path.resolve() == path and not links_in(path)


def _going(evidence: Evidence, path: Path, run_id: str | None, *, hashed: bool) -> Goes:
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
    size = sum(file.stat().st_size for file in files)
    sha256 = _sha256(path, files) if hashed else None
    return Goes(_relative(evidence, path), len(files), size, sha256, run_id)


def _sha256(path: Path, files: list[Path]) -> str:
    if path.is_file():
        return sha256_file(path)
    return sha256_tree(path) if files else hashlib.sha256().hexdigest()


def _relative(evidence: Evidence, path: Path) -> str:
    return path.relative_to(evidence.workspace.root).as_posix()
