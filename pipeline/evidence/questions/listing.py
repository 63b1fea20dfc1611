"""Runs and releases, newest first."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from components.lineage.reader import Row
from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.records import Release
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.moment import asked, moment
from pipeline.evidence.questions.known_runs import commits, known_runs
from pipeline.evidence.subject import Evidence

COLUMNS = (
    "at",
    "run",
    "state",
    "verdict",
    "version",
    "serving",
    "trigger",
    "by",
    "commit",
    "case_set",
    "destination",
    "entry",
)
_LINKS = {"run": "run", "version": "release", "commit": "commit", "case_set": "case_set"}


@dataclass(frozen=True)
class Filters:
    """What a listing is narrowed down to; None takes everything.

    Attributes:
      since, until: a day, or a time; the whole of the day for `until`.
      commit: its beginning.
    """

    verdict: str | None = None
    state: str | None = None
    since: str | None = None
    until: str | None = None
    commit: str | None = None
    trigger: str | None = None

    @property
    def of_runs(self) -> bool:
        """Whether something is asked for that only a run has, and no rollback."""
        return any((self.verdict, self.state, self.commit, self.trigger))


def listing(evidence: Evidence, filters: Filters, *, limit: int) -> Answer:
    """Every run, what it released, and every rollback, newest first.

    Args:
      limit: lines at most.

    Raises:
      ConfigError: a date that is none.
    """
    since, until, remarks = _span(filters)
    runs = known_runs(evidence)
    chosen = [row for row in runs.rows if _chosen(row, filters)]
    lines = [*_runs(evidence, chosen), *([] if filters.of_runs else _rollbacks(evidence))]
    lines = [line for line in lines if _within(line["at"], since, until)]
    lines.sort(key=lambda line: (str(line["at"]), str(line["run"])), reverse=True)
    rows = tuple(tuple(line.get(name) for name in COLUMNS) for line in lines[:limit])
    serving = [f"{r.destination} version {r.version}" for r in evidence.serving().values()]
    if len(lines) > limit:
        remarks.append(f"{limit} of {len(lines):,} are shown; --limit gives more.")
    return Answer(
        question="what was run and released",
        facts={
            "runs": len(runs.rows),
            "versions released": sum(r.kind == "release" for r in evidence.releases),
            "rollbacks": sum(r.kind == "rollback" for r in evidence.releases),
            "serving now": ", ".join(serving) or "nothing",
            "found": len(lines),
        },
        tables=(Table("runs", "Runs and releases, newest first", COLUMNS, rows, _LINKS),),
        notes=(*remarks, *runs.differing),
        evidence=(
            f"{evidence.workspace.ledger}: {len(evidence.entries)} entries, chain intact",
            f"{evidence.workspace.store}: rows of runs, held against the ledger",
        ),
        exit_code=IntegrityError.exit_code if runs.differing else 0,
    )


def _span(filters: Filters) -> tuple[datetime | None, datetime | None, list[str]]:
    """The first and last instant, and what was taken for granted."""
    since, until, remarks = None, None, []
    if filters.since:
        since, remark = asked(filters.since, option="--since")
        remarks += [remark] if remark else []
    if filters.until:
        until, remark = asked(filters.until, option="--until")
        remarks += [remark] if remark else []
        with contextlib.suppress(ValueError):
            until = moment(filters.until).last  # the whole of the day that was named
    if since and until and until < since:
        raise ConfigError(f"--until {filters.until}: is before --since {filters.since}")
    return since, until, remarks


def _chosen(row: Row, filters: Filters) -> bool:
    wanted = {"verdict": filters.verdict, "state": filters.state, "why": filters.trigger}
    same = all(value is None or row.get(name) == value for name, value in wanted.items())
    return same and (filters.commit is None or bool(commits([row], filters.commit)))


def _within(at: Value, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    try:
        instant = moment(str(at)).first
    except ValueError:
        return True  # rather shown than hidden
    return (since is None or instant >= since) and (until is None or instant < until)


def _runs(evidence: Evidence, rows: list[Row]) -> Iterator[dict[str, Value]]:
    serving = {release.seq for release in evidence.serving().values()}
    released = {r.run_id: r for r in evidence.releases if r.kind == "release"}
    for row in rows:
        run_id = str(row.get("run_id"))
        release = released.get(run_id)
        entry = evidence.last_entries.get(("run", run_id))
        yield {
            "at": row.get("started"),
            "run": run_id,
            "state": row.get("state"),
            "verdict": row.get("verdict"),
            "serving": _serving(release, serving),
            "trigger": row.get("why"),
            "by": row.get("started_by"),
            "commit": row.get("git_commit"),
            "case_set": row.get("case_set"),
            "entry": entry.seq if entry else None,
            **_version(release),
        }


def _rollbacks(evidence: Evidence) -> Iterator[dict[str, Value]]:
    serving = {release.seq for release in evidence.serving().values()}
    for release in evidence.releases:
        if release.kind == "rollback":
            yield {
                "at": release.at,
                "run": evidence.run_of(release),
                "state": f"rollback to {release.restored}",
                "serving": _serving(release, serving),
                "by": release.by,
                "entry": release.seq,
                **_version(release),
            }


def _version(release: Release | None) -> Mapping[str, Value]:
    if release is None:
        return {}
    return {"version": release.version, "destination": release.destination}


def _serving(release: Release | None, serving: set[int]) -> Value:
    """Whether it serves now; nothing for what was never released."""
    return None if release is None else release.seq in serving
