"""What would go and what stays, before anything is touched.

The records, scores and decisions of a run are never in question: only the files that TFX made on
the way there. TFX names what an execution writes `artifacts/COMPONENT/CHANNEL/EXECUTION`. A later
run that took it from the cache uses the same folder, so a folder may go only when none of its runs
needs it.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import orjson

from components.baselines.golden import load_golden, load_proposal
from components.baselines.names import GOLDEN
from components.records.errors import IntegrityError
from components.records.files import sha256_file, sha256_tree
from components.records.ledger.records import Release, waivers
from components.records.run_files import LINEAGE, RUN_RECORD
from pipeline.evidence.removed import folder_of
from pipeline.evidence.subject import Evidence
from pipeline.governance.approval import known_baselines
from pipeline.governance.golden_record import PROPOSAL
from pipeline.settings.config import RetentionConfig
from pipeline.settings.workspace import Workspace

RETRAINING = "retraining"
_SCRATCH = ("executor_execution", "stateful_working_dir")


@dataclass(frozen=True)
class Found:
    """Attributes:
    path: the folder or file itself.
    name: below `artifacts`, as `used.py` names folders; None for what no run's record can know.
    """

    path: Path
    name: str | None


def outputs(workspace: Workspace) -> Iterator[Found]:
    """What executions wrote: `artifacts/COMPONENT/CHANNEL/EXECUTION`."""
    root = _real(workspace.artifacts)
    for component in _folders(root):
        if not component.name.startswith("."):
            for channel in _folders(component):
                if not channel.name.startswith("."):
                    for folder in _folders(channel):
                        yield Found(folder, folder.relative_to(root).as_posix())


def scratch(workspace: Workspace) -> Iterator[Found]:
    """What executions that died left of their own bookkeeping and of temporary files."""
    root = _real(workspace.artifacts)
    for component in _folders(root):
        places = [component / ".system" / name for name in _SCRATCH]
        for place in [component] if component.name == ".temp" else places:
            for folder in _folders(place):
                yield Found(folder, None)


def logs(workspace: Workspace) -> Iterator[Found]:
    """What retrainings printed."""
    folder = _real(workspace.root / RETRAINING)
    for at, _, names in os.walk(folder, followlinks=False):
        for name in sorted(names):
            path = Path(at) / name
            if path.suffix == ".log" and not path.is_symlink():
                yield Found(path, None)


def links_in(path: Path) -> bool:
    """Whether there is a link or a special file at or below `path`: then it is left alone."""
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        return True
    inside = (Path(at) / name for at, dirs, files in os.walk(path) for name in [*dirs, *files])
    return any(one.is_symlink() or not (one.is_file() or one.is_dir()) for one in inside)


def _folders(place: Path) -> list[Path]:
    """The folders in a folder, in order; none where it is a link, or is not there."""
    if place.is_symlink() or not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.is_symlink())


def _real(place: Path) -> Path:
    if place.is_symlink():
        raise IntegrityError(
            f"{place}: is a link, and what lies behind it is not this workspace's to remove; "
            "nothing was removed"
        )
    return place


IMAGES = "Examples"  # the type of the copies of the images that a run read


@dataclass
class Used:
    """Attributes:
    by: runs that read or wrote a folder, by its path below `artifacts`.
    images: the folders that hold copies of images.
    executions: the run that an execution belongs to, for what a killed one left unregistered.
    """

    by: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    images: set[str] = field(default_factory=set)
    executions: dict[tuple[str, str], str] = field(default_factory=dict)

    def runs_of(self, name: str) -> set[str]:
        """The runs that use a folder; empty for one that no record knows."""
        if name in self.by:
            return self.by[name]
        component, execution = name.partition("/")[0], name.rpartition("/")[2]
        maker = self.executions.get((component, execution))
        return {maker} if maker else set()


def used(evidence: Evidence, runs: list[str]) -> Used:
    """What these runs used.

    Raises:
      IntegrityError: a record, or the graph that it names, is not as it was: then nobody knows
        what the run needs.
    """
    found = Used()
    for run_id in runs:
        record = evidence.record(run_id)
        if LINEAGE not in record.files:
            continue
        path = evidence.workspace.run_folder(run_id) / LINEAGE
        graph = _as_recorded(path, record.files[LINEAGE])
        for artifact in graph["artifacts"]:
            if artifact["uri"]:
                name = folder_of(artifact["uri"])
                found.by[name].add(run_id)
                if artifact["type"] == IMAGES:
                    found.images.add(name)
        for execution in graph["executions"]:
            found.executions[(execution["component"], str(execution["id"]))] = run_id
    return found


def _as_recorded(path: Path, wanted: str) -> dict[str, list[dict[str, str]]]:
    try:
        if sha256_file(path) == wanted:
            return orjson.loads(path.read_bytes())
    except OSError as error:
        raise IntegrityError(
            f"{path}: cannot be read: {error.strerror}, so what that run needs is not known; "
            "nothing was removed: restore it"
        ) from error
    raise IntegrityError(
        f"{path}: is not the graph that the run's record names, so what that run needs is not "
        "known; nothing was removed: restore it"
    )


@dataclass(frozen=True)
class Needed:
    """Attributes:
    whole: runs that keep all their files, and why.
    model: runs that keep all but their copies of images, and why; none of `whole`.
    """

    whole: dict[str, str] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)

    def why(self, run_id: str) -> str | None:
        return self.whole.get(run_id) or self.model.get(run_id)


def all_runs(evidence: Evidence) -> list[str]:
    """Runs that left a record, or that the ledger says ended; oldest first."""
    named = {run_id for kind, run_id in evidence.last_entries if kind == "run"}
    return sorted(named | {path.parent.name for path in _records(evidence)})


def needed(
    evidence: Evidence, config: RetentionConfig, with_files: Sequence[str], *, now: datetime
) -> Needed:
    """What the ledger, the baselines and the policy still hold on to.

    Args:
      with_files: runs that have intermediate files, oldest first; the newest of these stay.

    Raises:
      IntegrityError: a baseline or the ledger cannot be read, so what it refers to is not known.
    """
    found = Needed()
    for run_id, why in _whole(evidence, config, with_files, now):
        found.whole.setdefault(run_id, why)
    for release in evidence.releases:
        run_id = evidence.run_of(release)
        if run_id not in found.whole and _folder(evidence, release).is_dir():
            found.model[run_id] = f"version {release.version} came from it"
    return found


def _whole(
    evidence: Evidence, config: RetentionConfig, with_files: Sequence[str], now: datetime
) -> Iterator[tuple[str, str]]:
    for release in evidence.serving().values():
        yield evidence.run_of(release), f"version {release.version} is served"
    yield from _of_golden(evidence)
    today = now.date().isoformat()
    for waiver in waivers(evidence.entries):
        if waiver.expires >= today:
            yield waiver.run_id, f"the waiver for {waiver.check} holds until {waiver.expires}"
    newest = with_files[-config.keep_runs :]
    for run_id in newest:
        yield run_id, "one of the newest"
    oldest = now - timedelta(days=config.keep_days)
    for run_id in with_files:
        if _began(run_id) >= oldest:
            yield run_id, f"younger than {config.keep_days} days"


def _of_golden(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Runs whose model is golden, or is proposed as golden, by the files and by the ledger."""
    models = {
        e.body["golden_sha256"]: e.body["case_set"]
        for e in {e.body["case_set"]: e for e in evidence.decided.values()}.values()
    }
    for baseline in known_baselines(evidence.workspace):
        if (baseline / GOLDEN).exists():
            models[load_golden(baseline / GOLDEN).scores.model_sha256] = baseline.name
        if (baseline / PROPOSAL).exists():
            yield load_proposal(baseline / PROPOSAL).run_id, f"proposed as golden {baseline.name}"
    last = {e.body["baseline"]: e.body for e in evidence.entries if e.kind == "approval"}
    for name, body in last.items():
        yield body["run_id"], f"golden of {Path(name).name} by the ledger"
    for run_id, entry in evidence.decided.items():
        if entry.body["candidate_sha256"] in models:
            yield run_id, f"golden of {models[entry.body['candidate_sha256']]}"


def _folder(evidence: Evidence, release: Release) -> Path:
    return evidence.workspace.root / release.destination / str(release.version)


def _records(evidence: Evidence) -> Iterator[Path]:
    return evidence.workspace.runs.glob(f"*/{RUN_RECORD}")


def _began(run_id: str) -> datetime:
    try:
        return datetime.strptime(run_id, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise IntegrityError(
            f"runs/{run_id}: is no run's folder by its name; move it away"
        ) from None


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
