"""The commits that lie between two, as the checkout at hand knows them."""

from dataclasses import dataclass

from components.records.git import ask_git
from pipeline.evidence.answer import Table, Value
from pipeline.settings.config import REPOSITORY

MOST = 200  # commits that are listed; the count is of all
COLUMNS = ("commit", "date", "author", "subject", "only in")
_FORM = "--format=%h%x1f%cI%x1f%an%x1f%s%x1f%m"
_SIDES = {"<": "first", ">": "second"}


@dataclass(frozen=True)
class Commits:
    """Attributes:
    count: how many there are, with their direction where it is not forward, or why not known.
    files: how many files differ between the two; None where that is not known.
    table: the commits, newest first.
    """

    count: Value
    files: int | None
    table: Table


def commits_between(old: str | None, new: str | None) -> Commits:
    """What one commit has that the other has not, in both directions."""
    if old is None or new is None:
        return _commits("not known: a run was not made from a git checkout", None)
    if old == new:
        return _commits(0, 0)
    span = f"{old}...{new}"
    counted = ask_git(REPOSITORY, "rev-list", "--left-right", "--count", span, "--")
    listed = ask_git(REPOSITORY, "log", f"-{MOST}", "--left-right", _FORM, span, "--")
    named = ask_git(REPOSITORY, "diff", "--name-only", "-z", old, new, "--")
    if counted is None or listed is None or named is None:
        return _commits("not known: this checkout does not have both commits", None)
    back, forth = map(int, counted.split())
    rows = [line.split("\x1f") for line in listed.split("\n") if line]
    return _commits(
        _count(back, forth),
        named.count("\0"),
        tuple((*row[:-1], _SIDES.get(row[-1], row[-1])) for row in rows),
    )


def _commits(count: Value, files: int | None, rows: tuple[tuple[Value, ...], ...] = ()) -> Commits:
    links = {"commit": "commit"}
    return Commits(count, files, Table("commits", "Commits between", COLUMNS, rows, links=links))


def _count(back: int, forth: int) -> Value:
    """Forward is a number; an older second commit, or another branch, is said in words."""
    if not back:
        return forth
    if not forth:
        return f"{back}, all of them only in the first: the second is older"
    return f"{forth} only in the second and {back} only in the first: they are on two branches"
