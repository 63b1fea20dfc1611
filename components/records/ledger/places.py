"""How the ledger names folders, so that a workspace may be moved."""

from pathlib import Path


def recorded_name(folder: Path, workspace: Path) -> str:
    """A folder as the ledger names it: relative to the workspace where inside it."""
    if folder.is_relative_to(workspace):
        return folder.relative_to(workspace).as_posix()
    return str(folder)
