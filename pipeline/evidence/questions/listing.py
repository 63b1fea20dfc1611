"""Runs and releases, newest first, and what was stopped or waived, held against the ledger.

Reading a thousand run records takes seconds and one question to ML Metadata does not. Its rows can
be edited, so what the ledger says of a run as well has to be the same.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from components.lineage.reader import Row
from components.lineage.types import run_properties
from components.records.clock import current_time
from components.records.errors import CasegateError, ConfigError, IntegrityError
from components.records.ledger.ledger import Entry
from components.records.ledger.records import Release
from pipeline.evidence.answer import Answer, Columns, Table, Value, facts_of, named
from pipeline.evidence.moment import moment, parse_asked, within
from pipeline.evidence.subject import Evidence, is_of_same

# Kind of entry -> what both it and the row have.
_RECORDED_TWICE = {
    "run": ("state", "exit_code", "record_sha256"),
    "decision": ("verdict", "decision_sha256", "candidate_sha256"),
}


def known_runs(evidence: Evidence) -> tuple[list[Row], list[str]]:
    """Every run, newest first, one that has not ended yet too, from its own record.

    Also, in whole sentences, where ML Metadata and the ledger differ.
    """
    by_id = {str(row.get("run_id")): row for row in evidence.runs}
    differing = [it for run_id, row in by_id.items() for it in _differences(evidence, run_id, row)]
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
    return [by_id[run_id] for run_id in sorted(by_id, reverse=True)], differing


def _differences(evidence: Evidence, run_id: str, row: Row) -> list[str]:
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
_OF_ROW: Columns = {
    **named("state", "verdict", "case_set"),
    "at": "started",
    "trigger": "why",
    "by": "started_by",
    "commit": "git_commit",
}


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
    rows, differing = known_runs(evidence)
    lines = list(_runs(evidence, [row for row in rows if _chosen(row, filters)]))
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
            "runs": len(rows),
            "versions released": sum(r.kind == "release" for r in evidence.releases),
            "rollbacks": sum(r.kind == "rollback" for r in evidence.releases),
            "serving now": ", ".join(serving) or "nothing",
            "found": len(lines),
        },
        tables=(Table.of("runs", title, lines[:limit], named(*COLUMNS), _LINKS),),
        notes=(*remarks, *differing),
        evidence=(
            evidence.ledger_line,
            f"{evidence.workspace.store}: rows of runs, held against the ledger",
        ),
        exit_code=IntegrityError.exit_code if differing else 0,
    )


def _span(filters: Filters) -> tuple[datetime | None, datetime | None, list[str]]:
    first, last = filters.since, filters.until
    since, remarks = parse_asked(first, option="--since") if first else (None, [])
    until, more = parse_asked(last, option="--until") if last else (None, [])
    if last:
        with contextlib.suppress(ValueError):
            until = moment(last).last  # the whole of the day that was named
    if since and until and until < since:
        raise ConfigError(f"--until {last}: is before --since {first}")
    return since, until, [*remarks, *more]


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
            **facts_of(row, _OF_ROW),
            "run": run_id,
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


STATES = ("blocked", "inconclusive", "failed", "killed")
_NAMED = 3  # open checks that a line of the first table names


def blocked(evidence: Evidence, since: str | None) -> Answer:
    """Runs that released nothing because of what was found, and every waiver.

    Args:
      since: a day, or a time; None for all.

    Raises:
      ConfigError: a date that is none.
    """
    start, remarks = parse_asked(since, option="--since") if since else (None, [])
    runs, differing = known_runs(evidence)
    rows = {str(row["run_id"]): row for row in runs if within(row.get("started"), start)}
    stopped = [row for row in rows.values() if row.get("state") in (*STATES, "not known")]
    failed = [
        row
        for row in evidence.store.checks_not_passed(evidence.workspace_id)
        if row.get("run_id") in rows and row.get("role") == "gate"
    ]
    waivers = [e for e in evidence.entries if e.kind == "waiver" and within(e.at, start)]
    counts = {s: sum(row.get("state") == s for row in stopped) for s in STATES}
    return Answer(
        question=f"what was blocked or waived{f' since {since}' if since else ''}, and why",
        facts={**counts, "waivers granted": len(waivers), "runs looked at": len(rows)},
        tables=(
            _runs_table(stopped, failed),
            _checks_table(failed, rows),
            _waivers_table(evidence, waivers),
        ),
        notes=(*remarks, *differing),
        evidence=(
            evidence.ledger_line,
            f"{evidence.workspace.store}: rows of runs, held against the ledger, and of checks, "
            "to six digits; runs/RUN/decision.json has them whole",
        ),
        exit_code=IntegrityError.exit_code if differing else 0,
    )


def _runs_table(stopped: list[Row], failed: list[Row]) -> Table:
    open_checks: dict[str, list[str]] = {}
    for row in failed:
        if not row.get("waived"):
            open_checks.setdefault(str(row["run_id"]), []).append(str(row.get("check_name")))
    columns: Columns = {
        "run": "run_id",
        **named("started", "state", "verdict"),
        "why": lambda row: _why(row, open_checks.get(str(row.get("run_id")), [])),
        "trigger": "why",
        "commit": "git_commit",
        "exit_code": "exit_code",
    }
    links = {"run": "run", "commit": "commit"}
    return Table.of("runs", "Runs that released nothing, newest first", stopped, columns, links)


def _why(row: Row, checks: list[str]) -> str | None:
    if row.get("error") or not checks:
        return row.get("error") or None
    more = f", and {len(checks) - _NAMED} more" if len(checks) > _NAMED else ""
    noun = "check" if len(checks) == 1 else "checks"
    return f"{len(checks)} open {noun}: {', '.join(checks[:_NAMED])}{more}"


def _checks_table(failed: list[Row], runs: Mapping[str, Row]) -> Table:
    shown = [r for r in failed if r.get("waived") or runs[str(r["run_id"])].get("state") in STATES]
    shown.sort(key=lambda row: str(row["run_id"]), reverse=True)
    columns: Columns = {
        "run": "run_id",
        "verdict": "verdict",
        "check": "check_name",
        "n": lambda row: row.get("n") or None,
        "estimate": "estimate",
        "lower": "lower_bound",
        "upper": "upper_bound",
        "limit": "limit_value",
        "waived": lambda row: bool(row.get("waived")),
        "reason": "reason",
    }
    title = "Checks that did not pass, with those that were waived"
    return Table.of("checks", title, shown, columns, {"run": "run"})


def _waivers_table(evidence: Evidence, waivers: list[Entry]) -> Table:
    today = current_time().date().isoformat()
    columns: Columns = {
        "at": "at",
        "check": "body.check",
        "granted_for_run": "body.run_id",
        "by": "by",
        **named("second", "reason", "expires", of="body."),
        "holds": lambda e: "expired" if e.body["expires"] < today else "still holds",
        "applied_in": lambda e: ", ".join(_applied(evidence, e)) or "no run",
        "entry": "seq",
    }
    links = {"granted_for_run": "run"}
    return Table.of("waivers", "Waivers, newest first", reversed(waivers), columns, links)


def _applied(evidence: Evidence, waiver: Entry) -> Iterator[str]:
    for run_id, decision in evidence.decided.items():
        through = waiver.body["check"] in decision.body["waived"]
        if through and decision.seq > waiver.seq and is_of_same(waiver, decision):
            yield run_id
