"""Holds rules against what is staged, or against each commit of a range."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from components.records.errors import ConfigError
from pipeline.ci.hooks.repository import Repository
from pipeline.ci.hooks.revision import Finding, Revision, between, staged
from pipeline.ci.hooks.rules import Rule

_SCISSORS = " >8 "


def check(
    rules: Sequence[Rule],
    folder: Path,
    *,
    baselines: str,
    old: str | None = None,
    new: str | None = None,
    message: Path | None = None,
) -> Iterator[tuple[Revision, Finding]]:
    """What does not hold, commit by commit.

    Args:
      folder: in the checkout.
      baselines: the folder with the baselines, relative to the checkout.
      old, new: the commits that `new` has and `old` has not; None for both takes what is staged.
      message: the file with the message of the commit that is being made.

    Raises:
      ConfigError: git is not there, or has not what was asked for.
    """
    repository = Repository(folder)
    for revision in _revisions(repository, _relative(baselines), old, new):
        if message is not None:
            revision = replace(revision, message=_written(repository, message))
        for rule in rules:
            yield from ((revision, finding) for finding in rule(revision))


def _revisions(
    repository: Repository, baselines: str, old: str | None, new: str | None
) -> Iterable[Revision]:
    if old is None and new is None:
        return [staged(repository, baselines)]
    if old is None or new is None:
        raise ConfigError("--from-ref and --to-ref: give both, or neither for what is staged")
    return between(repository, baselines, old, new)


def _relative(baselines: str) -> str:
    parts = Path(baselines).parts
    if not parts or ".." in parts or Path(baselines).is_absolute():
        raise ConfigError(f"--baselines {baselines}: wanted a folder inside the checkout")
    return "/".join(parts)


def _written(repository: Repository, path: Path) -> str:
    """The message as git will keep it: without comments, and without the difference below it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    lines = text.splitlines()
    cut = next((n for n, line in enumerate(lines) if _SCISSORS in line), len(lines))
    return repository.stripped("\n".join(lines[:cut]))
