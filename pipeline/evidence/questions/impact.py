"""Which models, runs and releases a bad package or a bad commit reached."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from components.records.errors import ConfigError, IntegrityError
from components.records.git import ask_git
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.questions.affected import Affected, Consequences, contradictions, run_rows
from pipeline.evidence.subject import Evidence
from pipeline.settings.config import REPOSITORY

LEAST_DIGITS = 4  # of a shortened commit, as git has it


def impact_of_package(evidence: Evidence, text: str) -> Answer:
    """Runs in whose environment a version of a package was installed.

    Args:
      text: NAME==VERSION; names are compared as the package index does it.

    Raises:
      ConfigError: it is not that, or no run ever had a package of this name.
    """
    name, equals, version = (part.strip() for part in text.partition("=="))
    if not (name and equals and version):
        raise ConfigError(f"--package {text!r}: wanted NAME==VERSION, such as numpy==1.26.4")
    known: dict[str, set[str]] = {}
    for row in evidence.store.query("SELECT environment_sha256, package, version FROM packages"):
        if _plain(row["package"]) == _plain(name):
            known.setdefault(row["version"], set()).add(row["environment_sha256"])
    if not known:
        found = evidence.store.query("SELECT DISTINCT package FROM packages")
        near = get_close_matches(name, [row["package"] for row in found], n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"--package {name!r}: no run had a package of this name{hint}")
    environments = known.get(version, set())
    rows = run_rows(evidence, "environment_sha256", environments)
    affected = Affected()
    affected.add(rows, f"{name} {version} was installed")
    told = contradictions(evidence, "environment_sha256", environments, rows)
    table = Table(
        "environments",
        "Environments that had it",
        ("environment", "runs"),
        tuple(
            (one, sum(row["environment_sha256"] == one for row in rows))
            for one in sorted(environments)
        ),
        {"environment": "sha256"},
    )
    others = ", ".join(sorted(set(known) - {version})) or "none"
    return _answer(
        evidence,
        affected,
        f"what {name} {version} reached",
        {"package": name, "version": version, "other versions seen": others},
        (table,),
        ("That it was installed is known; whether it was used is not.",),
        told,
    )


def impact_of_commit(evidence: Evidence, text: str, *, repository: Path = REPOSITORY) -> Answer:
    """Runs of a commit and, where git's history is at hand, of later commits that contain it.

    Args:
      text: a commit's hash, or its beginning.

    Raises:
      ConfigError: it is not that, or several commits begin so.
    """
    if not (len(text) >= LEAST_DIGITS and re.fullmatch("[0-9a-fA-F]{,64}", text)):
        raise ConfigError(
            f"--commit {text!r}: wanted at least {LEAST_DIGITS} hex digits of a commit's hash"
        )
    recorded = {
        row["git_commit"]
        for row in evidence.store.query(
            "SELECT DISTINCT p.string_value AS git_commit FROM ArtifactProperty p "
            "JOIN Artifact a ON a.id = p.artifact_id "
            "JOIN Type t ON t.id = a.type_id AND t.name = 'CasegateRun' "
            "WHERE p.name = 'git_commit' AND NOT p.is_custom_property"
        )
    }
    commit = _commit(text.lower(), recorded, repository)
    history = _descendants(commit, repository)
    later = recorded & history if history is not None else set()
    affected = Affected()
    mine = run_rows(evidence, "git_commit", {commit})
    after = run_rows(evidence, "git_commit", later)
    affected.add(mine, "of this commit")
    affected.add(after, "of a later commit that contains it")
    dirty = sum(bool(row.get("git_dirty")) for row in mine)
    notes = []
    if dirty:
        notes.append(f"{dirty} of the runs of this commit had uncommitted changes beside it.")
    if history is None:
        notes.append(
            "Later commits that contain it are not known: git does not have the commit here."
        )
    facts: dict[str, Value] = {
        "commit": commit,
        "runs of this commit": len(mine),
        "runs of later commits": len(after) if history is not None else None,
    }
    told = contradictions(evidence, "git_commit", {commit, *later}, [*mine, *after])
    return _answer(evidence, affected, f"what commit {commit[:12]} reached", facts, (), notes, told)


def _answer(
    evidence: Evidence,
    affected: Affected,
    question: str,
    facts: dict[str, Value],
    more: tuple[Table, ...],
    notes: Iterable[str],
    contradicted: tuple[str, ...],
) -> Answer:
    consequences = Consequences(evidence, affected)
    return Answer(
        question=question,
        facts={**facts, **consequences.facts()},
        tables=(*consequences.tables(), *more),
        notes=(*notes, *contradicted),
        evidence=(
            f"{evidence.workspace.ledger}: {len(evidence.entries)} entries, chain intact",
            f"{evidence.workspace.store}: runs by their properties",
        ),
        exit_code=IntegrityError.exit_code if contradicted else 0,
    )


def _plain(name: str) -> str:
    """A package's name as the package index compares it.

    Source: PEP 503, normalized names.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _commit(prefix: str, recorded: set[str], repository: Path) -> str:
    """The one commit that begins so: of those that runs were made from, or else of git's."""
    found = sorted(commit for commit in recorded if commit.startswith(prefix))
    if len(found) > 1:
        shown = ", ".join(commit[: len(prefix) + 6] for commit in found[:3])
        raise ConfigError(f"--commit {prefix}: {len(found)} commits begin so: {shown}; give more")
    if found:
        return found[0]
    known = ask_git(repository, "rev-parse", "--verify", "--quiet", f"{prefix}^{{commit}}")
    if known is None:
        raise ConfigError(f"--commit {prefix}: no run was made from it, and git does not know it")
    return known.strip()


def _descendants(commit: str, repository: Path) -> set[str] | None:
    """The commits that contain this one, on whatever branch; None where git does not have it."""
    found = ask_git(repository, "rev-list", "--ancestry-path", "--all", "HEAD", f"^{commit}")
    return None if found is None else set(found.split())
