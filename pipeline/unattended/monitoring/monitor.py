"""One look at what is served: reads the log, compares, writes the report, and says what follows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from components.drift.compare import compare
from components.drift.divergence import read_limits
from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, Drift
from components.records.clock import current_time, time_text
from components.records.errors import ConfigError
from components.records.files import lock_file, sha256_file
from components.records.ledger.ledger import Ledger
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace
from pipeline.unattended.monitoring.report import (
    JSON,
    KIND,
    NO_BREACH,
    PAGE,
    SCHEMA,
    Breach,
    Findings,
    drift_message,
    weigh,
    write_report,
)
from pipeline.unattended.monitoring.served import find_reference, read_served, with_calls
from pipeline.unattended.notifying.channels import check as check_channels
from pipeline.unattended.notifying.notify import tell

EXIT_CODES = {STEADY: 0, MOVED: 1, NOT_ENOUGH: 3}
WAIT_S = 300  # for another monitoring of the workspace, which may be telling a person


@dataclass(frozen=True)
class Monitored:
    """Attributes:
    report: the page; report.json stands beside it.
    may_retrain: whether a retraining is to be started now: asked for, and not too soon.
    why: one line for the record of that retraining.
    """

    drift: Drift
    report: Path
    may_retrain: bool
    why: str
    found: Mapping[str, Any]

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.drift.state]

    def as_json(self) -> dict[str, Any]:
        places = {"report": str(self.report), "report_json": str(self.report.with_name(JSON))}
        return {**self.found, **places, "exit_code": self.exit_code}


def monitor(
    config: Config, workspace: Workspace, log: Path | None, *, now: datetime | None = None
) -> Monitored:
    """Compares what the champion predicted lately with its own data.

    Where something moved, the ledger gets an entry and a person is told, once a day for the same
    breach.

    Args:
      log: file or folder; None takes monitoring.log, or `predictions/` in the workspace.

    Raises:
      NothingEvaluated: nothing is released, or its reference cases are missing.
      SourceError, ConfigError: the log cannot be read, or the report cannot be written.
      IntegrityError: the champion, its reference or the ledger was altered.
    """
    check_channels(config.notify)
    moment = (now or current_time()).astimezone(timezone.utc)
    path = workspace.prediction_log(log, config.monitoring.log)
    findings = _look(config, workspace, path, moment)
    folder = _new_folder(workspace, moment)
    if findings.drift.state != MOVED:
        found = write_report(folder, findings, NO_BREACH)
        return Monitored(findings.drift, folder / PAGE, False, "", found)
    busy = f"{workspace.root}: another monitoring has been at work for {WAIT_S} s; wait for it"
    # One at a time decides what follows: two that see a breach start one retraining.
    with lock_file(workspace.root / "monitoring" / ".lock", lambda: busy, wait_s=WAIT_S):
        breach = weigh(
            findings.drift,
            Ledger(workspace.ledger).entries(),
            config.monitoring,
            reference_sha256=findings.reference.sha256,
            root=workspace.root,
            now=findings.created,
        )
        found = write_report(folder, findings, breach)
        if not breach.known:
            # First, so that who kills this here finds it told again and not lost.
            tell(config.notify, workspace, drift_message(findings, breach, folder / PAGE))
            _record(workspace, findings, breach, folder / JSON)
    why = f"moved: {', '.join(breach.moved)}"
    return Monitored(findings.drift, folder / PAGE, breach.retrain, why, found)


def _look(config: Config, workspace: Workspace, log: Path, moment: datetime) -> Findings:
    settings = config.monitoring
    reference = find_reference(config, workspace)
    served = read_served(log, reference, settings, now=moment)
    limits = read_limits(SCHEMA)
    drift = compare(
        reference.sample,
        served.current,
        limits=limits,
        alpha=settings.alpha,
        min_cases=settings.min_cases,
        history=served.history,
        period_days=settings.window_days,
    )
    drift = with_calls(drift, served, reference.operating_point)
    return Findings(drift, served, reference, limits, settings, moment)


def _new_folder(workspace: Workspace, moment: datetime) -> Path:
    """A folder of its own, named by the time; two looks in one microsecond get two."""
    name = moment.strftime("%Y%m%dT%H%M%S.%fZ")
    place = workspace.root / "monitoring"
    for count in range(1, 1000):
        folder = place / (name if count == 1 else f"{name}-{count}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from None
    raise ConfigError(f"{place}: got a thousand reports named {name}; move them away")


def _record(workspace: Workspace, findings: Findings, breach: Breach, report: Path) -> None:
    drift = findings.drift
    body = {
        "report": report.relative_to(workspace.root).as_posix(),
        "report_sha256": sha256_file(report),
        "first": drift.first,
        "last": drift.last,
        "cases": drift.cases,
        "moved": list(breach.moved),
        "retraining": breach.retrain,
    }
    Ledger(workspace.ledger).append(KIND, body, by="casegate", at=time_text(findings.created))
