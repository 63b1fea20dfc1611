"""What was not released, or released by a waiver, and why."""

from collections.abc import Iterator, Mapping

from components.lineage.reader import Row
from components.records.clock import current_time
from components.records.errors import IntegrityError
from components.records.ledger.ledger import Entry
from pipeline.evidence.answer import Answer, Columns, Table
from pipeline.evidence.moment import parse_asked, within
from pipeline.evidence.questions.listing import known_runs
from pipeline.evidence.subject import Evidence

STATES = ("blocked", "inconclusive", "failed", "killed")
_NAMED = 3  # open checks that a line of the first table names


def blocked(evidence: Evidence, since: str | None) -> Answer:
    """Runs that released nothing because of what was found, and every waiver.

    Args:
      since: a day, or a time; None for all.

    Raises:
      ConfigError: a date that is none.
    """
    start, remark = parse_asked(since, option="--since") if since else (None, None)
    runs = known_runs(evidence)
    rows = [r for r in runs.rows if within(r.get("started"), start)]
    stopped = [row for row in rows if row.get("state") in (*STATES, "not known")]
    shown = {str(row["run_id"]) for row in rows}
    failed = [
        row
        for row in evidence.store.checks_not_passed(evidence.workspace_id)
        if row.get("run_id") in shown and row.get("role") == "gate"
    ]
    waivers = [e for e in evidence.entries if e.kind == "waiver" and within(e.at, start)]
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
            evidence.ledger_line,
            f"{evidence.workspace.store}: rows of runs, held against the ledger, and of checks, "
            "to six digits; runs/RUN/decision.json has them whole",
        ),
        exit_code=IntegrityError.exit_code if runs.differing else 0,
    )


def _runs_table(stopped: list[Row], failed: list[Row]) -> Table:
    open_checks: dict[str, list[str]] = {}
    for row in failed:
        if not row.get("waived"):
            open_checks.setdefault(str(row["run_id"]), []).append(str(row.get("check_name")))
    columns: Columns = {
        "run": "run_id",
        "started": "started",
        "state": "state",
        "verdict": "verdict",
        "why": lambda row: _why(row, open_checks.get(str(row.get("run_id")), [])),
        "trigger": "why",
        "commit": "git_commit",
        "exit_code": "exit_code",
    }
    links = {"run": "run", "commit": "commit"}
    return Table.of("runs", "Runs that released nothing, newest first", stopped, columns, links)


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
    shown = (
        row
        for row in ordered
        if row.get("waived") or runs[str(row["run_id"])].get("state") in STATES
    )
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
        "second": "body.second",
        "reason": "body.reason",
        "expires": "body.expires",
        "holds": lambda e: "expired" if e.body["expires"] < today else "still holds",
        "applied_in": lambda e: ", ".join(_applied(evidence, e)) or "no run",
        "entry": "seq",
    }
    links = {"granted_for_run": "run"}
    return Table.of("waivers", "Waivers, newest first", reversed(waivers), columns, links)


def _applied(evidence: Evidence, waiver: Entry) -> Iterator[str]:
    """The runs whose decision let the check through because of it."""
    named = ("candidate_sha256", "case_set_root", "policy_sha256")
    for run_id, decision in evidence.decided.items():
        same = all(decision.body[key] == waiver.body[key] for key in named)
        if same and waiver.body["check"] in decision.body["waived"] and decision.seq > waiver.seq:
            yield run_id
