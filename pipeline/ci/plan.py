"""From changed paths to the least that has to be done about them.

A path that fits several patterns counts as the one that asks for most, and one that fits none asks
for a full run: a pattern can spare work only where somebody wrote it down.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from components.records.errors import ConfigError
from components.records.text import MARK, printable
from pipeline.ci.changes import Change, Changes
from pipeline.settings.sections import CiConfig

NOTHING, JUDGE, FULL = "nothing", "judge", "full"
SHOWN = 3


@dataclass(frozen=True)
class CommitPlan:
    """Attributes:
    kind: nothing, judge or full.
    findings: what a reviewer should know of the change itself.
    judging: changed paths under the baselines.
    release: why this is a candidate for release, judged on the locked case set; else None.
    """

    kind: str
    reasons: tuple[str, ...]
    findings: tuple[str, ...] = ()
    judging: tuple[Change, ...] = ()
    release: str | None = None


def make_plan(
    changes: Changes, config: CiConfig, *, settings: str | None = None, release: str | None = None
) -> CommitPlan:
    """What the changes need.

    Args:
      settings: path of the configuration, relative to the checkout; it says what counts as
        documentation, so that a change of it never does.
      release: why this is a candidate for release, which is always run in full.
    """
    found = changes.found
    sorts: dict[str, list[Change]] = {}
    for change in found or ():
        sorts.setdefault(_sort(change.path, config, settings), []).append(change)
    judging = tuple(sorts.get("judging", ()))
    others = [*sorts.get("data", ()), *sorts.get("model", ())]
    findings = _mixed(judging, others)
    if release:
        return CommitPlan(FULL, (f"candidate for release: {release}",), findings, judging, release)
    if found is None:
        return CommitPlan(FULL, (changes.summary,))
    if others:
        reasons = [
            f"{word}: {_listed(sorts[sort])}"
            for sort, word in (("data", "data"), ("model", "model or pipeline"))
            if sort in sorts
        ]
        return CommitPlan(FULL, tuple(reasons), findings, judging)
    if judging:
        return CommitPlan(JUDGE, (f"baselines: {_listed(judging)}",), (), judging)
    documents = sorts.get("docs", ())
    why = f"only documentation: {_listed(documents)}" if documents else "nothing changed"
    return CommitPlan(NOTHING, (why,))


def fits(path: str, pattern: str) -> bool:
    """Whether a path is one that a pattern of `.gitignore` names, counted from the root.

    Unlike git, what lies below a folder of that name is not meant: `**/*.md` are files alone.
    """
    found = _compiled(pattern).match_file(path)
    return found is not None and not found.match.groupdict().get("ps_d")


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> GitIgnoreSpecPattern:
    try:
        return GitIgnoreSpecPattern(f"/{pattern}")
    except ValueError:
        raise ConfigError(f"ci: got {pattern!r}, wanted a pattern of .gitignore") from None


def _sort(path: str, config: CiConfig, settings: str | None) -> str:
    if path == settings:
        return "model"
    for sort in ("data", "judging", "docs"):
        if any(fits(path, pattern) for pattern in getattr(config, sort)):
            return sort
    return "model"


def _mixed(judging: tuple[Change, ...], others: list[Change]) -> tuple[str, ...]:
    if not judging or not others:
        return ()
    return (
        f"one change moves what judges ({_listed(judging)}) and what is judged "
        f"({_listed(others)}); a baseline is changed in a commit of its own",
    )


def _listed(changes: Iterable[Change]) -> str:
    paths = [shown(change.path) for change in changes]
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more


def shown(path: str) -> str:
    """A path as text on one line, whatever bytes are in its name."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return printable(text, MARK)[:200]
