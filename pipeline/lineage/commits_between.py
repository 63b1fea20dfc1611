"""The commits that lie between two, as the checkout at hand knows them."""

import subprocess

from pipeline.config import REPOSITORY
from pipeline.lineage.answer import Table, Value

MOST = 200


def commits_between(old: str | None, new: str | None) -> tuple[Value, Table]:
    """How many there are, or why that is not known; and the commits, newest first."""
    empty = Table("commits", "Commits between", ("commit", "date", "author", "subject"), ())
    if old is None or new is None:
        return "not known: a run was not made from a git checkout", empty
    if old == new:
        return 0, empty
    form = "--format=%h%x1f%cI%x1f%an%x1f%s"
    try:
        done = subprocess.run(
            ["git", "-C", str(REPOSITORY), "log", f"-{MOST}", form, f"{old}..{new}", "--"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "not known: this checkout does not have both commits", empty
    rows = tuple(tuple(line.split("\x1f", 3)) for line in done.stdout.splitlines())
    count: Value = len(rows) if len(rows) < MOST else f"{MOST} or more"
    return count, Table(empty.name, empty.title, empty.columns, rows, links={"commit": "commit"})
