"""What lies in the workspace that could go: each folder or file that goes or stays as a whole."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.records.errors import IntegrityError
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
