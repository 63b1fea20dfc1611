"""Whether there is room for a run, asked before it starts: a full disk ends it in its middle."""

import shutil
from pathlib import Path

from components.records.errors import CasegateError
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace

GIB = 2**30


def refuse_full_disk(config: Config, workspace: Workspace) -> None:
    """Raises CasegateError where the workspace, or the folder releases go to, has too little room.

    How much is enough is `retraining.free_disk_gib`.
    """
    wanted = config.retraining.free_disk_gib
    served = workspace.destination(config.serving.model_name, config.serving.directory).parent
    for place in (workspace.root, served):
        free = shutil.disk_usage(_existing(place)).free / GIB
        if free < wanted:
            raise CasegateError(
                f"{place}: the disk has {free:.2f} GiB free, wanted {wanted:g} "
                "(retraining.free_disk_gib); remove what is not needed, for example with "
                "`casegate prune`, or give it more room"
            )


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there already."""
    return next(each for each in (path, *path.parents) if each.exists())
