"""What was not released, or released by a waiver, and why."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from components.lineage.reader import Row
from components.records.clock import current_time
from components.records.errors import IntegrityError
from components.records.ledger.entry import Entry
from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.moment import asked, moment
from pipeline.evidence.questions.known_runs import known_runs
from pipeline.evidence.subject import Evidence

STATES = ("blocked", "inconclusive", "failed", "killed")
_NAMED = 3  # open checks that a line of the first table names
_RUNS = ("run", "started", "state", "verdict", "why", "trigger", "commit", "exit_code")
_CHECKS = (
    "run",
    "verdict",
    "check",
    "n",
    "estimate",
    "lower",
    "upper",
    "limit",
    "waived",
    "reason",
)
_WAIVERS = (
    "at",
    "check",
    "granted_for_run",
    "by",
    "second",
    "reason",
    "expires",
    "holds",
    "applied_in",
    "entry",
)


def blocked(evidence: Evidence, since: str | None) -> Answer:
    """Runs that released nothing because of what was found, and every waiver.

    Args:
      since: a day, or a time; None for all.

    Raises:
      ConfigError: a date that is none.
    """
    start, remark = asked(since, option="--since") if since else (None, None)
    runs = known_runs(evidence)
    rows = [r for r in runs.rows if _since(r.get("started"), start)]
    stopped = [row for row in rows if row.get("state") in (*STATES, "not known")]
    shown = {str(row["run_id"]) for row in rows}
    failed = [
        row
        for row in evidence.store.checks_not_passed(evidence.workspace_id)
        if row.get("run_id") in shown and row.get("role") == "gate"
    ]
    waivers = [e for e in evidence.entries if e.kind == "waiver" and _since(e.at, start)]
    counts = {s: sum(row.get("state") == s for row in stopped) for s in STATES}
    return Answer(
        question=f"what was blocked or waived{f' since {since}' if since else ''}, and why",
        facts={**counts, "waivers granted": len(waivers), "runs looked at": len(rows)},
        tables=(
            _runs_table(stopped, failed),
            _checks_table(failed, {str(row["run_id"]): row for row in rows}),
            _waivers_table(evidence, waivers),
        ),
        notes=(*([remark] if remark else []), *runs.differing),
        evidence=(
            f"{evidence.workspace.ledger}: {len(evidence.entries)} entries, chain intact",
            f"{evidence.workspace.store}: rows of runs, held against the ledger, and of checks, "
            "to six digits; runs/RUN/decision.json has them whole",
        ),
        exit_code=IntegrityError.exit_code if runs.differing else 0,
    )


def _since(at: object, start: datetime | None) -> bool:
    if start is None:
        return True
    try:
        return moment(str(at)).first >= start
    except ValueError:
        return True  # rather shown than hidden


def _runs_table(stopped: list[Row], failed: list[Row]) -> Table:
    open_checks: dict[str, list[str]] = {}
    for row in failed:
        if not row.get("waived"):
            open_checks.setdefault(str(row["run_id"]), []).append(str(row.get("check_name")))
    rows = tuple(
        (
            row.get("run_id"),
            row.get("started"),
            row.get("state"),
            row.get("verdict"),
            _why(row, open_checks.get(str(row.get("run_id")), [])),
            row.get("why"),
            row.get("git_commit"),
            row.get("exit_code"),
        )
        for row in stopped
    )
    links = {"run": "run", "commit": "commit"}
    return Table("runs", "Runs that released nothing, newest first", _RUNS, rows, links)


def _why(row: Row, checks: list[str]) -> str | None:
    """The run's error line, or its open checks."""
    if error := row.get("error"):
        return str(error)
    if not checks:
        return None
    more = f", and {len(checks) - _NAMED} more" if len(checks) > _NAMED else ""
    noun = "check" if len(checks) == 1 else "checks"
    return f"{len(checks)} open {noun}: {', '.join(checks[:_NAMED])}{more}"


def _checks_table(failed: list[Row], runs: Mapping[str, Row]) -> Table:
    """The figures of what did not pass, newest run first."""
    ordered = sorted(failed, key=lambda row: str(row["run_id"]), reverse=True)
    rows = tuple(
        (
            row.get("run_id"),
            row.get("verdict"),
            row.get("check_name"),
            row.get("n") or None,
            row.get("estimate"),
            row.get("lower_bound"),
            row.get("upper_bound"),
            row.get("limit_value"),
            bool(row.get("waived")),
            row.get("reason"),
        )
        for row in ordered
        if row.get("waived") or runs[str(row["run_id"])].get("state") in STATES
    )
    title = "Checks that did not pass, with those that were waived"
    return Table("checks", title, _CHECKS, rows, {"run": "run"})


def _waivers_table(evidence: Evidence, waivers: list[Entry]) -> Table:
    today = current_time().date().isoformat()
    rows = tuple(
        (
            e.at,
            e.body["check"],
            e.body["run_id"],
            e.by,
            e.body["second"],
            e.body["reason"],
            e.body["expires"],
            "expired" if e.body["expires"] < today else "still holds",
            ", ".join(_applied(evidence, e)) or "no run",
            e.seq,
        )
        for e in reversed(waivers)
    )
    links = {"granted_for_run": "run"}
    return Table("waivers", "Waivers, newest first", _WAIVERS, rows, links)


def _applied(evidence: Evidence, waiver: Entry) -> Iterator[str]:
    """The runs whose decision let the check through because of it."""
    named = ("candidate_sha256", "case_set_root", "policy_sha256")
    for run_id, decision in evidence.decided.items():
        same = all(decision.body[key] == waiver.body[key] for key in named)
        if same and waiver.body["check"] in decision.body["waived"] and decision.seq > waiver.seq:
            yield run_id
