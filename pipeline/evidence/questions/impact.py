"""Which models, runs and releases a bad package or a bad commit reached."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property
from itertools import chain
from operator import itemgetter
from pathlib import Path

from components.lineage.reader import Row
from components.lineage.types import run_properties
from components.records.errors import ConfigError, IntegrityError
from components.records.git import ask_git
from components.records.ledger.records import Release
from pipeline.evidence.answer import Answer, Columns, Table, Value, named
from pipeline.evidence.subject import Evidence
from pipeline.settings.config import REPOSITORY

LEAST_DIGITS = 4  # of a shortened commit, as git has it


class Affected:
    """Runs that are affected, how, and what that means for models and releases.

    Attributes:
      rows: what ML Metadata has of each run, by its id.
      how: the ways in which each is affected, in the order they were added.
      spoiled: runs whose model itself is affected; the others were only judged amiss.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.rows: dict[str, Row] = {}
        self.how: dict[str, list[str]] = {}
        self.spoiled: set[str] = set()

    def add(self, rows: Iterable[Row], how: str, *, model: bool = True) -> None:
        """Adds runs whose model, or else only what was decided of it, is affected in this way."""
        for row in rows:
            run_id = row["run_id"]
            self.rows[run_id] = row
            ways = self.how.setdefault(run_id, [])
            if how not in ways:
                ways.append(how)
            if model:
                self.spoiled.add(run_id)

    @cached_property
    def models(self) -> dict[str, list[str]]:
        """The affected models, each with the runs that made it; asked once all runs were added."""
        found: dict[str, list[str]] = {}
        for run_id in sorted(self.spoiled):
            if model := self.rows[run_id].get("candidate_sha256"):
                found.setdefault(model, []).append(run_id)
        return found

    @cached_property
    def releases(self) -> list[tuple[Release, list[str]]]:
        """The affected releases, each with the ways: by its own run, or another with its model."""
        found = []
        for release in self.evidence.releases:
            runs = (self.evidence.run_of(release), *self.models.get(release.model_sha256, ()))
            ways = list(dict.fromkeys(chain(*(self.how.get(run_id, ()) for run_id in runs))))
            if ways:
                found.append((release, ways))
        return found

    def answer(
        self,
        question: str,
        facts: Mapping[str, Value],
        tables: Iterable[Table],
        notes: Iterable[str],
        contradicted: tuple[str, ...],
        evidence: tuple[str, ...],
        *,
        unknown: bool = False,
    ) -> Answer:
        """The consequences first; releases before models and runs, because those reach patients."""
        return Answer(
            question=question,
            facts={**facts, **self._facts()},
            tables=(self._release_table(), self._model_table(), self._run_table(), *tables),
            notes=(*notes, *contradicted),
            evidence=evidence,
            exit_code=IntegrityError.exit_code if contradicted or unknown else 0,
        )

    def _facts(self) -> dict[str, Value]:
        serving = [
            f"{release.destination} version {release.version} ({', '.join(ways)})"
            for release, ways in self.releases
            if self.evidence.serves(release)
        ]
        return {
            "runs affected": len(self.rows),
            "models affected": len(self.models),
            "releases affected": len(self.releases),
            "serving now": "; ".join(serving) or "nothing that is affected",
            **self._exported(),
        }

    def _exported(self) -> dict[str, Value]:
        """Copies of a model in other forms, which devices may hold long after it was replaced."""
        copies = [
            f"{release.exports_folder / kind} {sha256}"
            for release, _ in self.releases
            for kind, sha256 in release.exports.items()
        ]
        return {"handed out to devices and browsers": "; ".join(copies)} if copies else {}

    def _release_table(self) -> Table:
        columns: Columns = {
            "destination": lambda it: it[0].destination,
            "version": lambda it: it[0].version,
            "now": lambda it: "serving" if self.evidence.serves(it[0]) else "replaced",
            "how": lambda it: ", ".join(it[1]),
            "kind": lambda it: it[0].kind,
            "at": lambda it: it[0].at,
            "run": lambda it: self.evidence.run_of(it[0]),
            "model": lambda it: it[0].model_sha256,
            "exports": lambda it: ", ".join(it[0].exports) or None,
        }
        links = {"version": "release", "run": "run", "model": "sha256"}
        return Table.of("releases", "Releases affected", reversed(self.releases), columns, links)

    def _model_table(self) -> Table:
        versions: dict[str, list[str]] = {}
        for release, _ in self.releases:
            name = f"{release.destination} version {release.version}"
            versions.setdefault(release.model_sha256, []).append(name)
        golden = {e.body["model_sha256"] for e in self.evidence.entries if e.kind == "approval"}
        rows = tuple(
            (model, len(runs), runs[0], "; ".join(versions.get(model, ())), model in golden)
            for model, runs in self.models.items()
        )
        columns = ("model", "runs", "first_run", "released_as", "approved_as_golden")
        links = {"model": "sha256", "first_run": "run"}
        return Table("models", "Models affected", columns, rows, links)

    def _run_table(self) -> Table:
        columns: Columns = {
            "run": "run_id",
            **named("started", "state", "verdict"),
            "how": lambda row: ", ".join(self.how[row["run_id"]]),
            "commit": "git_commit",
            "model": "candidate_sha256",
        }
        found = sorted(self.rows.values(), key=itemgetter("run_id"), reverse=True)
        links = {"run": "run", "commit": "commit", "model": "sha256"}
        return Table.of("runs", "Runs affected", found, columns, links)


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
    affected = Affected(evidence)
    affected.add(rows, f"{name} {version} was installed")
    runs = Counter(row["environment_sha256"] for row in rows)
    cells = tuple((one, runs[one]) for one in sorted(environments))
    title, links = "Environments that had it", {"environment": "sha256"}
    others = ", ".join(sorted(set(known) - {version})) or "none"
    return affected.answer(
        f"what {name} {version} reached",
        {"package": name, "version": version, "other versions seen": others},
        (Table("environments", title, ("environment", "runs"), cells, links),),
        ("That it was installed is known; whether it was used is not.",),
        contradictions(evidence, "environment_sha256", environments, rows),
        _rests_on(evidence),
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
    recorded = {row["git_commit"] for row in evidence.runs if "git_commit" in row}
    commit = _commit(text.lower(), recorded, repository)
    # The commits that contain it, on whatever branch; None where git does not have it.
    history = ask_git(repository, "rev-list", "--ancestry-path", "--all", "HEAD", f"^{commit}")
    later = recorded & set(history.split()) if history is not None else set()
    affected = Affected(evidence)
    mine = run_rows(evidence, "git_commit", {commit})
    after = run_rows(evidence, "git_commit", later)
    affected.add(mine, "of this commit")
    affected.add(after, "of a later commit that contains it")
    notes = []
    if dirty := sum(bool(row.get("git_dirty")) for row in mine):
        notes.append(f"{dirty} of the runs of this commit had uncommitted changes beside it.")
    if history is None:
        words = "Later commits that contain it are not known: git does not have the commit here."
        notes.append(words)
    facts: dict[str, Value] = {"commit": commit, "runs of this commit": len(mine)}
    facts["runs of later commits"] = len(after) if history is not None else None
    contradicted = contradictions(evidence, "git_commit", {commit, *later}, [*mine, *after])
    question = f"what commit {commit[:12]} reached"
    return affected.answer(question, facts, (), notes, contradicted, _rests_on(evidence))


def _rests_on(evidence: Evidence) -> tuple[str, str]:
    return evidence.ledger_line, f"{evidence.workspace.store}: runs by their properties"


def _plain(name: str) -> str:
    """A package's name as the package index compares it.

    Source: PEP 503, normalized names.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _commit(prefix: str, recorded: set[str], repository: Path) -> str:
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


def run_rows(evidence: Evidence, column: str, values: Iterable[str]) -> list[Row]:
    """The workspace's runs whose property `column` has one of these values, oldest first."""
    wanted = set(values)
    found = [row for row in reversed(evidence.runs) if row.get(column) in wanted]
    if nameless := [row["artifact_id"] for row in found if "run_id" not in row]:
        raise IntegrityError(
            f"{evidence.workspace.store}: artifact {nameless[0]} is a run without a run_id: ML "
            "Metadata was altered; see `casegate lineage verify --all`"
        )
    return found


def contradictions(
    evidence: Evidence, column: str, values: Collection[str], found: Iterable[Row]
) -> tuple[str, ...]:
    """Where ML Metadata and the records of what is serving now differ on who has these values.

    ML Metadata finds the runs, and its rows can be edited; the record of a run that serves is read
    itself, and its hash is in the ledger.

    Args:
      found: what `run_rows` found for `column` and `values`.
    """
    known, differing = {row["run_id"] for row in found}, []
    for release in evidence.serving().values():
        run_id = evidence.run_of(release)
        named = run_properties(evidence.record(run_id)).get(column) in values
        if named != (run_id in known):
            differing.append(
                f"Run {run_id}, which made what {release.destination} serves, is "
                f"{'affected' if named else 'not affected'} by its own record, and ML Metadata "
                "says otherwise: it was altered; see `casegate lineage verify --all`."
            )
    return tuple(differing)
