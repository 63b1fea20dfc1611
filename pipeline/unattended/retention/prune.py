"""Prunes a workspace: what no release, golden or rule holds on to any more is removed for good.

A crash at any moment leaves a workspace that fits. The list of what goes is written; each folder is
renamed into `retention/.trash`; what is there goes into the ledger; and only then it is deleted. A
folder is therefore where TFX looks for it, or it is not there at all, which makes TFX compute it
again; and nothing is lost that the ledger does not name.
"""

import contextlib
import hashlib
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from components.pages.page import text_of
from components.records.clock import current_time, time_id, utc_now
from components.records.errors import ConfigError, IntegrityError
from components.records.files import canonical_json, sync, write_atomically
from components.records.ledger.ledger import Entry, Ledger
from pipeline.evidence.subject import Evidence
from pipeline.run.recorder import close_dead
from pipeline.settings.sections import RetentionConfig
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retention.plan import Removable, plan

RETENTION = "retention"
TRASH = ".trash"
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def remove(workspace: Workspace, list_id: str, removable: Sequence[Removable]) -> Entry:
    """Writes the list and carries it out; only for who holds the workspace.

    Returns:
      The ledger's entry.

    Raises:
      ConfigError: the disk is full or cannot be written to; the next call goes on from there.
    """
    with _explaining(workspace):
        _write_list(workspace, list_id, removable)
        for one in removable:
            _put_aside(workspace, list_id, one)
        return _conclude(workspace, list_id, removable)


def finish(workspace: Workspace, entries: Iterable[Entry]) -> None:
    """Ends what an earlier removal began and did not end; only for who holds the workspace.

    What was put aside goes; what was not may be needed by a run since then, and stays.
    """
    named = {e.body["list"] for e in entries if e.kind == "retention"}
    folder = workspace.root / RETENTION
    with _explaining(workspace):
        for path in sorted(folder.glob("*.json")):
            if f"{RETENTION}/{path.name}" not in named:
                _finish(workspace, path)
        for trash in sorted((folder / TRASH).glob("*")):
            if not (folder / f"{trash.name}.json").exists():
                raise IntegrityError(
                    f"{trash}: no list says what it holds; look at it and remove it by hand"
                )
            shutil.rmtree(trash)


def _finish(workspace: Workspace, path: Path) -> None:
    aside = [one for one in _read_list(path) if (_trash(workspace, path.stem) / one.path).exists()]
    if not aside:
        shutil.rmtree(_trash(workspace, path.stem), ignore_errors=True)  # folders, all empty
        path.unlink()
        return
    _write_list(workspace, path.stem, aside)
    _conclude(workspace, path.stem, aside)


def _conclude(workspace: Workspace, list_id: str, removable: Sequence[Removable]) -> Entry:
    name = f"{RETENTION}/{list_id}.json"
    content = (workspace.root / name).read_bytes()
    body = {
        "list": name,
        "list_sha256": hashlib.sha256(content).hexdigest(),
        "files": sum(one.files for one in removable),
        "bytes": sum(one.bytes for one in removable),
        "runs": sorted({one.run_id for one in removable if one.run_id}),
    }
    entry = Ledger(workspace.ledger).append("retention", body, by="casegate", at=utc_now())
    shutil.rmtree(_trash(workspace, list_id))
    return entry


def _put_aside(workspace: Workspace, list_id: str, one: Removable) -> None:
    path, aside = workspace.root / one.path, _trash(workspace, list_id) / one.path
    aside.parent.mkdir(parents=True, exist_ok=True)
    path.rename(aside)
    sync(path.parent)


def _write_list(workspace: Workspace, list_id: str, removable: Sequence[Removable]) -> None:
    document = {"list_id": list_id, "removed": [asdict(one) for one in removable]}
    path = workspace.root / RETENTION / f"{list_id}.json"
    write_atomically(path, canonical_json(document) + b"\n")


def _read_list(path: Path) -> list[Removable]:
    try:
        return [Removable(**row) for row in orjson.loads(path.read_bytes())["removed"]]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{path}: is no list of what was removed: {error}; restore it, or look at "
            f"{TRASH}/{path.stem} beside it and remove both by hand"
        ) from None


def _trash(workspace: Workspace, list_id: str) -> Path:
    return workspace.root / RETENTION / TRASH / list_id


@contextlib.contextmanager
def _explaining(workspace: Workspace) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{error.filename or workspace.root}: cannot be written or removed: "
            f"{error.strerror}; mend that and prune again, which goes on from there"
        ) from error


@dataclass(frozen=True)
class Pruned:
    """What went, or would go.

    Attributes:
      entry: number of the ledger's entry; None where nothing went.
    """

    removed: tuple[Removable, ...]
    kept: Mapping[str, str]
    unknown: tuple[str, ...]
    dry_run: bool
    entry: int | None = None

    @property
    def files(self) -> int:
        return sum(one.files for one in self.removed)

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.removed)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "files": self.files, "bytes": self.bytes}


def prune(
    config: RetentionConfig,
    workspace: Workspace,
    *,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Pruned:
    """Removes intermediate files that nothing refers to, and ends what a killed prune began.

    Raises:
      WorkspaceBusy: a run holds the workspace.
      ConfigError: nothing ever ran here, or files cannot be removed.
      IntegrityError: what has to stay cannot be known; nothing was removed.
    """
    now = now or current_time()
    workspace = Workspace(workspace.root.resolve())
    workspace.id  # noqa: B018  # a folder in which nothing ever ran is left as it is
    with contextlib.nullcontext() if dry_run else workspace.opened():
        if not dry_run:
            close_dead(workspace)  # or nobody knew what a killed run needs
            finish(workspace, Ledger(workspace.ledger).entries())
        with Evidence(workspace.root) as evidence:
            found = plan(evidence, config, now=now, hashed=not dry_run)
        seq = None
        if found.removable and not dry_run:
            seq = remove(workspace, time_id(), found.removable).seq
    return Pruned(found.removable, found.kept, found.unknown, dry_run, seq)


def as_text(found: Pruned) -> str:
    """What went and what stays, for a terminal."""
    by_run: defaultdict[str, list[int]] = defaultdict(list)
    for one in found.removed:
        by_run[f"run {one.run_id}" if one.run_id else "leftovers and logs"].append(one.bytes)
    largest = sorted(found.removed, key=lambda one: -one.bytes)
    template = Path(__file__).with_name("pruned.txt.j2")
    return text_of(template, found=found, by_run=by_run, largest=largest, size=size)


def size(count: int) -> str:
    """Bytes in a unit that leaves at most three digits before the point."""
    amount, unit = float(count), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[0]}" if unit == 0 else f"{amount:.3g} {_UNITS[unit]}"
