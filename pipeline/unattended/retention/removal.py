"""Removes what a list names, so that a crash at any moment leaves a workspace that fits.

The list is written; each folder is renamed into `retention/.trash`; what is there goes into the
ledger; and only then it is deleted. A folder is therefore where TFX looks for it, or it is not
there at all, which makes TFX compute it again; and nothing is lost that the ledger does not name.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from components.records.clock import utc_now
from components.records.errors import ConfigError, IntegrityError
from components.records.files import canonical_json, sync, write_atomically
from components.records.ledger.entry import Entry
from components.records.ledger.ledger import Ledger
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retention.plan import Goes

RETENTION = "retention"
TRASH = ".trash"


def remove(workspace: Workspace, list_id: str, goes: Iterable[Goes]) -> Entry:
    """Writes the list and carries it out; only for who holds the workspace.

    Returns:
      The ledger's entry.

    Raises:
      ConfigError: the disk is full or cannot be written to; the next call goes on from there.
    """
    with _in_words(workspace):
        _write_list(workspace, list_id, goes)
        for one in goes:
            _put_aside(workspace, list_id, one)
        return _conclude(workspace, list_id, tuple(goes))


def finish(workspace: Workspace, entries: Iterable[Entry]) -> None:
    """Ends what an earlier removal began and did not end; only for who holds the workspace.

    What was put aside goes; what was not may be needed by a run since then, and stays.
    """
    named = {e.body["list"] for e in entries if e.kind == "retention"}
    folder = workspace.root / RETENTION
    with _in_words(workspace):
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
    _conclude(workspace, path.stem, tuple(aside))


def _conclude(workspace: Workspace, list_id: str, goes: tuple[Goes, ...]) -> Entry:
    name = f"{RETENTION}/{list_id}.json"
    content = (workspace.root / name).read_bytes()
    body = {
        "list": name,
        "list_sha256": hashlib.sha256(content).hexdigest(),
        "files": sum(one.files for one in goes),
        "bytes": sum(one.bytes for one in goes),
        "runs": sorted({one.run_id for one in goes if one.run_id}),
    }
    entry = Ledger(workspace.ledger).append("retention", body, by="casegate", at=utc_now())
    shutil.rmtree(_trash(workspace, list_id))
    return entry


def _put_aside(workspace: Workspace, list_id: str, one: Goes) -> None:
    path, aside = workspace.root / one.path, _trash(workspace, list_id) / one.path
    aside.parent.mkdir(parents=True, exist_ok=True)
    path.rename(aside)
    sync(path.parent)


def _write_list(workspace: Workspace, list_id: str, goes: Iterable[Goes]) -> None:
    document = {"list_id": list_id, "removed": [one.document() for one in goes]}
    write_atomically(
        workspace.root / RETENTION / f"{list_id}.json", canonical_json(document) + b"\n"
    )


def _read_list(path: Path) -> list[Goes]:
    try:
        return [Goes(**row) for row in orjson.loads(path.read_bytes())["removed"]]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{path}: is no list of what was removed: {error}; restore it, or look at "
            f"{TRASH}/{path.stem} beside it and remove both by hand"
        ) from None


def _trash(workspace: Workspace, list_id: str) -> Path:
    return workspace.root / RETENTION / TRASH / list_id


@contextlib.contextmanager
def _in_words(workspace: Workspace) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{error.filename or workspace.root}: cannot be written or removed: "
            f"{error.strerror}; mend that and prune again, which goes on from there"
        ) from error
