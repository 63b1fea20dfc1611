"""A failed check let through by two named persons, for one candidate and until a date.

The waiver is an entry of the ledger and nothing else. The next run finds it there, applies it if
candidate, case set and policy are still those it names, and shows it in decision and report.
"""

from datetime import date, timedelta
from pathlib import Path

from components.decision import CheckResult, Verdict
from components.gate.waiving import WAIVABLE
from components.records.clock import current_time, utc_now
from components.records.errors import ConfigError, suggestion
from components.records.ledger.ledger import Entry, Ledger
from pipeline.governance.decided import DecidedRun, find_run
from pipeline.governance.persons import require_text, same_person
from pipeline.settings.workspace import Workspace

LONGEST = timedelta(days=366)


def waive_check(
    root: Path,
    check: str,
    *,
    run_id: str,
    by: str,
    second: str,
    reason: str,
    expires: str,
) -> Entry:
    """Writes a waiver for one check of one run's decision.

    Args:
      expires: ISO date, the last day it holds (UTC), at most 366 days ahead.

    Raises:
      ConfigError: no such run or check, one that needs no waiver or can never have one, one person
        twice, or a date that is none, past or too far ahead.
      IntegrityError: the decision or the ledger was edited.
    """
    by, second = require_text(by, "--by"), require_text(second, "--second")
    if same_person(by, second):
        raise ConfigError(
            f"--second: got '{second}', the same person as --by; a waiver takes two persons"
        )
    reason = require_text(reason, "--reason")
    _refuse_date(expires)
    workspace = Workspace(root.resolve())
    ledger = Ledger(workspace.ledger)
    run = find_run(workspace, run_id, ledger.entries())
    _refuse_check(check, run)
    hashes = run.decision.hashes
    body = {
        "check": check,
        "run_id": run.run_id,
        "decision_sha256": run.decision.decision_sha256,
        "candidate_sha256": hashes["candidate"],
        "case_set_root": hashes["case_set"],
        "policy_sha256": hashes["policy"],
        "second": second,
        "reason": reason,
        "expires": expires,
    }
    return ledger.append("waiver", body, by=by, at=utc_now())


def _refuse_date(text: str) -> None:
    today = current_time().date()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--expires: got '{text}', wanted a date such as {today}") from None
    if day < today:
        raise ConfigError(f"--expires: got {text}, which is past; today is {today}")
    if day > today + LONGEST:
        raise ConfigError(
            f"--expires: got {text}, more than {LONGEST.days} days ahead; wanted {today + LONGEST} "
            "at the latest: what has to hold for longer belongs in the policy"
        )


def _refuse_check(name: str, run: DecidedRun) -> None:
    checks = {check.check: check for check in run.decision.checks}
    if name not in checks:
        likely = [check.check for check in checks.values() if check.open] or checks
        raise ConfigError(f"run {run.run_id}: no check '{name}'{suggestion(name, likely)}")
    check: CheckResult = checks[name]
    if check.verdict is Verdict.PASS:
        raise ConfigError(f"{name}: passed in run {run.run_id}; there is nothing to waive")
    if check.rule not in WAIVABLE:
        raise ConfigError(
            f"{name}: a check of the kind '{check.rule}' can never be waived: {check.reason}"
        )
    if not check.open:
        state = "is waived already" if check.waived else "only supports, and blocks nothing"
        raise ConfigError(f"{name}: {state} in run {run.run_id}; there is nothing to waive")
