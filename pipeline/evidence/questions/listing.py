"""Runs and releases, newest first: ML Metadata's rows, held against the ledger.

Reading a thousand run records takes seconds and one question to the database does not. Its rows
can be edited, so what the ledger says of a run as well has to be the same.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from components.lineage.reader import Row
from components.lineage.types import run_properties
from components.records.errors import CasegateError, ConfigError, IntegrityError
from components.records.ledger.records import Release
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.moment import moment, parse_asked, within
from pipeline.evidence.subject import Evidence

# Kind of entry -> what both it and the row have.
_RECORDED_TWICE = {
    "run": ("state", "exit_code", "record_sha256"),
    "decision": ("verdict", "decision_sha256", "candidate_sha256"),
}


@dataclass(frozen=True)
class KnownRuns:
    """Attributes:
    rows: newest first; a run that has not ended yet is there too, from its own record.
    differing: in whole sentences, where ML Metadata and the ledger differ.
    """

    rows: tuple[Row, ...]
    differing: tuple[str, ...]


def known_runs(evidence: Evidence) -> KnownRuns:
    by_id = {str(row.get("run_id")): row for row in evidence.runs}
    differing = [
        sentence
        for run_id, row in by_id.items()
        for sentence in _differences(evidence, run_id, row)
    ]
    ended = {run_id for kind, run_id in evidence.last_entries if kind == "run"}
    differing += [
        f"ML Metadata has no row of run {run_id}, which the ledger says ended: it was removed."
        for run_id in sorted(ended - by_id.keys())
    ]
    for run_id in evidence.run_ids() - by_id.keys():
        try:
            by_id[run_id] = dict(run_properties(evidence.record(run_id)))
        except CasegateError as error:  # no more than its name is known
            by_id[run_id] = {"run_id": run_id, "state": "not known", "error": str(error)}
    return KnownRuns(
        tuple(by_id[run_id] for run_id in sorted(by_id, reverse=True)), tuple(differing)
    )


def _differences(evidence: Evidence, run_id: str, row: Row) -> list[str]:
    """What the row says otherwise than the ledger's entries of the run."""
    return [
        f"ML Metadata, run {run_id}: {name} is {row.get(name)!r}, entry {entry.seq} of "
        f"the ledger has {entry.body.get(name)!r}: the row was altered."
        for kind, names in _RECORDED_TWICE.items()
        if (entry := evidence.last_entries.get((kind, run_id))) is not None
        for name in names
        if row.get(name) != entry.body.get(name)
    ]


_OF_RUN = ("at", "run", "state", "verdict", "version", "serving", "trigger", "by")
COLUMNS = (*_OF_RUN, "commit", "case_set", "destination", "entry")
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


def listing(evidence: Evidence, filters: Filters, *, limit: int) -> Answer:
    """Every run, what it released, and every rollback, newest first.

    Raises:
      ConfigError: a date that is none.
    """
    since, until, remarks = _span(filters)
    runs = known_runs(evidence)
    chosen = [row for row in runs.rows if _chosen(row, filters)]
    lines = list(_runs(evidence, chosen))
    if not (filters.verdict or filters.state or filters.commit or filters.trigger):
        lines += _rollbacks(evidence)  # which have none of these
    lines = [line for line in lines if within(line["at"], since, until)]
    lines.sort(key=lambda line: (str(line["at"]), str(line["run"])), reverse=True)
    serving = [f"{r.destination} version {r.version}" for r in evidence.serving().values()]
    title = "Runs and releases, newest first"
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
        tables=(Table.of("runs", title, lines[:limit], dict(zip(COLUMNS, COLUMNS)), _LINKS),),
        notes=(*remarks, *runs.differing),
        evidence=(
            evidence.ledger_line,
            f"{evidence.workspace.store}: rows of runs, held against the ledger",
        ),
        exit_code=IntegrityError.exit_code if runs.differing else 0,
    )


def _span(filters: Filters) -> tuple[datetime | None, datetime | None, list[str]]:
    """The first and last instant, and what was taken for granted."""
    found: dict[str, datetime | None] = {}
    remarks = []
    for name, text in (("since", filters.since), ("until", filters.until)):
        found[name], remark = parse_asked(text, option=f"--{name}") if text else (None, None)
        remarks += [remark] if remark else []
    since, until = found["since"], found["until"]
    if filters.until:
        with contextlib.suppress(ValueError):
            until = moment(filters.until).last  # the whole of the day that was named
    if since and until and until < since:
        raise ConfigError(f"--until {filters.until}: is before --since {filters.since}")
    return since, until, remarks


def _chosen(row: Row, filters: Filters) -> bool:
    wanted = {"verdict": filters.verdict, "state": filters.state, "why": filters.trigger}
    same = all(value is None or row.get(name) == value for name, value in wanted.items())
    return same and str(row.get("git_commit") or "").startswith((filters.commit or "").lower())


def _runs(evidence: Evidence, rows: list[Row]) -> Iterator[dict[str, Value]]:
    released = {r.run_id: r for r in evidence.releases if r.kind == "release"}
    for row in rows:
        run_id = str(row.get("run_id"))
        entry = evidence.last_entries.get(("run", run_id))
        yield {
            "at": row.get("started"),
            "run": run_id,
            "state": row.get("state"),
            "verdict": row.get("verdict"),
            "trigger": row.get("why"),
            "by": row.get("started_by"),
            "commit": row.get("git_commit"),
            "case_set": row.get("case_set"),
            "entry": entry.seq if entry else None,
            **(_version(evidence, released[run_id]) if run_id in released else {}),
        }


def _rollbacks(evidence: Evidence) -> Iterator[dict[str, Value]]:
    for release in evidence.releases:
        if release.kind == "rollback":
            yield {
                "at": release.at,
                "run": evidence.run_of(release),
                "state": f"rollback to {release.restored}",
                "by": release.by,
                "entry": release.seq,
                **_version(evidence, release),
            }


def _version(evidence: Evidence, release: Release) -> dict[str, Value]:
    return {
        "version": release.version,
        "destination": release.destination,
        "serving": evidence.serves(release),
    }
