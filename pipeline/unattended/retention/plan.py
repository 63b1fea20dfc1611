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
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import orjson

from components.baselines.golden import load_golden, load_proposal
from components.baselines.names import GOLDEN
from components.records.errors import IntegrityError
from components.records.files import sha256_file, sha256_tree
from components.records.ledger.records import waivers
from components.records.run_files import BOARD, LINEAGE, RUN_RECORD
from pipeline.evidence.removed import folder_of
from pipeline.evidence.subject import Evidence
from pipeline.governance.decided import known_baselines
from pipeline.governance.golden_record import PROPOSAL
from pipeline.settings.sections import RetentionConfig
from pipeline.settings.workspace import Workspace

IMAGES = "Examples"  # the type of the copies of the images that a run read
_SCRATCH = ("executor_execution", "stateful_working_dir")


def outputs(workspace: Workspace) -> dict[str, Path]:
    """Folders that executions wrote, by their path COMPONENT/CHANNEL/EXECUTION in `artifacts`."""
    root = _refuse_link(workspace.artifacts)
    return {
        folder.relative_to(root).as_posix(): folder
        for component in _folders(root)
        if not component.name.startswith(".")
        for channel in _folders(component)
        if not channel.name.startswith(".")
        for folder in _folders(channel)
    }


def leftovers(workspace: Workspace) -> Iterator[Path]:
    """What executions that died left of their bookkeeping and of temporary files; logs and figures
    for TensorBoard."""
    yield from (path for path in sorted(workspace.runs.glob(f"*/{BOARD}")) if path.is_dir())
    for component in _folders(_refuse_link(workspace.artifacts)):
        places = [component / ".system" / name for name in _SCRATCH]
        for place in [component] if component.name == ".temp" else places:
            yield from _folders(place)
    for at, _, names in os.walk(_refuse_link(workspace.root / "retraining"), followlinks=False):
        for name in sorted(names):
            path = Path(at) / name
            if path.suffix == ".log" and not path.is_symlink():
                yield path


def _folders(place: Path) -> list[Path]:
    """The folders in a folder, in order; none where it is a link, or is not there."""
    if place.is_symlink() or not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.is_symlink())


def _refuse_link(place: Path) -> Path:
    if place.is_symlink():
        raise IntegrityError(
            f"{place}: is a link, and what lies behind it is not this workspace's to remove; "
            "nothing was removed"
        )
    return place


@dataclass
class Usage:
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


def find_usage(evidence: Evidence, runs: list[str]) -> Usage:
    """Which folders these runs read or wrote.

    Raises:
      IntegrityError: a record, or the graph that it names, is not as it was: then nobody knows
        what the run needs.
    """
    found = Usage()
    for run_id in runs:
        record = evidence.record(run_id)
        if LINEAGE not in record.files:
            continue
        path = evidence.workspace.run_folder(run_id) / LINEAGE
        graph = _read_graph(path, record.files[LINEAGE])
        for artifact in graph["artifacts"]:
            if artifact["uri"]:
                name = folder_of(artifact["uri"])
                found.by[name].add(run_id)
                if artifact["type"] == IMAGES:
                    found.images.add(name)
        for execution in graph["executions"]:
            found.executions[(execution["component"], str(execution["id"]))] = run_id
    return found


def _read_graph(path: Path, wanted: str) -> dict[str, list[dict[str, str]]]:
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


def all_runs(evidence: Evidence) -> list[str]:
    """Runs that left a record, or that the ledger says ended; oldest first."""
    named = {run_id for kind, run_id in evidence.last_entries if kind == "run"}
    records = evidence.workspace.runs.glob(f"*/{RUN_RECORD}")
    return sorted(named | {path.parent.name for path in records})


def find_needed(
    evidence: Evidence, config: RetentionConfig, with_files: Sequence[str], *, now: datetime
) -> tuple[dict[str, str], dict[str, str]]:
    """What the ledger, the baselines and the policy still hold on to.

    Args:
      with_files: runs that have intermediate files, oldest first; the newest of these stay.

    Returns:
      Runs that keep all their files, and why; and others that keep all but their copies of images.

    Raises:
      IntegrityError: a baseline or the ledger cannot be read, so what it refers to is not known.
    """
    whole: dict[str, str] = {}
    model: dict[str, str] = {}
    for run_id, why in _whole(evidence, config, with_files, now):
        whole.setdefault(run_id, why)
    for release in evidence.releases:
        run_id = evidence.run_of(release)
        folder = evidence.workspace.root / release.destination / str(release.version)
        if run_id not in whole and folder.is_dir():
            model[run_id] = f"version {release.version} came from it"
    return whole, model


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
    for run_id in with_files[-config.keep_runs :]:
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


def _began(run_id: str) -> datetime:
    try:
        return datetime.strptime(run_id, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError:
        words = f"runs/{run_id}: is no run's folder by its name; move it away"
        raise IntegrityError(words) from None


@dataclass(frozen=True)
class Removable:
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


@dataclass(frozen=True)
class PruningPlan:
    """Attributes:
    kept: runs whose files stay, in whole or in part, and why.
    unknown: folders that stay because no run's record knows them, or because links are in them.
    """

    removable: tuple[Removable, ...]
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
    usage, there = find_usage(evidence, all_runs(evidence)), outputs(evidence.workspace)
    users = {name: usage.runs_of(name) for name in there}
    with_files = sorted({run for runs in users.values() for run in runs})
    whole, model = find_needed(evidence, config, with_files, now=now)
    removable, unknown = [], []
    for name, path in there.items():
        runs = users[name]
        stays = runs & whole.keys() or (runs & model.keys() and name not in usage.images)
        if not runs or not _is_plain(path):
            unknown.append(path.relative_to(evidence.workspace.root).as_posix())
        elif not stays:
            removable.append(_removable(evidence, path, max(runs), hashed=hashed))
    oldest = (now - timedelta(days=config.keep_days)).timestamp()
    for path in leftovers(evidence.workspace):
        if path.stat().st_mtime < oldest and _is_plain(path):
            one = _removable(evidence, path, None, hashed=hashed)
            if one.files:  # TFX leaves an empty folder for each execution
                removable.append(one)
    kept = {run_id: why for run_id in with_files if (why := (model | whole).get(run_id))}
    return PruningPlan(tuple(removable), kept, tuple(unknown))


def _is_plain(path: Path) -> bool:
    """Whether it is where its path says, and holds no link and no special file."""
    inside = (Path(at) / name for at, dirs, files in os.walk(path) for name in [*dirs, *files])
    plain = (not p.is_symlink() and (p.is_file() or p.is_dir()) for p in (path, *inside))
    return path.resolve() == path and all(plain)


def _removable(evidence: Evidence, path: Path, run_id: str | None, *, hashed: bool) -> Removable:
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
    sha256 = None
    if hashed and path.is_file():
        sha256 = sha256_file(path)
    elif hashed:
        sha256 = sha256_tree(path) if files else hashlib.sha256().hexdigest()
    name = path.relative_to(evidence.workspace.root).as_posix()
    return Removable(name, len(files), sum(f.stat().st_size for f in files), sha256, run_id)
